// Pictures as files: PNG where it fits the upload limit, else WebP at falling quality.

import sharp from 'sharp';
import type { EncodedImage, RgbImage } from '../types.js';
import { readText, withText } from './png.js';

const raw = (image: RgbImage) =>
  sharp(image.data, { raw: { width: image.width, height: image.height, channels: 3 } });

/** The same pixels and text give the same bytes. */
export async function encodePng(image: RgbImage, parameters?: string): Promise<EncodedImage> {
  // Filtered row by row: of painted pictures half the bytes, in less time at this level.
  const png = await raw(image)
    .png({ compressionLevel: 3, adaptiveFiltering: true, palette: false })
    .toBuffer();
  const bytes = parameters === undefined ? png : withText(png, 'parameters', parameters);
  return { bytes, type: 'image/png', width: image.width, height: image.height };
}

/**
 * PNG if it has at most `maxBytes`, else WebP; the parameters stay with it in EXIF's UserComment,
 * where A1111 looks for them.
 */
export async function encodeWithin(
  image: RgbImage,
  maxBytes: number,
  parameters?: string,
): Promise<EncodedImage> {
  const png = await encodePng(image, parameters);
  if (png.bytes.length <= maxBytes) return png;
  for (const [scale, quality] of [
    [1, 95],
    [1, 85],
    [1, 70],
    [1, 50],
    [0.5, 70],
    [0.25, 60],
  ] as const) {
    const width = Math.max(16, Math.round(image.width * scale));
    let file = raw(image).resize({ width }).webp({ quality });
    if (parameters !== undefined)
      file = file
        .withExif({
          IFD0: { ImageDescription: 'Made by Ylem' },
          IFD2: { UserComment: parameters },
        })
        .withXmp(packet(parameters));
    const { data, info } = await file.toBuffer({ resolveWithObject: true });
    if (data.length <= maxBytes)
      return { bytes: data, type: 'image/webp', width: info.width, height: info.height };
  }
  throw new Error(
    `a picture of ${image.width}x${image.height} does not fit into ${maxBytes} bytes`,
  );
}

const XMP_KEY = 'ylem:parameters="';

/** EXIF written by libvips keeps ASCII alone; XMP keeps the whole text, percent-encoded. */
function packet(parameters: string): string {
  // Through UTF-8: half a surrogate pair would throw below.
  const value = encodeURIComponent(Buffer.from(parameters).toString()).replaceAll("'", '%27');
  return (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">' +
    `<rdf:Description rdf:about="" xmlns:ylem="urn:ylem:1" ${XMP_KEY}${value}"/></rdf:RDF></x:xmpmeta>`
  );
}

/** What `packet` wrote; undefined where it did not. */
function fromPacket(xmp: string): string | undefined {
  const start = xmp.indexOf(XMP_KEY);
  if (start < 0) return undefined;
  const value = xmp.slice(start + XMP_KEY.length).split('"', 1)[0]!;
  try {
    return decodeURIComponent(value);
  } catch {
    return undefined;
  }
}

/** A preview: small and quick to make; shown at the final size by being enlarged. */
export async function encodePreview(
  image: RgbImage,
  width: number,
  height: number,
): Promise<EncodedImage> {
  const shown = Math.min(1, 512 / Math.max(width, height));
  const size = { width: Math.round(width * shown), height: Math.round(height * shown) };
  const bytes = await raw(image)
    .resize({ ...size, fit: 'fill', kernel: 'cubic' })
    .jpeg({ quality: 80 })
    .toBuffer();
  return { bytes, type: 'image/jpeg', ...size };
}

/** Characters of parameters: no program writes as many, and what is longer is not read. */
const MOST_TEXT = 2 ** 16;

/** The parameters that a PNG or a WebP of ours (or A1111's) carries; undefined where it has none. */
export async function readInfotext(file: Uint8Array): Promise<string | undefined> {
  const text = await carriedText(file);
  return text !== undefined && text.length <= MOST_TEXT ? text : undefined;
}

async function carriedText(file: Uint8Array): Promise<string | undefined> {
  const text = readText(file, 'parameters');
  if (text !== undefined) return text;
  const { exif, xmp } = await sharp(file)
    .metadata()
    .catch(() => ({ exif: undefined, xmp: undefined }));
  const ours = xmp === undefined ? undefined : fromPacket(xmp.toString('utf8'));
  if (ours !== undefined) return ours;
  return exif === undefined ? undefined : userComment(exif);
}

/** EXIF's UserComment (tag 0x9286 of the Exif directory), with its 8-byte name of the encoding. */
function userComment(exif: Buffer): string | undefined {
  const start = exif.indexOf('II*\0') >= 0 ? exif.indexOf('II*\0') : exif.indexOf('MM\0*');
  if (start < 0) return undefined;
  const tiff = exif.subarray(start);
  const little = tiff[0] === 0x49;
  const u16 = (at: number) => (little ? tiff.readUInt16LE(at) : tiff.readUInt16BE(at));
  const u32 = (at: number) => (little ? tiff.readUInt32LE(at) : tiff.readUInt32BE(at));
  const find = (directory: number, tag: number): number | undefined => {
    for (let i = 0; i < u16(directory); i++) {
      const entry = directory + 2 + 12 * i;
      if (u16(entry) === tag) return entry;
    }
    return undefined;
  };
  try {
    const pointer = find(u32(4), 0x8769);
    const comment = pointer === undefined ? undefined : find(u32(pointer + 8), 0x9286);
    if (comment === undefined) return undefined;
    const bytes = tiff.subarray(u32(comment + 8), u32(comment + 8) + u32(comment + 4));
    const encoding = bytes.toString('latin1', 0, 8);
    const body = bytes.subarray(8);
    if (encoding.startsWith('UNICODE')) {
      return (little ? body : Buffer.from(body).swap16()).toString('utf16le');
    }
    return body.toString('utf8');
  } catch (error) {
    if (error instanceof RangeError) return undefined; // offsets beyond the end: not a file of ours
    throw error;
  }
}
