// Which models are here: each with what it is, what it takes on the disk, and what is wrong with it.

import type { Config } from '../../config.js';
import { describeModel } from '../../pipeline/describe.js';
import { diskUse, places, readSource } from './directory.js';

export interface ListedModel {
  readonly name: string;
  readonly directory: string;
  /** '' where it is of no known family */
  readonly family: string;
  readonly precision: string;
  /** of all its files */
  readonly bytes: number;
  /** the model that is used where none is named */
  readonly isDefault: boolean;
  readonly embedded: boolean;
  /** `owner/name@revision` of a pulled model */
  readonly from?: string;
  /** why it cannot be painted with: one sentence, the gravest reason */
  readonly fault?: string;
}

export async function listModels(config: Config): Promise<ListedModel[]> {
  const found: ListedModel[] = [];
  for (const { name, directory, isDefault, embedded } of await places(config)) {
    const { facts, problems } = await describeModel(directory);
    const source = await readSource(directory);
    const fault = problems[0]?.message;
    found.push({
      name,
      directory,
      family: facts?.family ?? '',
      precision: facts?.precision ?? '',
      bytes: await diskUse(directory),
      isDefault,
      embedded,
      ...(source !== undefined && { from: `${source.repository}@${source.revision}` }),
      ...(fault !== undefined && { fault }),
    });
  }
  return found;
}
