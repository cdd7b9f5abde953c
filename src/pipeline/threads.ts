// How many threads help: a machine that names two cores may deliver one, and then two are slower;
// and a small model has nothing to share out.

import { availableParallelism } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import type { Family } from './families/family.js';
import { providerOptions } from './providers.js';

/** more threads than this have not been seen to help, and cost memory */
const MOST = 16;
/** side of the square matrices: one product is some ms of one core */
const SIDE = 384;
const ROUNDS = 5;
/** ms of a product, and how many times the CPU's: no GPU takes as long, and drivers without one do */
const SLOW = 10;
const SLOW_TIMES = 4;

/** ms for which more threads get another chance: another process may be busy with a core for a while */
const PATIENCE = 1000;
const PAUSE = 50;

/** Cores that this process may use, at most as many as are of use. */
const cores = (): number => Math.min(MOST, availableParallelism());

/**
 * 1, or all cores (at most 16) where they were seen to be at least 10% faster: seen once is enough,
 * for nothing but the cores can have made them so. Takes ~0.1 s, and 1 s where they are not.
 */
export async function fastestThreads(): Promise<number> {
  const all = cores();
  if (all === 1) return 1;
  const begun = performance.now();
  const [one, many] = [await product(1), await product(all)];
  let [alone, together] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  const isFaster = () => together < 0.9 * alone;
  for (;;) {
    for (let round = 0; round < ROUNDS; round++) {
      alone = Math.min(alone, await one.time());
      together = Math.min(together, await many.time());
    }
    if (isFaster() || performance.now() - begun > PATIENCE) break;
    await delay(PAUSE);
  }
  await Promise.all([one.release(), many.release()]);
  return isFaster() ? all : 1;
}

/** bytes of a UNet that is loaded twice to see whether threads help it */
const SMALL = 100e6;
/**
 * ms of a model call below which nothing is gained that anybody would see: the other cores are left
 * to the bot, whose answers must not wait.
 */
const QUICK_CALL = 60;
/** How much of the time on one thread all threads may take at most to be worth their cores. */
const WORTH = 0.8;

/** Loads a family with so many threads for its denoiser and text encoders, and for its VAE. */
export type LoadWith = (threads: number, vaeThreads: number) => Promise<Family>;

/**
 * Loads a model for the CPU with as many threads as are measured to help. A small one's VAE has all
 * cores in any case: its one call at the end is long where a denoiser's are short, and where a core
 * is busy or missing the others lose little (waiting threads sleep).
 * @param bytes of the UNet or transformer
 */
export async function loadWithThreads(
  bytes: number,
  load: LoadWith,
): Promise<{ readonly family: Family; readonly threads: number }> {
  if (bytes > SMALL) {
    const threads = await fastestThreads();
    return { family: await load(threads, threads), threads };
  }
  const one = await load(1, cores());
  const alone = await modelCall(one);
  // A first call may pay for the arena, so one that is slow is measured again.
  const isQuick = (await alone()) <= QUICK_CALL || (await alone()) <= QUICK_CALL;
  const all = isQuick ? 1 : await fastestThreads();
  if (all === 1) return { family: one, threads: 1 };
  const many = await load(all, all);
  const together = await modelCall(many);
  await together(); // as above
  let [fast, slow] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let round = 0; round < ROUNDS; round++) {
    slow = Math.min(slow, await alone());
    fast = Math.min(fast, await together());
  }
  const worth = fast < WORTH * slow;
  await (worth ? one : many).release();
  return worth ? { family: many, threads: all } : { family: one, threads: 1 };
}

/** A call of the model at its usual size, in ms. */
async function modelCall({ parts, predictor }: Family): Promise<() => Promise<number>> {
  const { latentChannels, inpaintChannels, sampleSize, vaeScale } = parts;
  const side = sampleSize * vaeScale;
  const plane = sampleSize * sampleSize;
  const predict = await predictor({
    prompt: '',
    negativePrompt: '',
    guidanceScale: 1,
    width: side,
    height: side,
    ...(inpaintChannels > 0 && {
      extra: {
        data: new Float32Array(inpaintChannels * plane),
        dims: [1, inpaintChannels, sampleSize, sampleSize],
      },
    }),
  });
  const sample = new Float32Array(latentChannels * plane);
  return async () => {
    const begun = performance.now();
    await predict(sample, 500);
    return performance.now() - begun;
  };
}

/**
 * How many times as long as the CPU a provider takes where it is so slow that there can be no GPU
 * behind it: SwiftShader and lavapipe, which stand in for one, offer themselves to WebGPU as well
 * (SwiftShader took 100 to 300 times as long). Undefined for a real one.
 * @param threads of the CPU; absent: as many as help
 * @throws what making or running a session throws
 */
export async function timesSlower(provider: string, threads?: number): Promise<number | undefined> {
  const gpu = await product(1, provider);
  const cpu = await product(threads ?? (await fastestThreads()));
  try {
    let [ours, theirs] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
    for (let round = 0; round < 3; round++) {
      ours = Math.min(ours, await cpu.time());
      theirs = Math.min(theirs, await gpu.time());
      if (theirs <= SLOW || theirs <= SLOW_TIMES * ours) return undefined;
      if (theirs > 10 * SLOW_TIMES * ours) break;
    }
    return theirs / ours;
  } finally {
    await Promise.all([cpu.release(), gpu.release()]);
  }
}

/** Why a provider that is so slow is not taken: the end of a sentence, without its point. */
export const withoutGpu = (times: number): string =>
  `its driver is ${Math.round(times)} times as slow as the CPU, so there is no GPU behind it`;

async function product(threads: number, provider = 'cpu') {
  const session = await InferenceSession.create(matMul(), {
    ...providerOptions(provider),
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
    extra: { session: { intra_op: { allow_spinning: '0' } } },
  });
  const matrix = new Tensor('float32', new Float32Array(SIDE * SIDE).fill(0.5), [SIDE, SIDE]);
  const time = async () => {
    const begun = performance.now();
    await session.run({ a: matrix, b: matrix });
    return performance.now() - begun;
  };
  await time(); // the first run wakes the threads and pays for the arena
  return { time, release: () => session.release() };
}

/** An ONNX graph c = a x b of float32 matrices, written out as protocol buffer bytes. */
export function matMul(): Uint8Array {
  const field = (number: number, body: number[]) => [(number << 3) | 2, body.length, ...body];
  const whole = (number: number, value: number) => [number << 3, value];
  const text = (number: number, value: string) => field(number, [...Buffer.from(value)]);
  // ValueInfoProto: name 1, type 2 { tensor_type 1 { elem_type 1 = float, shape 2 {} } }; two free
  // dimensions are two empty entries.
  const shape = field(2, [...field(1, []), ...field(1, [])]);
  const value = (name: string) => [
    ...text(1, name),
    ...field(2, field(1, [...whole(1, 1), ...shape])),
  ];
  const node = [...text(1, 'a'), ...text(1, 'b'), ...text(2, 'c'), ...text(4, 'MatMul')];
  const graph = [
    ...field(1, node),
    ...text(2, 'g'),
    ...field(11, value('a')),
    ...field(11, value('b')),
    ...field(12, value('c')),
  ];
  // ModelProto: ir_version 1, graph 7, opset_import 8 { version 2 }
  return Uint8Array.from([...whole(1, 8), ...field(7, graph), ...field(8, whole(2, 17))]);
}
