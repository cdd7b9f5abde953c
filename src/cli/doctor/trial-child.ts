// The child process of a trial: reads which one from its argument, prints the outcome as one line of
// JSON. Whatever native libraries print of their own is not read.

import { writeSync } from 'node:fs';
import { UserError } from '../../errors.js';
import type { InitImage } from '../../pipeline/types.js';
import type { ImagesTrial, ModelTrial, ThreadsTrial, Trial } from './trials.js';

/** Outcomes go to a pipe of their own: stdout belongs to the libraries. */
const PIPE = 3;

async function run(trial: Trial): Promise<unknown> {
  switch (trial.kind) {
    // Imported here, so that a native library that does not load is told like any other failure.
    case 'provider':
      return (await import('../../pipeline/probe.js')).tryProvider(trial.provider);
    case 'threads': {
      const { fastestThreads } = await import('../../pipeline/threads.js');
      return { threads: await fastestThreads() } satisfies ThreadsTrial;
    }
    case 'images':
      return tryImages();
    case 'model':
      return tryModel(trial);
  }
}

/** Draws a picture and reads it back in each format that the bot sends. */
async function tryImages(): Promise<ImagesTrial> {
  const { default: sharp } = await import('sharp');
  const red = { r: 255, g: 0, b: 0 };
  const picture = sharp({ create: { width: 8, height: 8, channels: 3, background: red } });
  for (const format of ['png', 'webp', 'jpeg', 'gif'] as const) {
    const { width } = await sharp(await picture.clone().toFormat(format).toBuffer()).metadata();
    if (width !== 8) throw new Error(`sharp writes no ${format}`);
  }
  return { sharp: sharp.versions.sharp ?? '', vips: sharp.versions.vips };
}

async function tryModel(trial: Extract<Trial, { kind: 'model' }>): Promise<ModelTrial> {
  const baseBytes = process.memoryUsage.rss();
  const begun = performance.now();
  const { directory, providers, threads } = trial;
  const { loadModel } = await import('../../pipeline/index.js');
  const model = await loadModel(directory, { providers, ...(threads && { threads }) });
  const load = performance.now() - begun;
  const loadedBytes = process.memoryUsage.rss();
  const {
    defaultWidth: width,
    defaultHeight: height,
    defaultGuidanceScale,
    defaultSteps,
  } = model.info;
  const firstStep = async (init?: InitImage) => {
    const stepBegun = performance.now();
    const steps = model.generate(
      {
        prompt: 'a fox',
        negativePrompt: '',
        seed: 1,
        steps: defaultSteps,
        guidanceScale: defaultGuidanceScale,
        width,
        height,
        ...(init && { strength: 1 }),
      },
      init && { init },
    );
    const { value: step } = await steps.next();
    if (step === undefined) throw new Error('the model made no step');
    return { step, stepped: performance.now() - stepBegun };
  };
  const { step, stepped } = await firstStep().catch(async (error: unknown) => {
    // That it paints into a picture only is no fault of a model.
    if (!(error instanceof UserError && error.identifier === 'needs-mask')) throw error;
    return firstStep(await blank(width, height));
  });
  const decodeBegun = performance.now();
  await model.decode(step.predictedOriginal);
  const decode = performance.now() - decodeBegun;
  return {
    provider: model.info.provider,
    providersTried: model.info.providersTried.map(({ name, reason }) => ({ name, reason })),
    load,
    encode: model.timings.encode,
    step: stepped - model.timings.encode,
    decode,
    width,
    height,
    loadedBytes,
    peakBytes: process.resourceUsage().maxRSS * 1024,
    baseBytes,
  };
}

/** A grey picture, all of it to be painted anew; px */
async function blank(width: number, height: number): Promise<InitImage> {
  const { default: sharp } = await import('sharp');
  const plain = (level: number) => {
    const background = { r: level, g: level, b: level };
    return sharp({ create: { width, height, channels: 3, background } })
      .png()
      .toBuffer();
  };
  return { image: await plain(128), mask: await plain(255) };
}

try {
  const outcome = await run(JSON.parse(process.argv[2] ?? '') as Trial);
  writeSync(PIPE, `${JSON.stringify({ outcome })}\n`);
} catch (error) {
  const user = error instanceof UserError;
  const message = error instanceof Error ? error.message : String(error);
  writeSync(PIPE, `${JSON.stringify({ fault: { user, message } })}\n`);
}
// A driver's threads may keep the process, or crash while it ends in order.
process.kill(process.pid, 'SIGKILL');
