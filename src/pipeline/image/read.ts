// Pictures that users send: decoded within limits, brought to the size that is painted.

import sharp, { type Sharp } from 'sharp';
import { UserError } from '../../errors.js';
import type { FloatTensor, InitImage } from '../types.js';

/** Pixels that a sent picture may have: more than any camera in a telephone, less than a bomb. */
const MAX_PIXELS = 120_000_000;
/** seconds that decoding and resizing one picture may take */
const TIMEOUT = 30;
/** A grey level from here on is white. */
const WHITE = 128;

export interface InitPixels {
  /** [1, 3, height, width] in [-1, 1] */
  readonly image: FloatTensor;
  /** [1, 1, height, width], 1 where the picture is painted anew and 0 where it is kept */
  readonly mask?: FloatTensor;
}

/**
 * An init image and its mask as tensors. The picture fills width x height and is cropped evenly at
 * what is too much; the mask is laid over the picture and cropped with it. The first frame of an
 * animation is taken; EXIF orientation is heeded; transparent parts of the image become white, those
 * of the mask black.
 * @param width px
 * @param height px
 * @throws UserError 'bad-image' or 'image-too-large'
 */
export async function readInit(
  { image, mask }: InitImage,
  width: number,
  height: number,
): Promise<InitPixels> {
  const from = await inspect(image, 'init image');
  const rgb = await pixels(cover(opened(image, '#ffffff'), from, { width, height }), 'init image');
  const pictures = { image: normalised(rgb, width, height) };
  if (mask === undefined) return pictures;
  const over = await inspect(mask, 'mask');
  let drawn = opened(mask, '#000000');
  // A mask of other proportions is stretched over the picture, then cropped as the picture is.
  if (over.width * from.height !== over.height * from.width) {
    const { width: w, height: h } = shrunk(from);
    drawn = sharp(await pixels(drawn.resize({ width: w, height: h, fit: 'fill' }), 'mask'), {
      raw: { width: w, height: h, channels: 3 },
    });
    drawn = cover(drawn, { width: w, height: h }, { width, height });
  } else drawn = cover(drawn, over, { width, height });
  return { ...pictures, mask: binary(await pixels(drawn, 'mask'), width, height) };
}

/** The size of a picture as it is shown, px. @throws UserError 'bad-image' or 'image-too-large' */
export async function imageSize(bytes: Uint8Array, what: What = 'init image'): Promise<Size> {
  return inspect(bytes, what);
}

type What = 'init image' | 'mask';
interface Size {
  readonly width: number;
  readonly height: number;
}

/** Only what browsers show as photographs: other formats have loaders that nobody needs here. */
function known(bytes: Uint8Array): boolean {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(12, bytes.byteLength));
  return (
    head.subarray(0, 4).equals(Buffer.from([0x89, 0x50, 0x4e, 0x47])) ||
    head.subarray(0, 3).equals(Buffer.from([0xff, 0xd8, 0xff])) ||
    head.toString('latin1', 0, 4) === 'GIF8' ||
    (head.toString('latin1', 0, 4) === 'RIFF' && head.toString('latin1', 8, 12) === 'WEBP')
  );
}

async function inspect(bytes: Uint8Array, what: What): Promise<Size> {
  const metadata = known(bytes)
    ? await sharp(bytes, { limitInputPixels: false })
        .metadata()
        .catch(() => undefined)
    : undefined;
  if (metadata === undefined) throw bad(what);
  const { width, height } = metadata.autoOrient;
  if (width * height > MAX_PIXELS) {
    const max = MAX_PIXELS / 1_000_000;
    throw new UserError(
      'image-too-large',
      `The ${what} has ${width}x${height} pixels; at most ${max} million are allowed.`,
      { what, width, height, max },
    );
  }
  return { width, height };
}

const bad = (what: What) =>
  new UserError('bad-image', `The ${what} must be a whole PNG, JPEG, WebP or GIF file.`, { what });

function opened(bytes: Uint8Array, background: string): Sharp {
  return sharp(bytes, { limitInputPixels: MAX_PIXELS, failOn: 'error' })
    .autoOrient()
    .flatten({ background });
}

function cover(picture: Sharp, from: Size, { width, height }: Size): Sharp {
  // Pixels that fit already stay as they are.
  if (from.width === width && from.height === height) return picture;
  return picture.resize({ width, height, fit: 'cover', position: 'centre', kernel: 'lanczos3' });
}

/** The proportions of a picture with no more than about a million pixels. */
function shrunk({ width, height }: Size): Size {
  const scale = Math.min(1, Math.sqrt(1_000_000 / (width * height)));
  const side = (px: number) => Math.max(1, Math.round(px * scale));
  return { width: side(width), height: side(height) };
}

/** 8-bit sRGB, row-major. */
async function pixels(picture: Sharp, what: What): Promise<Buffer> {
  try {
    const { data, info } = await picture
      .toColourspace('srgb')
      .timeout({ seconds: TIMEOUT })
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    if (info.channels === 3) return data;
    if (info.channels !== 1) throw new Error(`${info.channels} channels`);
    return Buffer.from(Uint8Array.from({ length: 3 * data.length }, (_, i) => data[(i / 3) | 0]!));
  } catch {
    throw bad(what);
  }
}

/** As diffusers' VaeImageProcessor: 8 bits to [-1, 1] in float32. */
function normalised(rgb: Uint8Array, width: number, height: number): FloatTensor {
  const plane = width * height;
  const data = new Float32Array(3 * plane);
  for (let i = 0; i < plane; i++) {
    for (let c = 0; c < 3; c++) {
      data[c * plane + i] = Math.fround(2 * Math.fround(rgb[3 * i + c]! / 255)) - 1;
    }
  }
  return { data, dims: [1, 3, height, width] };
}

/** Luma as Pillow computes it (ITU-R 601 in 16-bit fixed point), then black or white. */
function binary(rgb: Uint8Array, width: number, height: number): FloatTensor {
  const plane = width * height;
  const data = new Float32Array(plane);
  for (let i = 0; i < plane; i++) {
    const [r, g, b] = [rgb[3 * i]!, rgb[3 * i + 1]!, rgb[3 * i + 2]!];
    const luma = (19595 * r + 38470 * g + 7471 * b + 0x8000) >> 16;
    data[i] = luma >= WHITE ? 1 : 0;
  }
  return { data, dims: [1, 1, height, width] };
}
