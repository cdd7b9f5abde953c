// What one engine offers: the catalogue's models, with what was learnt from those that were loaded.

import { UserError } from '../errors.js';
import type { ModelInfo } from '../pipeline/types.js';
import { Catalogue, type Entry, unusable } from './catalogue.js';
import { inWords } from './memory.js';
import type { ModelRef } from './protocol.js';
import type { ModelSummary, OfferedModel } from './types.js';

export class Offer {
  readonly #catalogue: Catalogue;
  readonly #memoryBytes: number;
  /** by directory, of models that were loaded at some time */
  readonly #infos = new Map<string, ModelInfo>();
  /** directories of those loaded now */
  readonly #loaded = new Set<string>();

  /**
   * @param memoryBytes that loaded models may take together
   * @param damaged told once of each fault that a model other than the default is found with
   */
  constructor(
    modelDirectory: string,
    modelsDirectory: string | undefined,
    memoryBytes: number,
    damaged: (problem: UserError) => void,
  ) {
    this.#catalogue = new Catalogue(modelDirectory, modelsDirectory, damaged);
    this.#memoryBytes = memoryBytes;
    void this.#catalogue.refresh().catch(() => {}); // whoever asks is told
  }

  get summaries(): readonly ModelSummary[] {
    return this.#catalogue.entries.map((entry) => this.#summary(entry));
  }

  /** @throws UserError when there is none of that name, or it cannot be painted with */
  async find(name: string | undefined): Promise<{ offered: OfferedModel; ref: ModelRef }> {
    const entry = await this.#catalogue.find(name);
    const summary = this.#summary(entry);
    if (!summary.offered) throw unusable(summary.name, summary.problem);
    return { offered: summary, ref: refOf(entry) };
  }

  /**
   * Where the model of a name lies, whatever its files are like if it is the default: what is wrong
   * with that one is found by loading it.
   * @throws UserError as `find` for all others
   */
  async locate(name: string | undefined): Promise<ModelRef> {
    const entry = await this.#catalogue.find(name);
    if (!entry.isDefault) {
      const summary = this.#summary(entry);
      if (!summary.offered) throw unusable(summary.name, summary.problem);
    }
    return refOf(entry);
  }

  loaded(info: ModelInfo): void {
    this.#infos.set(info.directory, info);
    this.#loaded.add(info.directory);
  }

  unloaded(directory: string): void {
    this.#loaded.delete(directory);
  }

  /** The process is gone. */
  allUnloaded(): void {
    this.#loaded.clear();
  }

  #summary({ description, isDefault }: Entry): ModelSummary {
    const { name, directory, bytes, fingerprint, warnings } = description;
    const { skipsClip, takesImages } = description;
    const info = this.#infos.get(directory);
    // What was loaded knows best.
    const facts = info ?? description.facts;
    const problem = isDefault && info ? undefined : this.#problem({ description, isDefault });
    if (facts === undefined || problem !== undefined) {
      const reason = problem ?? new UserError('model-unusable', 'Its family is not known.');
      return { offered: false, name, directory, isDefault, bytes, problem: reason };
    }
    const loaded = this.#loaded.has(directory);
    const { family, precision, latentChannels, vaeScale, sizeMultiple } = facts;
    const { defaultWidth, defaultHeight, defaultSteps, defaultGuidanceScale } = facts;
    return {
      ...{ offered: true, name, directory, isDefault, loaded, bytes, fingerprint },
      ...{ skipsClip, takesImages },
      ...{ family, precision, latentChannels, vaeScale, sizeMultiple },
      ...{ defaultWidth, defaultHeight, defaultSteps, defaultGuidanceScale },
      defaultScheduler: facts.defaultScheduler,
      warnings: info?.warnings ?? warnings,
    };
  }

  #problem({ description: { problems, bytes }, isDefault }: Entry): UserError | undefined {
    if (problems[0] !== undefined) return problems[0];
    if (isDefault || bytes <= this.#memoryBytes) return undefined;
    const [needed, allowed] = [inWords(bytes), inWords(this.#memoryBytes)];
    return new UserError(
      'model-over-budget',
      `Its files have ${needed}, and models may take ${allowed} of memory here (YLEM_MODEL_MEMORY).`,
      { needed, allowed },
    );
  }
}

function refOf({ description: { directory, bytes, fingerprint, facts } }: Entry): ModelRef {
  return { directory, bytes, fingerprint, vaeScale: facts?.vaeScale };
}
