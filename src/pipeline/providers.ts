// Execution providers: what a session is asked to run on, and what a provider's failures mean.

import { access } from 'node:fs/promises';
import { type InferenceSession, listSupportedBackends } from 'onnxruntime-node';
import { UserError } from '../errors.js';
import { CUDA_INSTALL, libraryFile } from './cuda-install.js';
import type { FailureKind, PassedOver } from './types.js';

/**
 * The providers that this platform's onnxruntime-node was built with. A name that is not among them
 * is taken by `InferenceSession.create` without a word, and the graph runs on the CPU: ask here first.
 */
export const BUILT_IN: ReadonlySet<string> = new Set(
  listSupportedBackends().map(({ name }) => name),
);

/** onnxruntime's coreml_provider_factory.h: ML programs (macOS 12, which fp16 needs) on CPU and GPU */
const COREML_CREATE_MLPROGRAM = 0x010;
const COREML_USE_CPU_AND_GPU = 0x020;

/**
 * A session's options for one provider. What the provider leaves aside runs on the CPU, and what
 * TensorRT leaves aside on CUDA first. onnxruntime-node reads `deviceId` of cuda, tensorrt and dml,
 * `coreMlFlags` of coreml, and refuses any option of webgpu that it does not know.
 */
export function providerOptions(provider: string): InferenceSession.SessionOptions {
  switch (provider) {
    case 'cpu':
      return { executionProviders: ['cpu'] };
    case 'cuda':
      return { executionProviders: [{ name: 'cuda', deviceId: 0 }, 'cpu'] };
    case 'tensorrt':
      return {
        executionProviders: [
          { name: 'tensorrt', deviceId: 0 },
          { name: 'cuda', deviceId: 0 },
          'cpu',
        ],
      };
    case 'dml':
      // DirectML supports neither memory patterns nor parallel execution (ONNX Runtime's manual).
      return {
        executionProviders: [{ name: 'dml', deviceId: 0 }, 'cpu'],
        enableMemPattern: false,
        executionMode: 'sequential',
      };
    case 'coreml':
      return {
        executionProviders: [
          { name: 'coreml', coreMlFlags: COREML_CREATE_MLPROGRAM | COREML_USE_CPU_AND_GPU },
          'cpu',
        ],
      };
    case 'webgpu':
      // 'basic' is the default, and said here because a device error without validation ends the
      // whole process.
      return { executionProviders: [{ name: 'webgpu', validationMode: 'basic' }, 'cpu'] };
    default:
      return { executionProviders: [provider, 'cpu'] };
  }
}

/**
 * The accelerator is gone (driver reset, removed, a fault that poisons its context): no call of this
 * process will succeed on it again. A new process may get it back.
 */
export class AcceleratorLost extends Error {
  readonly provider: string;

  constructor(provider: string, cause: unknown) {
    super(`The accelerator (${provider}) was lost: ${firstLine(textOf(cause))}`, { cause });
    this.name = 'AcceleratorLost';
    this.provider = provider;
  }
}

/**
 * What providers say when memory runs out: the CPU and CUDA (onnxruntime's arenas), CUDA itself,
 * WebGPU (Dawn: the device's error comes later as an invalid buffer, and a tensor over the largest
 * binding is split over too many), DirectML (E_OUTOFMEMORY).
 */
const OUT_OF_MEMORY =
  /Failed to allocate memory|bad[_ ]alloc|out of memory|OutOfMemory|OUT_OF_(?:DEVICE|HOST)_MEMORY|CUDNN_STATUS_ALLOC_FAILED|CUBLAS_STATUS_ALLOC_FAILED|\[Invalid Buffer|exceeds the max buffer size|Too many storage buffers|8007000E/i;

/** Faults after which CUDA, Direct3D or WebGPU refuses every further call. */
const LOST =
  /device (?:is |was )?lost|DEVICE_LOST|DeviceLost|887A000[567]|GPU device instance has been suspended|CUDA (?:failure|error) (?:4|700|702|719|999)\b|illegal memory access|unspecified launch failure|launch timed out|unknown error.*cuda/i;

/** UserErrors that say the same: of a run, and of a model that is being loaded. */
const TOO_LARGE: readonly string[] = ['out-of-memory', 'model-too-large'];

/** What kind of failure a session's error is. */
export function kindOf(error: unknown): FailureKind {
  if (error instanceof AcceleratorLost) return 'lost';
  if (error instanceof UserError) return TOO_LARGE.includes(error.identifier) ? 'memory' : 'other';
  const text = textOf(error);
  if (LOST.test(text)) return 'lost';
  return OUT_OF_MEMORY.test(text) ? 'memory' : 'other';
}

/** How people call the memory of a provider. */
export function memoryOf(provider: string): string {
  return provider === 'cpu' ? "this machine's memory" : `the memory of the GPU (${provider})`;
}

/**
 * The error of a graph's run as the rest of the pipeline is to see it: a UserError where the picture
 * is too large or the model's parts do not fit together, AcceleratorLost, or an Error that begins
 * with the graph's name.
 * @param graph its file, relative to the model's directory
 */
export function runFailure(provider: string, error: unknown, graph: string): Error {
  switch (kindOf(error)) {
    case 'memory':
      return new UserError(
        'out-of-memory',
        `The picture does not fit into ${memoryOf(provider)}; ask for a smaller one.`,
        { provider },
      );
    case 'lost':
      return new AcceleratorLost(provider, error);
    default:
      return (
        mismatch(textOf(error), graph) ?? new Error(`${graph}: ${said(error)}`, { cause: error })
      );
  }
}

/** onnxruntime's words for an input that the graph declares otherwise */
const INPUT =
  /(?:Got invalid dimensions|Invalid rank) for input: (\S+)(?:.*?Got: (\d+) Expected: (\d+))?|Unexpected input data type[^:]*: *\(([^)]*)\)/s;

/** onnxruntime's words for an id beyond the rows of an embedding */
const NO_ROW = /indices element out of data bounds, idx=(\d+)/;

function mismatch(text: string, graph: string): UserError | undefined {
  const row = NO_ROW.exec(text)?.[1];
  if (row !== undefined) {
    return new UserError(
      'model-graph-mismatch',
      `The model's ${graph} has no embedding of the token ${row} that its tokenizer knows: its parts do not belong together.`,
      { file: graph },
    );
  }
  const found = INPUT.exec(text);
  if (found === null) return undefined;
  const [, name = 'an input', got, wanted] = found;
  const sizes =
    got === undefined ? 'of another shape or type' : `with ${wanted} where it gets ${got}`;
  return new UserError(
    'model-graph-mismatch',
    `The model's ${graph} takes ${name} ${sizes}: it was exported for one size, or its parts do not belong together.`,
    { file: graph },
  );
}

const ADAPTER = {
  linux: 'no Vulkan driver was found: install libvulkan1 and the driver of the GPU',
  win32: 'no Direct3D 12 driver was found',
  darwin: 'no Metal device was found',
} as const;

/**
 * Why a provider cannot run a model here: the end of a sentence, without its point.
 * @param error what making or first running a session threw
 */
export async function whyNot(provider: string, error: unknown): Promise<string> {
  const text = textOf(error);
  if (/requires f16|shader-f16/i.test(text))
    return 'this GPU or its driver has no half precision (shader-f16), which an fp16 model needs';
  if (/WebGPU adapter|No supported adapters/i.test(text))
    return ADAPTER[process.platform as keyof typeof ADAPTER] ?? 'no GPU driver was found';
  if (/Failed to load shared library|cannot open shared object/i.test(text))
    return whyNoLibrary(provider);
  if (/no CUDA-capable device|cudaErrorNoDevice|CUDA failure 100\b/i.test(text))
    return 'there is no NVIDIA GPU that CUDA can use';
  if (/driver version is insufficient|CUDA failure 35\b/i.test(text))
    return 'the NVIDIA driver is too old for CUDA 12: it must be 525.60 or newer';
  switch (kindOf(error)) {
    case 'memory':
      return `the model does not fit into ${memoryOf(provider)}`;
    case 'lost':
      return 'the GPU was lost while the model was loaded';
    default:
      return firstLine(text);
  }
}

/**
 * A provider that could not run a model here.
 * @param error what making or first running a session threw
 */
export async function passedOver(provider: string, error: unknown): Promise<PassedOver> {
  return { name: provider, reason: await whyNot(provider, error), kind: kindOf(error) };
}

async function whyNoLibrary(provider: string): Promise<string> {
  const installed = await access(libraryFile(provider)).then(
    () => true,
    () => false,
  );
  if (!installed) return `its libraries are not installed; \`${CUDA_INSTALL}\` downloads them`;
  const needs =
    provider === 'tensorrt' ? 'CUDA 12, cuDNN 9 and TensorRT 10' : 'CUDA 12 and cuDNN 9';
  return `its libraries cannot be loaded; ${needs} must be installed and on the library path`;
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** What an error says, in one line, without the source files and signatures of onnxruntime. */
export function said(error: unknown): string {
  return firstLine(textOf(error));
}

function firstLine(text: string): string {
  const line = text
    .replace(
      /^Non-zero status code returned while running (\S+) node\..*?Status Message: /s,
      '$1: ',
    )
    .split('\n')[0]!;
  return line
    .replace(/\S*\/onnxruntime_src\/\S+:\d+ .*\)(?: const)?(?: \[with [^\]]*\])? (?=.)/, '')
    .replace(/^.* was false\. (?=.)/, '')
    .trim()
    .replace(/\.+$/, '')
    .slice(0, 200);
}
