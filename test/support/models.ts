// Model directories for tests, put together from fixtures that share their parts.

import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';

export const FAMILIES = fileURLToPath(new URL('../fixtures/families/', import.meta.url));

/**
 * A copy of the fixture `families/NAME` with the parts that it takes from others, graphs unpacked.
 * @param own what its ylem.json says; absent: it has none
 * @returns the folder, below the system's temporary one; the caller removes it
 */
export async function assembleModel(name: string, own?: object): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), `ylem-${name}-`));
  const from = join(FAMILIES, name);
  await cp(from, folder, { recursive: true });
  const shared = await readFile(join(from, 'parts.json'), 'utf8').catch(() => '{}');
  for (const [part, source] of Object.entries(JSON.parse(shared) as Record<string, string>))
    await cp(join(from, source), join(folder, part), { recursive: true });
  for (const file of await readdir(folder, { recursive: true })) {
    if (!file.endsWith('.gz')) continue;
    const path = join(folder, file);
    await writeFile(path.slice(0, -3), gunzipSync(await readFile(path)));
    await rm(path);
  }
  if (own !== undefined) await writeFile(join(folder, 'ylem.json'), JSON.stringify(own));
  return folder;
}
