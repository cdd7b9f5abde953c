// How many threads help: a machine that names two cores may deliver one, and then two are slower;
// and a small model has nothing to share out.

import { availableParallelism } from 'node:os';
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

/** 1, or all cores (at most 16) where they are measured to be at least 10% faster. Takes ~0.1 s. */
export async function fastestThreads(): Promise<number> {
  const all = Math.min(MOST, availableParallelism());
  if (all === 1) return 1;
  const [one, many] = [await product(1), await product(all)];
  let [alone, together] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  // In turns, so that a busy moment of the machine falls on both; the best round counts.
  for (let round = 0; round < ROUNDS; round++) {
    alone = Math.min(alone, await one.time());
    together = Math.min(together, await many.time());
  }
  await Promise.all([one.release(), many.release()]);
  return together < 0.9 * alone ? all : 1;
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

/**
 * Loads a model for the CPU with as many threads as are measured to help.
 * @param bytes of the UNet or transformer
 * @param load loads it with so many threads
 */
export async function loadWithThreads(
  bytes: number,
  load: (threads: number) => Promise<Family>,
): Promise<{ readonly family: Family; readonly threads: number }> {
  const one = bytes <= SMALL ? await load(1) : undefined;
  const alone = one === undefined ? undefined : await modelCall(one);
  if (one !== undefined && alone !== undefined) {
    // A first call may pay for the arena, so one that is slow is measured again.
    const isQuick = (await alone()) <= QUICK_CALL || (await alone()) <= QUICK_CALL;
    if (isQuick) return { family: one, threads: 1 };
  }
  const threads = await fastestThreads();
  if (threads === 1) return { family: one ?? (await load(1)), threads };
  const many = await load(threads);
  if (one === undefined || alone === undefined) return { family: many, threads };
  const together = await modelCall(many);
  await together(); // as above
  let [fast, slow] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let round = 0; round < ROUNDS; round++) {
    slow = Math.min(slow, await alone());
    fast = Math.min(fast, await together());
  }
  const worth = fast < WORTH * slow;
  await (worth ? one : many).release();
  return worth ? { family: many, threads } : { family: one, threads: 1 };
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
 * @throws what making or running a session throws
 */
export async function timesSlower(provider: string, threads: number): Promise<number | undefined> {
  const gpu = await product(threads, provider);
  const cpu = await product(threads);
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
