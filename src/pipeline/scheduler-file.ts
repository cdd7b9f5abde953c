// The scheduler of a model directory: its class by model_index.json, its keys by its own file.
//
// Source: diffusers, pipelines/pipeline_loading_utils.py: the class that a pipeline loads a part with
// is the index's; what the part's own configuration calls itself changes nothing.

import { join } from 'node:path';
import { readJson } from './files.js';
import { object } from './json.js';
import { parseSchedulerConfig } from './schedulers/index.js';

export interface SchedulerFile {
  /** scheduler_config.json as `createScheduler` takes it; undefined where there is none */
  readonly config: unknown;
  /** one sentence where the two files disagree */
  readonly warnings: readonly string[];
}

/**
 * @param index model_index.json
 * @throws UserError when scheduler/scheduler_config.json is missing or no JSON; what else is wrong
 * with it is told by whoever makes a scheduler of it
 */
export async function readSchedulerFile(root: string, index: unknown): Promise<SchedulerFile> {
  const path = join(root, 'scheduler', 'scheduler_config.json');
  const config = await readJson(root, path, false, parseSchedulerConfig);
  const { scheduler: entry } = object(index);
  const named: unknown = Array.isArray(entry) ? entry[1] : undefined;
  if (typeof named !== 'string' || Array.isArray(config)) return { config, warnings: [] };
  if (typeof config !== 'object' || config === null) return { config, warnings: [] };
  const { _class_name: own } = object(config);
  const disagree = own !== undefined && own !== named;
  return {
    config: { ...config, _class_name: named },
    warnings: disagree
      ? [
          `The scheduler is ${short(named)}, as model_index.json says; scheduler/scheduler_config.json says ${short(own)}, which has no effect.`,
        ]
      : [],
  };
}

const short = (name: unknown): string => String(name).slice(0, 80);
