// What a Linux machine has for a GPU, read from where drivers leave their marks: the reasons why a
// provider finds no device there.

import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access, readdir, readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { gpuDevices, NO_GPU } from '../../pipeline/devices.js';

const run = promisify(execFile);
/** ms for a tool of the driver's to answer */
const PATIENCE = 10_000;

/** CUDA 12 runs on this driver and newer ones (NVIDIA's CUDA compatibility table). */
const CUDA12_DRIVER: Readonly<Record<string, number>> = { linux: 525.6, win32: 527.41 };

/** Version of the NVIDIA driver that is loaded, such as '550.54.14'; undefined where there is none. */
export async function nvidiaDriver(
  proc = '/proc/driver/nvidia/version',
): Promise<string | undefined> {
  const text = await readFile(proc, 'utf8').catch(() => '');
  const loaded = /Kernel Module.*?\s(\d+\.\d+(?:\.\d+)?)\s/.exec(text)?.[1];
  if (loaded !== undefined) return loaded;
  const query = ['--query-gpu=driver_version', '--format=csv,noheader'];
  try {
    const { stdout } = await run('nvidia-smi', query, { timeout: PATIENCE });
    return /^\d+\.\d+[\d.]*/.exec(stdout.trim())?.[0];
  } catch {
    return undefined;
  }
}

export function tooOldForCuda(driver: string, platform: string = process.platform): boolean {
  return Number.parseFloat(driver) < (CUDA12_DRIVER[platform] ?? 0);
}

/** Libraries that a library needs and the loader does not find, by `ldd`. */
export async function missingLibraries(library: string): Promise<string[]> {
  try {
    const { stdout } = await run('ldd', [library], { timeout: PATIENCE });
    return [...stdout.matchAll(/^\s*(\S+) => not found/gm)].map(([, name]) => name ?? '');
  } catch {
    return [];
  }
}

/** Where a Vulkan loader looks for the descriptions of drivers (Vulkan-Loader's documentation). */
function driverFolders(env: NodeJS.ProcessEnv): string[] {
  const config = env.XDG_CONFIG_HOME ?? join(homedir(), '.config');
  const data = env.XDG_DATA_HOME ?? join(homedir(), '.local/share');
  const shared = (env.XDG_DATA_DIRS ?? '/usr/local/share:/usr/share').split(':');
  return [config, '/etc/xdg', '/usr/local/etc', '/etc', data, ...shared].map((folder) =>
    join(folder, 'vulkan/icd.d'),
  );
}

export interface VulkanFacts {
  /** libvulkan.so.1 is where the loader of programs looks */
  readonly loader: boolean;
  /** descriptions of drivers */
  readonly drivers: readonly string[];
  /** devices, and whether this user may open them */
  readonly devices: readonly { readonly path: string; readonly allowed: boolean }[];
}

export async function vulkanFacts(env: NodeJS.ProcessEnv = process.env): Promise<VulkanFacts> {
  const named = env.VK_DRIVER_FILES ?? env.VK_ICD_FILENAMES;
  const drivers: string[] = [];
  for (const path of named?.split(delimiter) ?? []) if (await isThere(path)) drivers.push(path);
  if (named === undefined) {
    for (const folder of driverFolders(env)) {
      const names = await readdir(folder).catch(() => []);
      drivers.push(
        ...names.filter((name) => name.endsWith('.json')).map((name) => join(folder, name)),
      );
    }
  }
  const devices: { path: string; allowed: boolean }[] = [];
  for (const path of await gpuDevices()) {
    const allowed = await access(path, constants.R_OK | constants.W_OK).then(
      () => true,
      () => false,
    );
    devices.push({ path, allowed });
  }
  return { loader: await hasVulkanLoader(env), drivers, devices };
}

async function hasVulkanLoader(env: NodeJS.ProcessEnv): Promise<boolean> {
  const folders = [
    ...(env.LD_LIBRARY_PATH ?? '').split(':').filter((folder) => folder !== ''),
    ...['/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu', '/usr/lib64', '/usr/lib'],
    ...['/lib/x86_64-linux-gnu', '/lib/aarch64-linux-gnu', '/lib64', '/lib', '/usr/local/lib'],
  ];
  for (const folder of folders) if (await isThere(join(folder, 'libvulkan.so.1'))) return true;
  for (const ldconfig of ['/sbin/ldconfig', '/usr/sbin/ldconfig']) {
    const listed = await run(ldconfig, ['-p'], { timeout: PATIENCE }).catch(() => undefined);
    if (listed !== undefined) return listed.stdout.includes('libvulkan.so.1');
  }
  return false;
}

/** What stands between a Linux machine and a Vulkan device: the end of a sentence; '' if nothing seen. */
export function vulkanReason({ loader, drivers, devices }: VulkanFacts): string {
  const barred = devices.filter(({ allowed }) => !allowed).map(({ path }) => path);
  if (devices.length === 0) return NO_GPU;
  if (!loader)
    return 'there is no Vulkan loader: install libvulkan1 (vulkan-loader on Fedora, Arch)';
  if (drivers.length === 0)
    return "there is a GPU but no Vulkan driver: install mesa-vulkan-drivers (AMD, Intel) or NVIDIA's driver with its libraries";
  if (barred.length > 0)
    return `this user may not open ${barred.join(' and ')}: add the user to the groups render and video`;
  return '';
}

const isThere = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );
