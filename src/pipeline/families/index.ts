// The families that are known, and which of them a directory belongs to.

import { readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { UserError } from '../../errors.js';
import { takeFractions } from '../fractional.js';
import { object } from '../json.js';
import { readOnnxHeader } from '../onnx-header.js';
import { readSchedulerFile } from '../scheduler-file.js';
import { type Graph, openBytes, openGraph, readJson, type SessionOptions } from '../session.js';
import { graphFiles } from '../weights.js';
import type { Family, FamilyLoader } from './family.js';
import { flux } from './flux.js';
import { lcm } from './lcm.js';
import { sd } from './sd.js';
import { sd3 } from './sd3.js';
import { sdxl } from './sdxl.js';

/** No two of them take the same inputs, except where `pipelines` tells them apart. */
const FAMILIES: readonly FamilyLoader[] = [sd, lcm, sdxl, sd3, flux];

/** bytes of a graph's own file up to which it may be held in memory beside what is made of it */
const EDITABLE = 1 << 30;

/**
 * Opens the UNet or transformer of a directory and loads the family that it belongs to.
 * @throws UserError naming the file at fault, or what of the model is not supported
 */
export async function loadFamily(root: string, session: SessionOptions): Promise<Family> {
  const index = object(await readJson(root, join(root, 'model_index.json')));
  const className = String(index._class_name ?? '').replace(/^(Onnx|ORT)/, '');
  const denoiserPart = (await isFolder(join(root, 'transformer'))) ? 'transformer' : 'unet';
  const { denoiser, notice } = await openDenoiser(root, denoiserPart, session);
  const opened: Graph[] = [denoiser];
  const config = await readJson(root, join(root, denoiserPart, 'config.json'), true);
  const { config: scheduler } = await readSchedulerFile(root, index);
  const loader = chooseFamily(className, denoiser, denoiserPart);
  return loader.load({
    root,
    index,
    className,
    denoiser,
    denoiserPart,
    denoiserConfig: object(config),
    scheduler: object(scheduler),
    session,
    warnings: [...notice, ...(await notices(root, className, loader))],
    opened,
  });
}

/**
 * The UNet or transformer, with a timestep that may be fractional.
 * @throws UserError naming the file that is missing or damaged
 */
async function openDenoiser(
  root: string,
  part: string,
  session: SessionOptions,
): Promise<{ denoiser: Graph; notice: string[] }> {
  const path = join(root, part, 'model.onnx');
  const header = await readOnnxHeader(path).catch(() => undefined); // openGraph says what is wrong
  const type = header?.inputs.find(({ name }) => name === 'timestep')?.type;
  if (type === undefined || !/^int/.test(type))
    return { denoiser: await openGraph(root, path, session), notice: [] };
  const { size } = await stat(path);
  if (size <= EDITABLE) {
    await graphFiles(root, `${part}/model.onnx`); // before anything of it is opened
    const bytes = await readFile(path);
    const denoiser = takeFractions(bytes)
      ? await openBytes(bytes, session, `${part}/model.onnx`, dirname(path)).catch(() => undefined)
      : undefined;
    if (denoiser !== undefined) return { denoiser, notice: [] };
  }
  return {
    denoiser: await openGraph(root, path, session),
    notice: [
      `The ${part} takes whole timesteps: schedulers that stand between two of them paint a little otherwise than diffusers.`,
    ],
  };
}

/** By what the graph takes; the pipeline's name has a say where two families take the same. */
function chooseFamily(className: string, denoiser: Graph, part: string): FamilyLoader {
  const inputs = [...denoiser.inputs.keys()];
  const able = FAMILIES.filter(
    ({ needs, takes = [] }) =>
      needs.every((name) => inputs.includes(name)) &&
      inputs.every((name) => needs.includes(name) || takes.includes(name)),
  );
  const chosen = able.find(({ pipelines }) => pipelines.includes(className)) ?? able[0];
  if (chosen !== undefined) return chosen;
  throw new UserError(
    'model-unknown-family',
    `The model's ${part}/model.onnx${className === '' ? '' : `, of a ${className},`} takes ${inputs.join(', ')}; ` +
      `that is none of the families ${FAMILIES.map(({ name }) => name).join(', ')}.`,
    { className },
  );
}

/** What of the directory has no effect. */
async function notices(
  root: string,
  className: string,
  { name, pipelines }: FamilyLoader,
): Promise<string[]> {
  const said: string[] = [];
  if (!pipelines.includes(className)) {
    const what = className === '' ? 'no pipeline' : `the pipeline ${className}`;
    said.push(`model_index.json names ${what}; the model is taken for one of the family ${name}.`);
  }
  if (await isFolder(join(root, 'image_encoder')))
    said.push('The model has an image_encoder, which is not used: pictures are no prompts here.');
  return said;
}

async function isFolder(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found?.isDirectory() === true;
}
