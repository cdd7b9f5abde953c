// The parameters that a picture's file carries beside its pixels, found without decoding anything: the
// bot does this itself, with the files of whoever sends them.

import { fourLetters, isExif, type PictureKind, pictureKind, pieces } from '../../image-size.js';
import { readText } from './png.js';

type Type = PictureKind['type'];

/** Characters of parameters: no program writes as many, and what is longer is not read. */
const MOST_TEXT = 2 ** 16;
/** bytes of EXIF or XMP: so much text, each character percent-encoded, and a thumbnail */
const MOST_BYTES = 2 ** 20;

/**
 * The parameters that a picture of ours (or A1111's) carries; undefined where it has none, and for
 * what is no PNG, JPEG, WebP or GIF.
 */
export function readInfotext(file: Uint8Array): string | undefined {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  const type = pictureKind(bytes)?.type;
  if (type === undefined) return undefined;
  const text =
    readText(bytes, 'parameters') ?? fromPacket(xmp(bytes, type)) ?? userComment(exif(bytes, type));
  return text !== undefined && text.length <= MOST_TEXT ? text : undefined;
}

/** What begins the content of a JPEG's segment APP1 that holds XMP. */
const XMP = Buffer.from('http://ns.adobe.com/xap/1.0/\0', 'latin1');
const [PNG_EXIF, WEBP_EXIF, WEBP_XMP] = [
  fourLetters('eXIf'),
  fourLetters('EXIF'),
  fourLetters('XMP '),
];
const APP1 = 0xe1;

function xmp(bytes: Buffer, type: Type): string | undefined {
  if (type === 'image/png') return readText(bytes, 'XML:com.adobe.xmp');
  const begins = (from: number) => bytes.subarray(from, from + XMP.length).equals(XMP);
  return first(bytes, type, (name, from) =>
    type === 'image/jpeg' ? name === APP1 && begins(from) : name === WEBP_XMP,
  )?.toString();
}

function exif(bytes: Buffer, type: Type): Buffer | undefined {
  return first(bytes, type, (name, from) =>
    type === 'image/jpeg'
      ? name === APP1 && isExif(bytes, from)
      : name === (type === 'image/png' ? PNG_EXIF : WEBP_EXIF),
  );
}

/** What the first such piece of a file holds; undefined where that is too much. */
function first(
  bytes: Buffer,
  type: Type,
  isIt: (name: number, from: number) => boolean,
): Buffer | undefined {
  for (const { name, from, to } of pieces(bytes, type)) {
    if (isIt(name, from)) return to - from > MOST_BYTES ? undefined : bytes.subarray(from, to);
  }
  return undefined;
}

const XMP_KEY = 'ylem:parameters="';

/** EXIF written by libvips keeps ASCII alone; XMP keeps the whole text, percent-encoded. */
export function packet(parameters: string): string {
  // Through UTF-8: half a surrogate pair would throw below.
  const value = encodeURIComponent(Buffer.from(parameters).toString()).replaceAll("'", '%27');
  return (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">' +
    `<rdf:Description rdf:about="" xmlns:ylem="urn:ylem:1" ${XMP_KEY}${value}"/></rdf:RDF></x:xmpmeta>`
  );
}

/** What `packet` wrote; undefined where it did not. */
function fromPacket(xmp: string | undefined): string | undefined {
  if (xmp === undefined) return undefined;
  const start = xmp.indexOf(XMP_KEY);
  if (start < 0) return undefined;
  const value = xmp.slice(start + XMP_KEY.length).split('"', 1)[0]!;
  try {
    return decodeURIComponent(value);
  } catch {
    return undefined;
  }
}

/** EXIF's UserComment (tag 0x9286 of the Exif directory), with its 8-byte name of the encoding. */
function userComment(exif: Buffer | undefined): string | undefined {
  if (exif === undefined) return undefined;
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
