// A generation as the panels show it.

import type { MessageFile } from '../discord/message.js';
import type { PictureFacts } from '../discord/panels.js';
import type { OfferedModel } from '../engine/types.js';
import { unheeded } from '../pipeline/prompt/attention.js';
import type { NewGeneration } from '../store/types.js';

/** A generation that was promised. Its init image is in the store, not in this process's memory. */
export type Promised = Omit<NewGeneration, 'init'> & {
  readonly hasInit: boolean;
  readonly hasMask: boolean;
};

/** @param scheduler the model's own, for those that name none */
export function factsOf(generation: Promised, scheduler: string): PictureFacts {
  const { parameters, branchStep, branchSeed, parentId, parentRelation } = generation;
  return {
    id: generation.id,
    prompt: parameters.prompt,
    negativePrompt: parameters.negativePrompt,
    seed: parameters.seed,
    steps: parameters.steps,
    guidanceScale: parameters.guidanceScale,
    width: parameters.width,
    height: parameters.height,
    scheduler: parameters.scheduler ?? scheduler,
    model: generation.model.replace(/ \[[0-9a-f]*\]$/, ''),
    init: generation.hasInit
      ? { strength: parameters.strength ?? 1, masked: generation.hasMask }
      : undefined,
    branch:
      branchStep === null || branchSeed === null
        ? undefined
        : { step: branchStep, seed: branchSeed },
    beside: parentRelation === 'chance' && parentId !== null ? parentId : undefined,
    unheeded: parameters.weighting
      ? unheeded(`${parameters.prompt}\n${parameters.negativePrompt}`)
      : [],
  };
}

/** How the store names a model: two directories of one name differ in the fingerprint. */
export function modelName(model: Pick<OfferedModel, 'name' | 'fingerprint'>): string {
  return `${model.name} [${model.fingerprint}]`;
}

const EXTENSIONS: Readonly<Record<string, string>> = {
  'image/png': 'png',
  'image/webp': 'webp',
  'image/jpeg': 'jpg',
  'image/gif': 'gif',
};

/**
 * A file of the bot's: its name holds the generation, so that its message can be found again.
 * @param altText at most 1024 characters, without any that nobody sees
 */
export function fileOf(
  image: { readonly bytes: Uint8Array; readonly type: string },
  id: string,
  what: string,
  altText: string,
): MessageFile {
  return {
    name: `${what}-${id}.${EXTENSIONS[image.type] ?? 'bin'}`,
    type: image.type,
    bytes: image.bytes,
    description: altText,
  };
}
