// The GPUs that a Linux machine shows to this process.

import { access, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** Paths of what drivers put there: DRM render nodes, NVIDIA's own, WSL's. */
export async function gpuDevices(): Promise<string[]> {
  const dri = (await readdir('/dev/dri').catch(() => [])).filter((name) => /^renderD/.test(name));
  const paths = [...dri.map((name) => join('/dev/dri', name)), '/dev/nvidia0', '/dev/dxg'];
  const there = await Promise.all(
    paths.map((path) =>
      access(path).then(
        () => true,
        () => false,
      ),
    ),
  );
  return paths.filter((_, i) => there[i]);
}

/** The end of a sentence about a machine where `gpuDevices` finds none. */
export const NO_GPU = 'there is no GPU (neither /dev/dri/renderD* nor /dev/nvidia0)';
