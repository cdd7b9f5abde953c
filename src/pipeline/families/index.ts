// The families that are known, and which of them a directory belongs to.

import { stat } from 'node:fs/promises';
import { UserError } from '../../errors.js';
import { object } from '../json.js';
import { openGraph, readJson, type SessionOptions } from '../session.js';
import type { Family, FamilyLoader, FamilySource } from './family.js';
import { lcm } from './lcm.js';
import { sd } from './sd.js';

/** In the order in which they are tried: the ones that need more inputs first. */
const FAMILIES: readonly FamilyLoader[] = [lcm, sd];

/**
 * Opens the UNet or transformer of a directory and loads the family that it belongs to.
 * @throws UserError naming the file at fault, or what of the model is not supported
 */
export async function loadFamily(root: string, session: SessionOptions): Promise<Family> {
  const index = object(await readJson(root, `${root}/model_index.json`));
  const className = String(index._class_name ?? '').replace(/^(Onnx|ORT)/, '');
  const transformer = await stat(`${root}/transformer`).catch(() => undefined);
  const denoiserPart = transformer?.isDirectory() ? 'transformer' : 'unet';
  const denoiser = await openGraph(root, `${root}/${denoiserPart}/model.onnx`, session);
  const config = await readJson(root, `${root}/${denoiserPart}/config.json`, true);
  const source: FamilySource = {
    root,
    index,
    className,
    denoiser,
    denoiserPart,
    denoiserConfig: object(config),
    session,
  };
  return chooseFamily(source).load(source);
}

/** By what the graph takes; the pipeline's name has a say where two families take the same. */
function chooseFamily({ className, denoiser, denoiserPart }: FamilySource): FamilyLoader {
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
    `The model's ${denoiserPart}/model.onnx${className === '' ? '' : `, of a ${className},`} takes ${inputs.join(', ')}; ` +
      `that is none of the families ${FAMILIES.map(({ name }) => name).join(', ')}.`,
    { className },
  );
}
