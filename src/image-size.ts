// Kind, width and height of a picture, read from its bytes without decoding them: PNG, JPEG, GIF, WebP.
// The bot's own loop does this to whatever strangers send, so that no file may take long.

import { setImmediate as nextTurn } from 'node:timers/promises';

export interface PictureKind {
  readonly type: 'image/png' | 'image/jpeg' | 'image/gif' | 'image/webp';
  /** px, as the pixels are stored */
  readonly width: number;
  readonly height: number;
  /** EXIF's of a JPEG, 1 to 8: from 5 on it is shown with width and height exchanged */
  readonly orientation?: number;
  /** where a JPEG's start of frame stands */
  readonly frameAt?: number;
}

const ascii = (bytes: Buffer, from: number, to: number) => bytes.toString('latin1', from, to);

/** A name of four letters as the number that its bytes are, big-endian. */
export const fourLetters = (name: string): number => Buffer.from(name, 'latin1').readUInt32BE(0);

const PNG_SIGNATURE = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');
const PNG_HEADER = fourLetters('IHDR');
const PNG_END = fourLetters('IEND');
/** the byte that ends a JPEG's header: behind it stand the pixels */
const START_OF_SCAN = 0xda;
/** "Exif", the beginning of a JPEG segment that holds EXIF */
const EXIF = fourLetters('Exif');

/**
 * Undefined for anything that is not one of the four kinds, by their whole signatures. Nothing
 * else may reach a decoder: a text that is laid out as an SVG takes for ever. Sizes in px.
 */
export function pictureKind(bytes: Buffer): PictureKind | undefined {
  if (
    bytes.length >= 24 &&
    bytes.subarray(0, 8).equals(PNG_SIGNATURE) &&
    bytes.readUInt32BE(12) === PNG_HEADER
  ) {
    return { type: 'image/png', width: bytes.readUInt32BE(16), height: bytes.readUInt32BE(20) };
  }
  if (bytes.length >= 10 && /^GIF8[79]a$/.test(ascii(bytes, 0, 6))) {
    return { type: 'image/gif', width: bytes.readUInt16LE(6), height: bytes.readUInt16LE(8) };
  }
  if (bytes.length >= 30 && ascii(bytes, 0, 4) === 'RIFF' && ascii(bytes, 8, 12) === 'WEBP') {
    return webp(bytes);
  }
  if (bytes.length >= 4 && bytes.readUIntBE(0, 3) === 0xffd8ff) return jpeg(bytes);
  return undefined;
}

/** Width and height as the picture is shown: a photograph may have been taken upright. */
export function shownSize({ width, height, orientation = 1 }: PictureKind) {
  return orientation >= 5 ? { width: height, height: width } : { width, height };
}

/**
 * False for a file that was cut off on its way. What stands behind its end does not count: cameras
 * put things there. (A GIF says nothing of its length; its frames tell when they are decoded.)
 */
export async function isWhole(bytes: Buffer, { type, frameAt }: PictureKind): Promise<boolean> {
  switch (type) {
    case 'image/png':
      for (const { name, to } of pieces(bytes, type)) {
        if (name === PNG_END) return to + CHECKSUM <= bytes.length;
      }
      return false;
    case 'image/webp':
      return bytes.readUInt32LE(4) + 8 <= bytes.length;
    case 'image/jpeg':
      // Past the start of frame: a thumbnail before it has an end of its own.
      return hasEnd(bytes, frameAt ?? 0);
    case 'image/gif':
      return true;
  }
}

/** bytes that are searched before the event loop turns: some ms where every one is half an end */
const SLICE = 1 << 18;

/** Whether a JPEG's end (FF D9) stands behind `from`, looked for from the back. */
async function hasEnd(bytes: Buffer, from: number): Promise<boolean> {
  const end = Buffer.from([0xff, 0xd9]);
  for (let to = bytes.length; to > from; to -= SLICE) {
    // One byte more than a slice: an end may stand across two.
    const slice = bytes.subarray(Math.max(from + 1, to - SLICE), to + 1);
    if (slice.lastIndexOf(end) >= 0) return true;
    await nextTurn();
  }
  return false;
}

/** A chunk of a PNG or a WebP, or a segment of a JPEG. */
export interface Piece {
  /** `fourLetters` of the chunk's name; a JPEG segment's marker without its FF */
  readonly name: number;
  /** where its content begins and ends; the end of a file that was cut off may come before */
  readonly from: number;
  readonly to: number;
}

/** of a PNG's chunk, bytes */
const CHECKSUM = 4;
/**
 * Pieces of a file that are looked at: some tens of ms at worst. A PNG of 25 MiB has 3200 in libpng's
 * chunks of 8 KiB, the other kinds have fewer; strangers may send millions of empty ones.
 */
const MOST_PIECES = 1 << 14;

/** What a file is made of, in its order; of a JPEG what stands before its pixels. */
export function* pieces(bytes: Buffer, type: PictureKind['type']): Generator<Piece, void, void> {
  let at = { 'image/png': 8, 'image/webp': 12, 'image/jpeg': 2, 'image/gif': Infinity }[type];
  for (let count = 0; count < MOST_PIECES && at + 8 <= bytes.length; count++) {
    if (type === 'image/jpeg') {
      if (bytes[at] !== 0xff) return;
      const name = bytes[at + 1] as number;
      if (name === 0xff) {
        at += 1; // a filling byte
        continue;
      }
      const length = bytes.readUInt16BE(at + 2);
      if (length < 2) return; // its own two bytes count
      const to = at + 2 + length;
      yield { name, from: at + 4, to };
      if (name === START_OF_SCAN) return;
      at = to;
    } else {
      const [name, length] =
        type === 'image/png'
          ? [bytes.readUInt32BE(at + 4), bytes.readUInt32BE(at)]
          : [bytes.readUInt32BE(at), bytes.readUInt32LE(at + 4)];
      const to = at + 8 + length;
      yield { name, from: at + 8, to };
      // A chunk of a WebP is filled up to an even length.
      at = type === 'image/png' ? to + CHECKSUM : to + (length % 2);
    }
  }
}

/** RFC 9649: three kinds of first chunk, each with its own place for the size. */
function webp(bytes: Buffer): PictureKind | undefined {
  const type = 'image/webp';
  switch (ascii(bytes, 12, 16)) {
    case 'VP8X':
      if (bytes.readUInt32LE(16) !== 10) return undefined;
      return { type, width: bytes.readUIntLE(24, 3) + 1, height: bytes.readUIntLE(27, 3) + 1 };
    case 'VP8L': {
      if (bytes[20] !== 0x2f) return undefined;
      const bits = bytes.readUInt32LE(21);
      return { type, width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 };
    }
    case 'VP8 ':
      if (bytes.readUIntBE(23, 3) !== 0x9d012a) return undefined;
      return {
        type,
        width: bytes.readUInt16LE(26) & 0x3fff,
        height: bytes.readUInt16LE(28) & 0x3fff,
      };
    default:
      return undefined;
  }
}

/** Looks for the start of frame (C0 to CF without the tables C4, C8, CC). */
function jpeg(bytes: Buffer): PictureKind | undefined {
  /** The first EXIF's, as decoders have it: a file may hold any number of them. */
  let orientation: number | undefined;
  for (const { name, from, to } of pieces(bytes, 'image/jpeg')) {
    if (name >= 0xc0 && name <= 0xcf && name !== 0xc4 && name !== 0xc8 && name !== 0xcc) {
      if (from + 5 > bytes.length) return undefined;
      const height = bytes.readUInt16BE(from + 1);
      const width = bytes.readUInt16BE(from + 3);
      const frameAt = from - 4;
      return { type: 'image/jpeg', width, height, orientation: orientation ?? 1, frameAt };
    }
    if (name === 0xe1 && orientation === undefined && isExif(bytes, from)) {
      orientation = exifOrientation(bytes.subarray(from + 6, to)) ?? 1;
    }
  }
  return undefined;
}

/** Whether the content of a JPEG's segment APP1 is EXIF. */
export function isExif(bytes: Buffer, from: number): boolean {
  return (
    from + 6 <= bytes.length &&
    bytes.readUInt32BE(from) === EXIF &&
    bytes.readUInt16BE(from + 4) === 0
  );
}

/** Tag 0x0112 of the first directory of a TIFF header. */
function exifOrientation(tiff: Buffer): number | undefined {
  try {
    const little = ascii(tiff, 0, 2) === 'II';
    const u16 = (at: number) => (little ? tiff.readUInt16LE(at) : tiff.readUInt16BE(at));
    const directory = little ? tiff.readUInt32LE(4) : tiff.readUInt32BE(4);
    for (let entry = 0; entry < u16(directory); entry++) {
      const at = directory + 2 + 12 * entry;
      if (u16(at) === 0x0112) return u16(at + 8);
    }
    return undefined;
  } catch (error) {
    if (error instanceof RangeError) return undefined; // it points beyond its end
    throw error;
  }
}
