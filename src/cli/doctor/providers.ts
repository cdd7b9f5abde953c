// Which providers work on this machine, each tried for real, and why each other one does not.

import type { Provider } from '../../config.js';
import { CUDA_INSTALL, libraryFile } from '../../pipeline/cuda-install.js';
import type { ProviderTrial } from '../../pipeline/probe.js';
import { missingLibraries, nvidiaDriver, tooOldForCuda, vulkanFacts, vulkanReason } from './gpu.js';
import { runTrial, TrialFailed } from './try.js';
import type { Finding } from './types.js';

/** ms for a provider to open a tiny graph: drivers compile, TensorRT above all */
const PATIENCE = 120_000;

/** Where each provider can be at all, and as what onnxruntime-node 1.30 brings it. */
const PLATFORMS: Readonly<
  Record<string, { readonly on: readonly string[]; readonly name: string }>
> = {
  tensorrt: { on: ['linux/x64'], name: 'TensorRT is for Linux on x64' },
  cuda: { on: ['linux/x64'], name: "onnxruntime-node's CUDA is for Linux on x64" },
  webgpu: {
    on: ['linux/x64', 'win32/x64', 'win32/arm64', 'darwin/arm64'],
    name: "onnxruntime-node's WebGPU is for Linux on x64, Windows, and macOS on Apple's processors",
  },
  coreml: { on: ['darwin/arm64', 'darwin/x64'], name: 'CoreML is for macOS' },
  dml: { on: ['win32/x64', 'win32/arm64'], name: 'DirectML is for Windows' },
};

/**
 * One finding for each provider.
 * @param asked those of YLEM_PROVIDERS, in their order
 * @param chosen true where a person has set them: then one that does not work is a warning
 */
export async function* providerFindings(
  asked: readonly Provider[],
  all: readonly Provider[],
  chosen: boolean,
  say: (text: string) => void,
): AsyncGenerator<Finding, void> {
  let first: string | undefined;
  const seen = new Map<string, string>();
  for (const provider of [...asked, ...all.filter((name) => !asked.includes(name))]) {
    say(`trying ${provider}`);
    const named = asked.includes(provider);
    const { works, ms = 0, reason = 'unknown' } = await tryProviderHere(provider);
    if (works) {
      const taken = named && first === undefined;
      if (taken) first = provider;
      const other = named ? 'works' : 'works, but YLEM_PROVIDERS leaves it out';
      const text = `${taken ? 'the bot takes it' : other} (first result after ${Math.round(ms)} ms)`;
      yield { name: provider, mark: 'ok', text };
      continue;
    }
    const loss = named && chosen && first === undefined;
    const same = seen.get(reason);
    seen.set(reason, provider);
    const text = same === undefined ? reason : `as ${same}`;
    yield { name: provider, mark: loss ? 'warn' : 'none', text };
  }
  if (first !== undefined) return;
  yield {
    name: 'providers',
    mark: 'fail',
    text: `none of ${asked.join(', ')} works here; YLEM_PROVIDERS must name one that does, cpu works everywhere`,
  };
}

/**
 * Tries a provider in a process of its own, where it may crash or hang, and adds to the reason why it
 * does not work what this machine's drivers say.
 */
export async function tryProviderHere(provider: string): Promise<ProviderTrial> {
  const platform = PLATFORMS[provider];
  const here = `${process.platform}/${process.arch}`;
  if (platform !== undefined && !platform.on.includes(here))
    return { works: false, reason: `${platform.name}; this is ${here}` };
  const trial = await tryApart(provider);
  if (trial.works || process.platform !== 'linux') return trial;
  const { reason = 'unknown' } = trial;
  if (provider === 'cuda' || provider === 'tensorrt')
    return { ...trial, reason: await cudaReason(provider, reason) };
  if (provider === 'webgpu' && /Vulkan driver/.test(reason))
    return { ...trial, reason: vulkanReason(await vulkanFacts()) || reason };
  return trial;
}

async function tryApart(provider: string): Promise<ProviderTrial> {
  try {
    return await runTrial<ProviderTrial>({ kind: 'provider', provider }, PATIENCE);
  } catch (error) {
    if (!(error instanceof TrialFailed)) throw error;
    return { works: false, reason: error.message, error: error.output };
  }
}

async function cudaReason(provider: string, reason: string): Promise<string> {
  const driver = await nvidiaDriver();
  const toInstall = /not installed/.test(reason) ? `; then its libraries: \`${CUDA_INSTALL}\`` : '';
  if (driver === undefined)
    return `no NVIDIA driver is loaded (neither /proc/driver/nvidia nor nvidia-smi answers)${toInstall}`;
  if (tooOldForCuda(driver))
    return `the NVIDIA driver ${driver} is too old for CUDA 12: it must be 525.60 or newer${toInstall}`;
  if (toInstall !== '') return `NVIDIA driver ${driver}, but ${reason}`;
  const missing = await missingLibraries(libraryFile(provider));
  if (missing.length === 0) return `NVIDIA driver ${driver}, but ${reason}`;
  return `NVIDIA driver ${driver}, but the system lacks ${missing.join(', ')}: install ${packagesOf(missing)} and put them on the library path (LD_LIBRARY_PATH)`;
}

/** NVIDIA's packages (Debian and Ubuntu, from its CUDA repository) that bring these libraries. */
export function packagesOf(libraries: readonly string[]): string {
  const kinds = [
    [/^libcudnn/, 'libcudnn9-cuda-12'],
    [/^libnvinfer|^libnvonnxparser/, 'libnvinfer10 and libnvonnxparsers10'],
    [
      /^lib(?:cublas|cublasLt|cudart|cufft|curand|nvrtc|cusparse|cusolver|nvJitLink)/,
      'cuda-libraries-12-8', // or any other of 12
    ],
    [/^libcuda\.so/, "NVIDIA's driver libraries"],
  ] as const;
  const found = kinds.flatMap(([pattern, name]) =>
    libraries.some((library) => pattern.test(library)) ? [name] : [],
  );
  return found.length > 0 ? found.join(' and ') : 'CUDA 12 and cuDNN 9';
}
