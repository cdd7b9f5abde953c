// Kind, width and height of a picture, read from its bytes without decoding them: PNG, JPEG, GIF, WebP.

export interface PictureKind {
  readonly type: 'image/png' | 'image/jpeg' | 'image/gif' | 'image/webp';
  /** px, as the pixels are stored */
  readonly width: number;
  readonly height: number;
}

const ascii = (bytes: Buffer, from: number, to: number) => bytes.toString('latin1', from, to);

/** Undefined for anything that is not one of the four kinds. Sizes in px. */
export function pictureKind(bytes: Buffer): PictureKind | undefined {
  if (
    bytes.length >= 24 &&
    bytes.readUInt32BE(0) === 0x89504e47 &&
    ascii(bytes, 12, 16) === 'IHDR'
  ) {
    return { type: 'image/png', width: bytes.readUInt32BE(16), height: bytes.readUInt32BE(20) };
  }
  if (bytes.length >= 10 && /^GIF8[79]a$/.test(ascii(bytes, 0, 6))) {
    return { type: 'image/gif', width: bytes.readUInt16LE(6), height: bytes.readUInt16LE(8) };
  }
  if (bytes.length >= 30 && ascii(bytes, 0, 4) === 'RIFF' && ascii(bytes, 8, 12) === 'WEBP') {
    return webp(bytes);
  }
  if (bytes.length >= 4 && bytes.readUInt16BE(0) === 0xffd8) {
    return jpeg(bytes)?.kind;
  }
  return undefined;
}

/** Width and height as the picture is shown: a photograph may have been taken upright. */
export function shownSize(bytes: Buffer, { type, width, height }: PictureKind) {
  const turned = type === 'image/jpeg' && (jpeg(bytes)?.orientation ?? 1) >= 5;
  return turned ? { width: height, height: width } : { width, height };
}

/**
 * False for a file that was cut off on its way. What stands behind its end does not count: cameras
 * put things there. (A GIF says nothing of its length; its frames tell when they are decoded.)
 */
export function isWhole(bytes: Buffer, { type }: PictureKind): boolean {
  switch (type) {
    case 'image/png':
      return pngEnds(bytes);
    case 'image/webp':
      return bytes.readUInt32LE(4) + 8 <= bytes.length;
    case 'image/jpeg':
      // Past the start of frame: a thumbnail before it has an end of its own.
      return bytes.lastIndexOf(Buffer.from([0xff, 0xd9])) > (jpeg(bytes)?.frameAt ?? 0);
    case 'image/gif':
      return true;
  }
}

/** 'IEND' */
const PNG_END = 0x49454e44;

/** Chunks of a length, a name, that many bytes and a checksum, up to IEND. */
function pngEnds(bytes: Buffer): boolean {
  let at = 8;
  while (at + 12 <= bytes.length) {
    const next = at + 12 + bytes.readUInt32BE(at);
    if (bytes.readUInt32BE(at + 4) === PNG_END) return next <= bytes.length;
    at = next;
  }
  return false;
}

/** RFC 9649: three kinds of first chunk, each with its own place for the size. */
function webp(bytes: Buffer): PictureKind | undefined {
  const type = 'image/webp';
  switch (ascii(bytes, 12, 16)) {
    case 'VP8X':
      return { type, width: bytes.readUIntLE(24, 3) + 1, height: bytes.readUIntLE(27, 3) + 1 };
    case 'VP8L': {
      const bits = bytes.readUInt32LE(21);
      return { type, width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 };
    }
    case 'VP8 ':
      return {
        type,
        width: bytes.readUInt16LE(26) & 0x3fff,
        height: bytes.readUInt16LE(28) & 0x3fff,
      };
    default:
      return undefined;
  }
}

interface Jpeg {
  readonly kind: PictureKind;
  /** EXIF's, 1 to 8; from 5 on width and height are exchanged */
  readonly orientation: number;
  /** where the start of frame stands */
  readonly frameAt: number;
}

/** Walks the segments up to the start of frame (C0 to CF without the tables C4, C8, CC). */
function jpeg(bytes: Buffer): Jpeg | undefined {
  let at = 2;
  let orientation = 1;
  while (at + 9 < bytes.length && bytes[at] === 0xff) {
    const marker = bytes[at + 1] as number;
    const length = bytes.readUInt16BE(at + 2);
    if (marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc) {
      const kind = {
        type: 'image/jpeg',
        height: bytes.readUInt16BE(at + 5),
        width: bytes.readUInt16BE(at + 7),
      } as const;
      return { kind, orientation, frameAt: at };
    }
    if (marker === 0xe1 && ascii(bytes, at + 4, at + 10) === 'Exif\0\0') {
      orientation = exifOrientation(bytes.subarray(at + 10, at + 2 + length)) ?? orientation;
    }
    at += 2 + length;
  }
  return undefined;
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
