// What drivers leave on a Linux machine, and the reasons that come of it.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  nvidiaDriver,
  tooOldForCuda,
  vulkanFacts,
  vulkanReason,
} from '../../../src/cli/doctor/gpu.js';
import { packagesOf } from '../../../src/cli/doctor/providers.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ylem-gpu-'));
});
afterAll(() => rm(folder, { recursive: true }));

describe("NVIDIA's driver", () => {
  it.each([
    [
      'NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.14  Thu Feb 22 01:44:30 UTC 2024\nGCC version: 12',
      '550.54.14',
    ],
    [
      'NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.86.15  Release Build  (dvs-builder)\n',
      '570.86.15',
    ],
  ])('is known by its version file', async (text, version) => {
    const file = join(folder, 'version');
    await writeFile(file, text);
    expect(await nvidiaDriver(file)).toBe(version);
  });

  it('has to be as new as CUDA 12 wants it', () => {
    expect(tooOldForCuda('470.223.02', 'linux')).toBe(true);
    expect(tooOldForCuda('525.53', 'linux')).toBe(true);
    expect(tooOldForCuda('525.60.13', 'linux')).toBe(false);
    expect(tooOldForCuda('580.1', 'linux')).toBe(false);
  });
});

describe('Vulkan', () => {
  const all = {
    loader: true,
    drivers: ['/usr/share/vulkan/icd.d/radeon_icd.json'],
    devices: [{ path: '/dev/dri/renderD128', allowed: true }],
  };

  it.each([
    [{ ...all, devices: [] }, /no GPU/],
    [{ ...all, loader: false }, /libvulkan1/],
    [{ ...all, drivers: [] }, /mesa-vulkan-drivers/],
    [
      { ...all, devices: [{ path: '/dev/dri/renderD128', allowed: false }] },
      /renderD128: .*render/,
    ],
  ])('lacks what is named', (facts, reason) => {
    expect(vulkanReason(facts)).toMatch(reason);
  });

  it('that has all says nothing', () => {
    expect(vulkanReason(all)).toBe('');
  });

  it('finds the drivers that the environment names, if they are there', async () => {
    const file = join(folder, 'icd.json');
    await writeFile(file, '{}');
    const { drivers } = await vulkanFacts({ VK_DRIVER_FILES: `${file}:/nowhere/icd.json` });
    expect(drivers).toEqual([file]);
  });
});

it('says which packages bring missing libraries', () => {
  expect(packagesOf(['libcublasLt.so.12', 'libcudnn.so.9'])).toBe(
    'libcudnn9-cuda-12 and cuda-libraries-12-8',
  );
  expect(packagesOf(['libnvinfer.so.10'])).toMatch(/libnvinfer10/);
  expect(packagesOf(['libodd.so'])).toBe('CUDA 12 and cuDNN 9');
});
