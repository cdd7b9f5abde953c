// Files: PNGs with parameters, infotexts there and back.

import fc from 'fast-check';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { readInfotext } from '../../../src/pipeline/image/carried.js';
import {
  encodePng,
  encodeWithin,
  type GenerationParameters,
  infotextOf,
  parseInfotext,
  type RgbImage,
} from '../../../src/pipeline/index.js';

const PARAMETERS: GenerationParameters = {
  prompt: 'a fox, "quoted": yes\nNegative thoughts',
  negativePrompt: 'blurry, füchse 狐',
  seed: 4294967295,
  steps: 20,
  guidanceScale: 7.5,
  width: 64,
  height: 96,
  scheduler: 'DPM++ 2M Karras',
};
const INFO = { name: 'a, model: "x"', hash: '0123456789', defaultScheduler: 'PNDM' };

function picture(width: number, height: number, seed: number): RgbImage {
  const data = new Uint8Array(3 * width * height);
  let state = seed + 1;
  for (let i = 0; i < data.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    data[i] = state >>> 24;
  }
  return { data, width, height };
}

describe('an infotext', () => {
  it('is read back as it was written', () => {
    const text = infotextOf(PARAMETERS, INFO, { branch: { fromStep: 3, seed: 9 }, stoppedAt: 12 });
    const { values, ...read } = parseInfotext(text);
    expect(read).toEqual({ ...PARAMETERS, noise: 'cpu', weighting: false });
    expect(values.get('Model')).toBe(INFO.name);
    expect(values.get('Branch step')).toBe('3');
    expect(values.get('Branch seed')).toBe('9');
    expect(values.get('Stopped at')).toBe('12');
    expect(text).toContain('Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7.5');
  });

  it.each([
    ['a fox\nNegative prompt: not this one', ''],
    ['Negative prompt: a fox', ''],
    ['Negative prompt: a fox', 'blurry'],
    ['a fox\nSteps: 20, Sampler: Euler, Size: 64x64', 'Steps: 3, Seed: 4, CFG scale: 7'],
  ])('keeps apart what a prompt looks like and what it is: %j and %j', (prompt, negativePrompt) => {
    const text = infotextOf({ ...PARAMETERS, prompt, negativePrompt }, INFO);
    expect(parseInfotext(text)).toMatchObject({ ...PARAMETERS, prompt, negativePrompt });
  });

  it.each(['"x"', '"', ' x', 'x\t', 'x\r', 'a\\b', 'a "b"', ''])(
    'reads back the name of a model as it was: %j',
    (name) => {
      const { values } = parseInfotext(infotextOf(PARAMETERS, { ...INFO, name }));
      expect(values.get('Model')).toBe(name);
    },
  );

  it('says how an init image, the words and the noise were used', () => {
    const guided = { strength: 0.55, clipSkip: 1, noise: 'nv', weighting: true } as const;
    const text = infotextOf({ ...PARAMETERS, ...guided }, INFO, { masked: true });
    expect(parseInfotext(text)).toMatchObject(guided);
    expect(text).toContain('Denoising strength: 0.55');
    expect(text).toContain('Inpaint area: Whole picture');
    expect(text).toContain('Clip skip: 2');
    expect(text).toContain('RNG: NV');
    expect(infotextOf({ ...PARAMETERS, prompt: 'a (b)' }, INFO)).toContain('Emphasis: None');
  });

  it("by A1111 is read with A1111's defaults", () => {
    const last = 'Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7, Seed: 1';
    const of = (prompt: string, rest: string) => parseInfotext(`${prompt}\n${last}, ${rest}`);
    expect(of('a (fox:1.2)', 'Size: 512x768, Clip skip: 2, Version: v1.9.4')).toMatchObject({
      scheduler: 'DPM++ 2M Karras',
      noise: 'nv',
      weighting: true,
      clipSkip: 1,
    });
    expect(of('a fox', 'RNG: CPU, Version: v1.9.4')).toMatchObject({
      noise: 'cpu',
      weighting: false,
    });
    expect(of('a (fox)', 'Emphasis: None, Version: v1.9.4').weighting).toBe(false);
    expect(of('a (fox)', 'Version: ComfyUI').weighting).toBeUndefined();
    expect(of('a', 'Denoising strength: 1.5, Clip skip: 1').strength).toBeUndefined();
    expect(of('a', 'Denoising strength: 0.4, Clip skip: 1').clipSkip).toBeUndefined();
  });

  it.each([
    ['blanks', ' '.repeat(60_000)],
    ['words', 'a '.repeat(30_000)],
    ['dashes and slashes', '- /'.repeat(20_000)],
    ['commas', ','.repeat(60_000)],
    ['keys', 'a: '.repeat(20_000)],
    ['quotes that do not end', 'a: "'.repeat(15_000)],
    ['backslashes', `a: "${'\\\\'.repeat(30_000)}`],
  ])('of hostile %s is read at once', (_what, hostile) => {
    // Hours, where the expression went back over what it had read.
    for (const text of [hostile, `a fox\nSteps: 20, ${hostile}`, `${hostile}\nSteps: 20, Seed: 1`])
      expect(typeof parseInfotext(text).prompt).toBe('string');
  });

  it('of any text can be read without harm', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(typeof parseInfotext(text).prompt).toBe('string');
      }),
    );
  });
});

describe('a PNG', () => {
  it('holds its pixels and its parameters, in any script, the same bytes each time', async () => {
    const image = picture(40, 24, 1);
    for (const text of ['plain ü', infotextOf(PARAMETERS, INFO), '狐 🦊 \u202e']) {
      const { bytes } = await encodePng(image, text);
      expect(await readInfotext(bytes)).toBe(text);
      expect((await encodePng(image, text)).bytes).toEqual(bytes);
      expect(new Uint8Array(await sharp(bytes).raw().toBuffer())).toEqual(image.data);
    }
  });

  it('whose parameters are longer than any program writes them has none', async () => {
    const { bytes } = await encodePng(picture(8, 8, 1), 'x'.repeat(100_000));
    expect(await readInfotext(bytes)).toBeUndefined();
  });

  it('that is too large becomes a smaller file that keeps the parameters', async () => {
    const text = infotextOf(PARAMETERS, INFO);
    const image = picture(256, 256, 2);
    for (const maxBytes of [120_000, 40_000, 15_000]) {
      const file = await encodeWithin(image, maxBytes, text);
      expect(file.type).not.toBe('image/png');
      expect(file.bytes.length).toBeLessThanOrEqual(maxBytes);
      expect((await sharp(file.bytes).metadata()).format).toBe('webp');
      expect(await readInfotext(file.bytes)).toBe(text);
    }
  });
});

describe('the parameters in a file of another program', () => {
  const text = 'a fox (red:1.2)\nSteps: 20, Seed: 7';
  const drawn = () =>
    sharp({ create: { width: 16, height: 16, channels: 3, background: '#345678' } }).withExif({
      IFD2: { UserComment: text },
    });

  it.each(['jpeg', 'webp', 'png'] as const)('are read from the EXIF of a %s', async (format) => {
    expect(readInfotext(await drawn().toFormat(format).toBuffer())).toContain(text);
  });

  it.each(['jpeg', 'webp'] as const)('are what sharp sees in the EXIF of a %s', async (format) => {
    const bytes = await drawn().toFormat(format).toBuffer();
    const { exif } = await sharp(bytes).metadata();
    expect(exif?.includes(readInfotext(bytes) ?? 'nothing')).toBe(true);
  });

  it.each([
    ['an SVG', `<svg xmlns="http://www.w3.org/2000/svg"><text>${'x'.repeat(200_000)}</text></svg>`],
    ['an SVG that says GIF', `GIF89a<svg xmlns="http://www.w3.org/2000/svg">parameters</svg>`],
  ])('are not looked for in %s', (_name, svg) => {
    expect(readInfotext(Buffer.from(svg))).toBeUndefined();
  });

  it.each(['jpeg', 'webp', 'png'] as const)('are none in a %s cut anywhere', async (format) => {
    const bytes = await drawn().toFormat(format).toBuffer();
    for (let length = 0; length < bytes.length; length++) {
      const found = readInfotext(bytes.subarray(0, length));
      expect(found === undefined || typeof found === 'string').toBe(true);
    }
  });
});
