// Which kinds of file a real engine process opens, whatever stands before its decoders, and what it
// says to one that nobody may send.

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { expect, it, onTestFinished, vi } from 'vitest';
import { UserError } from '../../src/errors.js';
import { engineJob, engineWith, freshFolder } from '../support/engine.js';

const SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64"><rect/></svg>';
const TELL = new URL('tell-loaders.mjs', import.meta.url).href;

it('only those that people send, and the SVG that it draws itself', async () => {
  const folder = await freshFolder();
  const files: string[] = [];
  for (const type of ['tiff', 'avif', 'png', 'jpeg', 'webp', 'gif'] as const) {
    const create = { width: 8, height: 8, channels: 3, background: '#123456' } as const;
    const file = join(folder, type);
    await writeFile(file, await sharp({ create }).toFormat(type).toBuffer());
    files.push(file);
  }
  const drawn = join(folder, 'svg');
  await writeFile(drawn, SVG);
  files.push(drawn);
  const told = join(folder, 'told');
  vi.stubEnv('YLEM_TEST_LOADERS', JSON.stringify({ files, told }));
  vi.stubEnv('NODE_OPTIONS', `--import ${TELL}`);
  onTestFinished(() => void vi.unstubAllEnvs());
  await engineWith().ready;
  const opened = await vi.waitFor(async () => JSON.parse(await readFile(told, 'utf8')), 20_000);
  expect(opened).toEqual(['png', 'jpeg', 'webp', 'gif', 'svg']);
});

it.each([
  ['an SVG', SVG],
  [
    'an SVG that says GIF',
    'GIF89a<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64"/>',
  ],
])('%s as an init image is refused in a sentence, and the engine goes on', async (_, svg) => {
  const engine = engineWith();
  const job = { ...engineJob({ strength: 0.5 }), init: { image: Buffer.from(svg) } };
  const failure = await engine.run(job).result.catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(UserError);
  expect((failure as UserError).identifier).toBe('bad-image');
  await expect(engine.run(engineJob()).result).resolves.toMatchObject({ index: 6 });
});
