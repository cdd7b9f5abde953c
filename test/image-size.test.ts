// What a picture's bytes tell without being decoded, also of files that are made to take for ever.

import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { isWhole, pictureKind, pieces, shownSize } from '../src/image-size.js';

const MB = 2 ** 20;

async function picture(type: 'png' | 'jpeg' | 'webp' | 'gif'): Promise<Buffer> {
  return sharp({ create: { width: 48, height: 32, channels: 3, background: '#345678' } })
    .toFormat(type)
    .toBuffer();
}

/** A JPEG's segment with EXIF in it: an orientation, or nothing at all. */
function exif(orientation?: number): Buffer {
  const name = Buffer.from('Exif\0\0', 'latin1');
  const tiff = Buffer.from(
    'MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\0\0\0\0\0\0\0',
    'latin1',
  );
  if (orientation !== undefined) tiff.writeUInt16BE(orientation, 18);
  const content = orientation === undefined ? name : Buffer.concat([name, tiff]);
  const head = Buffer.from([0xff, 0xe1, 0, content.length + 2]);
  return Buffer.concat([head, content]);
}

/** A JPEG with segments before all of its own. */
const jpegWith = async (...segments: Buffer[]): Promise<Buffer> => {
  const plain = await picture('jpeg');
  return Buffer.concat([plain.subarray(0, 2), ...segments, plain.subarray(2)]);
};

describe('the kind of a picture', () => {
  it.each(['png', 'jpeg', 'webp', 'gif'] as const)('%s is known with its size', async (type) => {
    const bytes = await picture(type);
    const kind = pictureKind(bytes);
    expect(kind).toMatchObject({ type: `image/${type}`, width: 48, height: 32 });
    expect(kind && (await isWhole(bytes, kind))).toBe(true);
  });

  it.each(['lossless', 'alpha'])('a WebP of the kind %s is known', async (name) => {
    const background = name === 'alpha' ? { r: 9, g: 8, b: 7, alpha: 0.5 } : '#123456';
    const channels = name === 'alpha' ? 4 : 3;
    const bytes = await sharp({ create: { width: 48, height: 32, channels, background } })
      .webp({ lossless: name === 'lossless' })
      .toBuffer();
    expect(pictureKind(bytes)).toMatchObject({ type: 'image/webp', width: 48, height: 32 });
  });

  it.each([
    ['an SVG', '<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><rect/></svg>'],
    ['an SVG that begins nearly as a GIF', 'GIF8xx <svg xmlns="http://www.w3.org/2000/svg"/>'],
    ['an SVG that begins nearly as a PNG', '\x89PNG<svg>IHDR<rect width="8"/></svg>       '],
    ['an SVG that begins nearly as a WebP', 'RIFFaaaaWEBPVP8X<svg xmlns="http://"/>     '],
    ['a TIFF', 'II*\0\x08\0\0\0                                '],
    ['a PDF', '%PDF-1.7                                   '],
  ])('%s is none', (_name, text) => {
    expect(pictureKind(Buffer.from(text, 'latin1'))).toBeUndefined();
  });

  it('of a JPEG may have filling bytes before a segment', async () => {
    const bytes = await jpegWith(Buffer.from([0xff, 0xff, 0xff]), exif(6));
    expect(pictureKind(bytes)).toMatchObject({ width: 48, height: 32, orientation: 6 });
  });
});

describe('a JPEG is turned by its first EXIF', () => {
  it.each([
    ['a second one', [exif(6), exif(1)], 6],
    ['one that holds nothing', [exif(), exif(6)], 1],
    ['one that points beyond its end', [exif(3).fill(0xff, 14, 18), exif(6)], 1],
  ])('beside %s', async (_name, segments, orientation) => {
    const kind = pictureKind(await jpegWith(...segments));
    expect(kind?.orientation).toBe(orientation);
    const turned = { width: 32, height: 48 };
    expect(kind && shownSize(kind)).toEqual(orientation >= 5 ? turned : { width: 48, height: 32 });
  });
});

describe('a file of a million tiny pieces', () => {
  const chunk = (name: string) =>
    Buffer.concat([Buffer.alloc(4), Buffer.from(name), Buffer.alloc(4)]);
  const filled = (piece: Buffer) => Buffer.alloc(12 * MB - ((12 * MB) % piece.length), piece);
  const files: readonly [string, () => Promise<Buffer>, 'png' | 'webp' | 'jpeg'][] = [
    [
      'PNG',
      async () => {
        const png = await picture('png');
        return Buffer.concat([png.subarray(0, 33), filled(chunk('teXt')), png.subarray(33)]);
      },
      'png',
    ],
    [
      'WebP',
      async () => Buffer.concat([await picture('webp'), filled(Buffer.from('XXXX\0\0\0\0'))]),
      'webp',
    ],
    ['JPEG', () => jpegWith(filled(exif())), 'jpeg'],
  ];

  it.each(files)('%s is looked at in its beginning only', async (_name, make, type) => {
    const bytes = await make();
    expect([...pieces(bytes, `image/${type}`)].length).toBeLessThan(20_000);
    const kind = pictureKind(bytes);
    if (type === 'jpeg') expect(kind).toBeUndefined();
    if (type === 'png') expect(kind && (await isWhole(bytes, kind))).toBe(false);
  });
});

describe('the end of a JPEG', () => {
  it('is looked for in slices, so that others have their turns', async () => {
    const whole = await picture('jpeg');
    const bytes = Buffer.concat([whole.subarray(0, -2), Buffer.alloc(8 * MB, 0xd9)]);
    const kind = pictureKind(bytes);
    let turns = 0;
    let done = false;
    const turn = (): void => {
      turns += 1;
      if (!done) setImmediate(turn);
    };
    setImmediate(turn);
    expect(kind && (await isWhole(bytes, kind))).toBe(false);
    done = true;
    expect(turns).toBeGreaterThan(10);
  });

  it('is found before whatever a camera puts behind it, also across two slices', async () => {
    const whole = await picture('jpeg');
    for (const behind of [0, 1, 2 ** 18 - 2, 2 ** 18 - 1, 2 ** 18, 3 * MB]) {
      const bytes = Buffer.concat([whole, Buffer.alloc(behind, 0x20)]);
      const kind = pictureKind(bytes);
      expect(kind && (await isWhole(bytes, kind))).toBe(true);
    }
  });

  it('of its thumbnail is not its own', async () => {
    const thumbnail = Buffer.from([0xff, 0xe2, 0, 6, 0xff, 0xd9, 0xff, 0xd9]);
    const bytes = (await jpegWith(thumbnail)).subarray(0, -2);
    const kind = pictureKind(bytes);
    expect(kind && (await isWhole(bytes, kind))).toBe(false);
  });
});
