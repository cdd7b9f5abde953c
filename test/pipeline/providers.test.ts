// Providers: the options each is given, and failures turned into sentences. The errors are those of
// onnxruntime 1.30, seen on a machine without a GPU, on SwiftShader, or told in its issue tracker.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { InferenceSession } from 'onnxruntime-node';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { FLOAT, GraphBuilder } from '../../bench/support/onnx.js';
import { UserError } from '../../src/errors.js';
import { loadModel } from '../../src/pipeline/index.js';
import {
  AcceleratorLost,
  BUILT_IN,
  kindOf,
  passedOver,
  providerOptions,
  runFailure,
  whyNot,
} from '../../src/pipeline/providers.js';
import { openGraph } from '../../src/pipeline/session.js';

const MODEL = fileURLToPath(new URL('../fixtures/models/tiny-sd', import.meta.url));

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ylem-'));
});
afterAll(() => rm(folder, { recursive: true }));

describe('a provider', () => {
  const names = (provider: string) =>
    providerOptions(provider).executionProviders!.map((given) =>
      typeof given === 'string' ? given : given.name,
    );

  it('is asked for before the CPU, which takes what it leaves aside', () => {
    for (const provider of ['cuda', 'webgpu', 'coreml', 'dml'])
      expect(names(provider)).toEqual([provider, 'cpu']);
    expect(names('tensorrt')).toEqual(['tensorrt', 'cuda', 'cpu']);
    expect(names('cpu')).toEqual(['cpu']);
  });

  it('gets options that this platform takes', async () => {
    const path = join(MODEL, 'vae_decoder/model.onnx');
    for (const provider of BUILT_IN) {
      const failure = await InferenceSession.create(path, {
        ...providerOptions(provider),
        logSeverityLevel: 4,
      }).then(
        (session) => session.release(),
        (error: unknown) => error,
      );
      // It may be missing here, but never for an argument that it does not know.
      expect(String(failure ?? '')).not.toMatch(/Invalid argument|TypeError/);
    }
  });

  it.runIf(!BUILT_IN.has('dml'))(
    'that this platform has none of is never run in its place',
    async () => {
      await expect(loadModel(MODEL, { providers: ['dml'], threads: 1 })).rejects.toThrow(
        /dml: this platform's onnxruntime-node has none/,
      );
    },
  );
});

describe('memory that runs out', () => {
  it('on the CPU is told as such, and the graph goes on working', async () => {
    const g = new GraphBuilder();
    const outer = g.node('MatMul', [
      g.input('column', FLOAT, ['n', 1]),
      g.input('row', FLOAT, [1, 'n']),
    ]);
    g.output('out', g.node('ReduceMean', [outer]), [1, 1]);
    await g.save(join(folder, 'outer.onnx'));
    const graph = await openGraph(folder, join(folder, 'outer.onnx'), {
      provider: 'cpu',
      threads: 1,
    });
    const mean = (n: number) => {
      const ones = new Float32Array(n).fill(1);
      return graph.run({
        column: graph.feed('column', ones, [n, 1]),
        row: graph.feed('row', ones, [1, n]),
      });
    };
    const failure = await mean(8_000_000).catch((error: unknown) => error); // 256 TB
    expect(failure).toBeInstanceOf(UserError);
    expect(failure).toMatchObject({
      identifier: 'out-of-memory',
      message: "The picture does not fit into this machine's memory; ask for a smaller one.",
    });
    expect((await mean(4)).out!.data[0]).toBe(1);
    await graph.release();
  });

  it.each([
    [
      'cuda',
      'bfc_arena.cc:376 AllocateRawInternal Failed to allocate memory for requested buffer of size 939524096',
    ],
    [
      'cuda',
      'CUDA failure 2: out of memory ; GPU=0 ; hostname=a ; expr=cudaMalloc((void**)&p, size);',
    ],
    [
      'webgpu',
      'WebGPU validation failed. [Invalid Buffer (unlabeled)] is invalid due to a previous error.',
    ],
    [
      'webgpu',
      'WebGPU validation failed. Buffer size (6400000000) exceeds the max buffer size limit (1073741824).',
    ],
    ['webgpu', 'Too many storage buffers in shader. Current: 40, Max is 12'],
    [
      'dml',
      'DmlCommittedResourceAllocator.cpp(22) 8007000E Not enough memory resources are available',
    ],
  ])('of %s: %s', (provider, message) => {
    expect(runFailure(provider, new Error(message), 'unet/model.onnx')).toMatchObject({
      identifier: 'out-of-memory',
      context: { provider },
    });
  });
});

describe('an accelerator that is gone', () => {
  it.each([
    ['webgpu', 'WebGPU device lost (2): A valid external Instance reference no longer exists.'],
    ['webgpu', 'vkQueueSubmit failed with VK_ERROR_DEVICE_LOST'],
    ['cuda', 'CUDA failure 700: an illegal memory access was encountered ; GPU=0'],
    ['cuda', 'CUDA failure 719: unspecified launch failure ; GPU=0'],
    ['dml', 'Exception(3) tid(5a68) 887A0005 The GPU device instance has been suspended.'],
    ['dml', '887A0006 The GPU will not respond to more commands'],
  ])('%s: %s', (provider, message) => {
    const failure = runFailure(provider, new Error(message), 'unet/model.onnx');
    expect(failure).toBeInstanceOf(AcceleratorLost);
    expect(failure).toMatchObject({ provider });
    expect(kindOf(failure)).toBe('lost');
  });

  it('is not seen in other failures', () => {
    const error = new Error('Got invalid dimensions for input: sample');
    expect(runFailure('cuda', error, 'unet/model.onnx')).toMatchObject({
      identifier: 'model-graph-mismatch',
      message: expect.stringMatching(/^The model's unet\/model\.onnx takes sample /),
    });
    const odd = new Error('something odd');
    expect(runFailure('cuda', odd, 'unet/model.onnx')).toMatchObject({
      message: 'unet/model.onnx: something odd',
      cause: odd,
    });
  });
});

describe('why a provider was not taken', () => {
  it.each([
    [
      'webgpu',
      'Program Transpose requires f16 but the device does not support it.',
      /half precision/,
    ],
    ['webgpu', 'Failed to get a WebGPU adapter: No supported adapters', /Vulkan|Direct3D|Metal/],
    [
      'cuda',
      'CUDA failure 35: CUDA driver version is insufficient for CUDA runtime version',
      /525/,
    ],
    ['cuda', 'CUDA failure 100: no CUDA-capable device is detected', /no NVIDIA GPU/],
    ['cuda', 'Failed to allocate memory for requested buffer of size 1', /does not fit/],
    [
      'webgpu',
      "Non-zero status code returned while running MatMul node. Name:'a' Status Message: something odd",
      /^MatMul: something odd$/,
    ],
  ])('%s: %s', async (provider, message, reason) => {
    const told = await whyNot(provider, new Error(message));
    expect(told).toMatch(reason);
    expect(told).not.toMatch(/\n|\.$|onnxruntime_src/);
  });

  it.runIf(BUILT_IN.has('cuda'))(
    'CUDA without its libraries: the command that installs them',
    async () => {
      const failure = await loadModel(MODEL, { providers: ['cuda', 'tensorrt'], threads: 1 }).then(
        (model) => model.dispose(),
        (error: Error) => error,
      );
      if (failure === undefined) return; // a machine that has them
      expect(failure.message).toMatch(
        /cuda: (?:its libraries are not installed; `node .*install=cuda12`|its libraries cannot be loaded|there is no NVIDIA|the NVIDIA driver)/,
      );
      expect(failure.message).toMatch(/tensorrt: /);
    },
  );
});

describe('a provider that was passed over', () => {
  afterEach(() => vi.restoreAllMocks());

  /** Providers that have no memory for any graph. */
  function full(...providers: readonly string[]): void {
    const { create } = InferenceSession;
    vi.spyOn(InferenceSession, 'create').mockImplementation(async (...args: unknown[]) => {
      const options = args.at(-1) as InferenceSession.SessionOptions;
      const [first] = options.executionProviders ?? [];
      const name = typeof first === 'string' ? first : first?.name;
      if (providers.includes(name ?? 'cpu'))
        throw new Error('Failed to allocate memory for requested buffer of size 939524096');
      return create.apply(InferenceSession, args as unknown as Parameters<typeof create>);
    });
  }

  it.each([
    ['Failed to allocate memory for requested buffer of size 1', 'memory'],
    ['CUDA failure 700: an illegal memory access was encountered', 'lost'],
    ['CUDA failure 100: no CUDA-capable device is detected', 'other'],
  ])('is kept with the kind of failure: %s', async (message, kind) => {
    expect(await passedOver('cuda', new Error(message))).toMatchObject({ name: 'cuda', kind });
  });

  it('for memory, as the only one, says so to programs as well', async () => {
    full('cpu');
    await expect(loadModel(MODEL, { providers: ['cpu'], threads: 1 })).rejects.toMatchObject({
      identifier: 'no-provider',
      message: "The model cannot run here: cpu: the model does not fit into this machine's memory.",
      context: { kind: 'memory' },
    });
  });

  it('for another reason is not told as one without memory', async () => {
    await expect(loadModel(MODEL, { providers: ['abacus'] })).rejects.toMatchObject({
      identifier: 'no-provider',
      context: { kind: 'other' },
    });
  });

  it.runIf(BUILT_IN.has('cuda'))('for memory leaves the model to the next one', async () => {
    full('cuda');
    const model = await loadModel(MODEL, { providers: ['cuda', 'cpu'], threads: 1 });
    expect(model.info.providersTried).toEqual([
      {
        name: 'cuda',
        reason: 'the model does not fit into the memory of the GPU (cuda)',
        kind: 'memory',
      },
    ]);
    await model.dispose();
  });
});
