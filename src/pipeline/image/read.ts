// Pictures that users send: decoded within limits, brought to the size that is painted.

import sharp, { type Metadata } from 'sharp';
import { UserError } from '../../errors.js';
import { pictureKind } from '../../image-size.js';
import { kindOf, memoryOf } from '../providers.js';
import type { FloatTensor, InitImage, RgbImage } from '../types.js';
import { type Box, middle, resample, type Size } from './resample.js';

/** Pixels that a sent picture may have: more than any camera in a telephone, less than a bomb. */
const MAX_PIXELS = 120_000_000;
/** Pictures beyond this are made smaller by the decoder before they are resized exactly. */
const LARGE_PIXELS = 16_000_000;
/** bytes that a decoder may hold of one picture where it has to hold all of it */
const MAX_HELD = 256_000_000;
/** seconds that decoding and resizing a picture and its mask may take together */
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
 * An init image and its mask as tensors, resized as diffusers resizes them, but not stretched: the
 * picture fills width x height and is cropped evenly at what is too much; the mask is laid over the
 * picture and cropped with it. Only what its sides have beyond whole latents is not cropped but
 * squeezed in, as in diffusers, whose pictures are then the same. The first frame of an animation is taken; EXIF orientation is heeded;
 * transparent parts of the image become white, those of the mask black.
 * @param width px
 * @param height px
 * @param latent px per latent; absent: nothing is squeezed in
 * @param seconds that both may take together
 * @throws UserError 'bad-image', 'image-too-large', 'image-slow' or 'out-of-memory'
 */
export async function readInit(
  { image, mask }: InitImage,
  width: number,
  height: number,
  latent = 1,
  seconds = TIMEOUT,
): Promise<InitPixels> {
  const deadline = performance.now() + 1000 * seconds;
  const to = { width, height };
  const from = await inspect(image, 'init image');
  const picture = await decoded(image, '#ffffff', 'init image', to, deadline);
  const shown = partShown(from, to, latent);
  /** that part of a picture of any other size */
  const sized = ({ data, ...own }: RgbImage): Uint8Array => {
    // Multiplied first: the edges of the one are then exactly those of the other.
    const across = (x: number) => (x * own.width) / from.width;
    const down = (y: number) => (y * own.height) / from.height;
    const { left, top, right, bottom } = shown;
    const box = { left: across(left), top: down(top), right: across(right), bottom: down(bottom) };
    return resample(data, own, box, to);
  };
  const pictures = { image: normalised(sized(picture), width, height) };
  if (mask === undefined) return pictures;
  await inspect(mask, 'mask');
  const drawn = await decoded(mask, '#000000', 'mask', to, deadline);
  return { ...pictures, mask: binary(sized(drawn), width, height) };
}

/** The middle of a picture, or all of it where its sides are longer by less than a latent. */
function partShown(from: Size, to: Size, latent: number): Box {
  const over = [from.width - to.width, from.height - to.height];
  return over.every((rest) => rest >= 0 && rest < latent)
    ? { left: 0, top: 0, right: from.width, bottom: from.height }
    : middle(from, to);
}

/** The size of a picture as it is shown, px. @throws UserError 'bad-image' or 'image-too-large' */
export async function imageSize(bytes: Uint8Array, what: What = 'init image'): Promise<Size> {
  return inspect(bytes, what);
}

type What = 'init image' | 'mask';

async function inspect(bytes: Uint8Array, what: What): Promise<Size> {
  // First: other formats have decoders of their own, some of which take for ever.
  const kind = pictureKind(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  const metadata =
    kind === undefined
      ? undefined
      : await sharp(bytes, { limitInputPixels: false })
          .metadata()
          .catch(() => undefined);
  if (metadata === undefined) throw bad(what);
  const { width, height } = metadata.autoOrient;
  const most = Math.min(MAX_PIXELS, MAX_HELD / heldPerPixel(metadata));
  if (width * height > most) {
    const max = Math.floor(most / 1_000_000);
    throw new UserError(
      'image-too-large',
      `The ${what} has ${width}x${height} pixels; at most ${max} million are allowed.`,
      { what, width, height, max },
    );
  }
  return { width, height };
}

/**
 * bytes per pixel that a decoder holds of the whole picture; 0 where it goes through it by rows or
 * makes it smaller on the way (a PNG of 1.4 MB cost 1.2 GB and 50 s)
 */
function heldPerPixel(metadata: Metadata): number {
  const { format, channels, depth, isProgressive, pages = 1, chromaSubsampling } = metadata;
  switch (format) {
    case 'png':
      // By rows with 16 bits too, but these take ten times as long.
      return isProgressive || depth === 'ushort' ? channels * (depth === 'ushort' ? 2 : 1) : 0;
    case 'jpeg':
      // Coefficients of 16 bits, until the last scan is here.
      return isProgressive ? 2 * (chromaSubsampling === '4:2:0' ? 1.5 : channels) : 0;
    case 'gif':
      return 4;
    default:
      // Each frame of an animation is laid on a canvas.
      return pages > 1 ? 4 : 0;
  }
}

const bad = (what: What) =>
  new UserError('bad-image', `The ${what} must be a whole PNG, JPEG, WebP or GIF file.`, { what });

/**
 * 8-bit sRGB, row-major. Very large pictures are made smaller on the way, to no less than four times
 * the size that is wanted: that spares memory, and no eye can tell.
 */
async function decoded(
  bytes: Uint8Array,
  background: string,
  what: What,
  { width, height }: Size,
  deadline: number,
): Promise<RgbImage> {
  try {
    const options = { limitInputPixels: MAX_PIXELS, failOn: 'error' } as const;
    const { autoOrient, icc } = await sharp(bytes, options).metadata();
    // A profile of the very space that is wanted would only round every pixel once more.
    const ignoreIcc = icc !== undefined && namesSrgb(icc);
    let picture = sharp(bytes, { ...options, ignoreIcc })
      .autoOrient()
      .flatten({ background });
    if (autoOrient.width * autoOrient.height > LARGE_PIXELS) {
      const size = { width: 4 * width, height: 4 * height };
      picture = picture.resize({ ...size, fit: 'outside', withoutEnlargement: true });
    }
    const { data, info } = await picture
      .toColourspace('srgb')
      .timeout({ seconds: left(deadline, what) })
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    if (info.channels !== 3) throw new Error(`${info.channels} channels`);
    return { data, width: info.width, height: info.height };
  } catch (error) {
    throw failure(error, what);
  }
}

/** Whole seconds until then. @throws UserError 'image-slow' when there are none */
function left(deadline: number, what: What): number {
  const ms = deadline - performance.now();
  if (ms <= 0) throw slow(what);
  return Math.ceil(ms / 1000);
}

const slow = (what: What) =>
  new UserError('image-slow', `Reading the ${what} took too long; send a smaller file.`, { what });

/** What a decoder's error means to whoever sent the file. */
export function failure(error: unknown, what: What): UserError {
  if (error instanceof UserError) return error;
  if (error instanceof Error && /^timeout: /.test(error.message)) return slow(what);
  if (kindOf(error) !== 'memory') return bad(what);
  return new UserError(
    'out-of-memory',
    `The ${what} does not fit into ${memoryOf('cpu')}; send a smaller file.`,
    { provider: 'cpu' },
  );
}

/** Whether a colour profile calls itself sRGB, in the ASCII of version 2 or the UTF-16 of version 4. */
function namesSrgb(icc: Buffer): boolean {
  return icc.includes('sRGB') || icc.includes(Buffer.from('sRGB', 'utf16le').swap16());
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
