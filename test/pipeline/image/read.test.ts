// Pictures as users send them: what becomes of them, and what is refused.

import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { UserError } from '../../../src/errors.js';
import { failure, imageSize, readInit } from '../../../src/pipeline/image/read.js';
import { resample } from '../../../src/pipeline/image/resample.js';
import { kindOf } from '../../../src/pipeline/providers.js';
import type { FloatTensor } from '../../../src/pipeline/types.js';

/** Raw RGB by a function of the place. */
function raw(width: number, height: number, at: (x: number, y: number) => number[]) {
  const channels = at(0, 0).length as 3 | 4;
  const data = Buffer.from(
    Array.from({ length: width * height }, (_, i) => at(i % width, Math.floor(i / width))).flat(),
  );
  return sharp(data, { raw: { width, height, channels } });
}
const halves = (width: number, height: number) =>
  raw(width, height, (x) => (x < width / 2 ? [255, 0, 0] : [0, 0, 255]));

/** The 8-bit colour at a place of a tensor in [-1, 1]. */
function colour({ data, dims }: FloatTensor, x: number, y: number): number[] {
  const [, channels, height, width] = dims as [number, number, number, number];
  return Array.from({ length: channels }, (_, c) =>
    Math.round((data[(c * height + y) * width + x]! + 1) * 127.5),
  );
}

describe('an init image', () => {
  it('that fits stays as it is, to the bit, in [-1, 1]', async () => {
    const image = await raw(64, 40, (x, y) => [x, y, 255 - x])
      .png()
      .toBuffer();
    const { image: tensor, mask } = await readInit({ image }, 64, 40);
    expect(mask).toBeUndefined();
    expect(tensor.dims).toEqual([1, 3, 40, 64]);
    for (const [x, y] of [
      [0, 0],
      [63, 39],
      [17, 5],
    ] as const) {
      const at = (c: number) => tensor.data[(c * 40 + y) * 64 + x];
      const level = (v: number) => Math.fround(Math.fround(2 * Math.fround(v / 255)) - 1);
      expect([at(0), at(1), at(2)]).toEqual([level(x), level(y), level(255 - x)]);
    }
  });

  it('fills another size and is cropped evenly, never stretched', async () => {
    const image = await raw(300, 100, (x) => [
      x < 100 ? 255 : 0,
      x >= 100 && x < 200 ? 255 : 0,
      x >= 200 ? 255 : 0,
    ])
      .png()
      .toBuffer();
    const { image: tensor } = await readInit({ image }, 64, 64);
    expect(colour(tensor, 10, 32)).toEqual([0, 255, 0]);
    expect(colour(tensor, 54, 32)).toEqual([0, 255, 0]);
  });

  it.each(['png', 'jpeg', 'webp', 'gif'] as const)('may be a %s', async (format) => {
    const image = await halves(80, 64).toFormat(format, { quality: 100 }).toBuffer();
    const { image: tensor } = await readInit({ image }, 80, 64);
    const [r, , b] = colour(tensor, 5, 30);
    expect(r).toBeGreaterThan(245);
    expect(b).toBeLessThan(10);
    expect(await imageSize(image)).toEqual({ width: 80, height: 64 });
  });

  it('is turned as its EXIF orientation says', async () => {
    const image = await halves(80, 64)
      .jpeg({ quality: 100 })
      .withMetadata({ orientation: 6 })
      .toBuffer();
    expect(await imageSize(image)).toEqual({ width: 64, height: 80 });
    const { image: tensor } = await readInit({ image }, 64, 80);
    expect(colour(tensor, 32, 5)[0]).toBeGreaterThan(240); // left is now above
    expect(colour(tensor, 32, 75)[2]).toBeGreaterThan(240);
  });

  it('has white for what is transparent; grey and 16-bit files work', async () => {
    const clear = await raw(64, 64, (x) => [10, 20, 30, x < 32 ? 0 : 255])
      .png()
      .toBuffer();
    const { image: tensor } = await readInit({ image: clear }, 64, 64);
    expect(colour(tensor, 3, 3)).toEqual([255, 255, 255]);
    expect(colour(tensor, 60, 3)).toEqual([10, 20, 30]);
    for (const image of [
      await halves(64, 64).greyscale().toColourspace('b-w').png().toBuffer(),
      await halves(64, 64).toColourspace('rgb16').png().toBuffer(),
    ]) {
      expect((await readInit({ image }, 64, 64)).image.dims).toEqual([1, 3, 64, 64]);
    }
  });

  it('keeps its pixels under an sRGB profile, and is brought into sRGB from another one', async () => {
    const plain = raw(64, 64, (x, y) => [4 * x, 4 * y, 128]);
    const bare = await plain.clone().png().toBuffer();
    const tagged = await plain.clone().withIccProfile('srgb').png().toBuffer();
    expect((await sharp(tagged).metadata()).hasProfile).toBe(true);
    const wide = await plain.clone().withIccProfile('p3').png().toBuffer();
    const of = async (image: Buffer) => (await readInit({ image }, 64, 64)).image.data;
    expect(await of(tagged)).toEqual(await of(bare));
    const converted = await of(wide);
    const pixels = await of(bare);
    // sharp wrote the same colours in other numbers; read back they are nearly the same again.
    const most = converted.reduce((far, v, i) => Math.max(far, Math.abs(v - pixels[i]!)), 0);
    expect(most).toBeLessThan(0.1);
  });

  it('may be in CMYK', async () => {
    const image = await halves(64, 64).toColourspace('cmyk').jpeg({ quality: 100 }).toBuffer();
    expect((await sharp(image).metadata()).space).toBe('cmyk');
    const [r, , b] = colour((await readInit({ image }, 64, 64)).image, 5, 5);
    expect(r).toBeGreaterThan(b!);
  });

  it('of an animation is its first frame', async () => {
    const frames = [halves(64, 64), raw(64, 64, () => [0, 255, 0])];
    const image = await sharp(await Promise.all(frames.map((f) => f.png().toBuffer())), {
      join: { animated: true },
    })
      .gif()
      .toBuffer();
    expect((await sharp(image).metadata()).pages).toBe(2);
    const { image: tensor } = await readInit({ image }, 64, 64);
    expect(colour(tensor, 3, 3)[0]).toBeGreaterThan(240);
  });
});

describe('what an image has beyond whole latents', () => {
  const odd = halves(70, 67).png().toBuffer();
  const whole = async (latent: number) =>
    (await readInit({ image: await odd }, 64, 64, latent)).image;

  it('is squeezed in, as diffusers does, and cropped where it is more', async () => {
    const { data, info } = await sharp(await odd)
      .removeAlpha()
      .raw()
      .toBuffer({ resolveWithObject: true });
    const box = { left: 0, top: 0, right: 70, bottom: 67 };
    const squeezed = resample(data, info, box, { width: 64, height: 64 });
    const level = (tensor: FloatTensor, i: number) => Math.round((tensor.data[i]! / 2 + 0.5) * 255);
    const red = (tensor: FloatTensor) =>
      Array.from({ length: 64 * 64 }, (_, i) => level(tensor, i));
    const expected = Array.from({ length: 64 * 64 }, (_, i) => squeezed[3 * i]!);
    expect(red(await whole(8))).toEqual(expected);
    expect(red(await whole(4))).not.toEqual(expected);
  });
});

describe('a mask', () => {
  const image = halves(96, 64).png().toBuffer();
  const maskOf = async (mask: Buffer) =>
    (await readInit({ image: await image, mask }, 96, 64)).mask!;

  it('is white from half on, by luma, and black where it is transparent', async () => {
    const mask = await raw(96, 64, (x) => {
      if (x < 24) return [127, 127, 127, 255];
      if (x < 48) return [128, 128, 128, 255];
      if (x < 72) return [255, 0, 0, 255]; // luma 76
      return [255, 255, 255, 0];
    })
      .png()
      .toBuffer();
    const { data, dims } = await maskOf(mask);
    expect(dims).toEqual([1, 1, 64, 96]);
    expect([0, 30, 60, 90].map((x) => data[x])).toEqual([0, 1, 0, 0]);
  });

  it.each([
    [48, 32],
    [192, 128],
    [64, 64],
  ])('of %dx%d is laid over the whole picture', async (width, height) => {
    const mask = await raw(width, height, (x) => (x < width / 2 ? [255, 255, 255] : [0, 0, 0]))
      .png()
      .toBuffer();
    const { data } = await maskOf(mask);
    expect([...new Set(data)].sort()).toEqual([0, 1]);
    expect(data[32 * 96 + 40]).toBe(1);
    expect(data[32 * 96 + 55]).toBe(0);
  });

  it('is cropped as the picture is', async () => {
    const wide = await halves(200, 64).png().toBuffer();
    const mask = await raw(200, 64, (x) => (x < 100 ? [255, 255, 255] : [0, 0, 0]))
      .png()
      .toBuffer();
    const { mask: tensor } = await readInit({ image: wide, mask }, 64, 64);
    expect(tensor!.data[31]).toBe(1);
    expect(tensor!.data[33]).toBe(0);
  });
});

describe('what is no picture is refused in one sentence', () => {
  const whole = halves(64, 64).png().toBuffer();
  const cases: readonly [string, () => Promise<Uint8Array>, string][] = [
    ['text', async () => Buffer.from('no picture at all, only words'), 'bad-image'],
    ['nothing', async () => new Uint8Array(), 'bad-image'],
    [
      'an SVG',
      async () => Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"><rect/></svg>'),
      'bad-image',
    ],
    ['half a PNG', async () => (await whole).subarray(0, 120), 'bad-image'],
    ['a damaged PNG', async () => damaged(await whole), 'bad-image'],
    ['a bomb', async () => bomb(await whole), 'image-too-large'],
  ];
  it.each(cases)('%s', async (_, make, identifier) => {
    const bytes = await make();
    for (const init of [{ image: bytes }, { image: await whole, mask: bytes }]) {
      const failure = await readInit(init, 64, 64).catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(UserError);
      expect(failure).toMatchObject({ identifier });
      expect((failure as UserError).message).toMatch(/^The (init image|mask) [^\n]+\.$/);
    }
  });

  function damaged(png: Buffer): Buffer {
    const bytes = Buffer.from(png);
    bytes.fill(0xaa, 60, bytes.length - 20);
    return bytes;
  }
  /** A header that promises 60000 x 60000 pixels. */
  const bomb = (png: Buffer): Buffer => promising(png, 60000, 60000);
});

/** A PNG whose header says other sides, and bits, than the picture has. */
function promising(png: Buffer, width: number, height: number, bits = png[24]!): Buffer {
  const bytes = Buffer.from(png);
  bytes.writeUInt32BE(width, 16);
  bytes.writeUInt32BE(height, 20);
  bytes[24] = bits;
  bytes.writeUInt32BE(crc(bytes.subarray(12, 29)), 29);
  return bytes;
}
function crc(bytes: Uint8Array): number {
  let value = 0xffffffff;
  for (const byte of bytes) {
    value ^= byte;
    for (let k = 0; k < 8; k++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  }
  return (value ^ 0xffffffff) >>> 0;
}

describe('what a decoder would have to hold whole may have fewer pixels', () => {
  const small = () => raw(16, 16, () => [10, 20, 30, 128]);
  const png = () => small().png().toBuffer();
  const interlaced = () => small().png({ progressive: true }).toBuffer();
  const jpeg = async (progressive: boolean, side: number) => {
    const options = { progressive, chromaSubsampling: '4:4:4' };
    const bytes = await small().removeAlpha().jpeg(options).toBuffer();
    const frame = bytes.indexOf(Buffer.from([0xff, progressive ? 0xc2 : 0xc0]));
    bytes.writeUInt16BE(side, frame + 5);
    bytes.writeUInt16BE(side, frame + 7);
    return bytes;
  };
  const gif = async (side: number) => {
    const bytes = await small().gif().toBuffer();
    // Of the screen and of its first frame, whose descriptor begins with a comma and its place.
    for (const at of [6, bytes.indexOf(Buffer.from([0x2c, 0, 0, 0, 0])) + 5]) {
      bytes.writeUInt16LE(side, at);
      bytes.writeUInt16LE(side, at + 2);
    }
    return bytes;
  };

  it.each<[string, () => Promise<Buffer>, number]>([
    ['an interlaced PNG', async () => promising(await interlaced(), 8100, 8100), 64],
    ['a PNG with 16 bits', async () => promising(await png(), 5700, 5700, 16), 32],
    ['both at once', async () => promising(await interlaced(), 10_900, 10_900, 16), 32],
    ['a progressive JPEG', () => jpeg(true, 6600), 42],
    ['a GIF', () => gif(8100), 64],
  ])('%s', async (_name, make, max) => {
    const file = await make();
    const image = await png();
    for (const init of [{ image: file }, { image, mask: file }]) {
      await expect(readInit(init, 64, 64)).rejects.toMatchObject({
        identifier: 'image-too-large',
        context: { max },
      });
    }
  });

  it('and what is gone through by rows may have as many as ever', async () => {
    const by = { width: 10_900, height: 10_900 };
    expect(await imageSize(promising(await png(), 10_900, 10_900))).toEqual(by);
    expect(await imageSize(await jpeg(false, 10_900))).toEqual(by);
    const less = { width: 5000, height: 5000 };
    expect(await imageSize(promising(await interlaced(), 5000, 5000, 16))).toEqual(less);
  });
});

describe('a picture that cannot be read', () => {
  it('in the time there is for it and its mask is told to be slow, not broken', async () => {
    const image = await halves(64, 64).png().toBuffer();
    await expect(readInit({ image, mask: image }, 64, 64, 8, 0)).rejects.toMatchObject({
      identifier: 'image-slow',
      message: 'Reading the init image took too long; send a smaller file.',
    });
  });

  it('is told apart by why', () => {
    const slow = failure(new Error('timeout: 42% complete'), 'mask');
    expect(slow).toMatchObject({ identifier: 'image-slow', context: { what: 'mask' } });
    const memory = failure(new Error('out of memory --- size == 900MB'), 'mask');
    expect(memory.identifier).toBe('out-of-memory');
    expect(kindOf(memory)).toBe('memory');
    const broken = failure(new Error('Input buffer has corrupt header'), 'mask');
    expect(broken.identifier).toBe('bad-image');
  });
});
