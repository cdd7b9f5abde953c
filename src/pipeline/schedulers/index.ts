// Schedulers by the class in scheduler_config.json, or by the name that users know.

import { UserError } from '../../errors.js';
import type { SchedulerName } from '../types.js';
import { ddim } from './ddim.js';
import type { Scheduler } from './scheduler.js';

type Maker = (config: Record<string, unknown>, steps: number) => Scheduler;
const MAKERS: Readonly<Record<string, Maker>> = { DDIMScheduler: ddim };
const CLASSES: Partial<Record<SchedulerName, string>> = { DDIM: 'DDIMScheduler' };

export function createScheduler(
  config: unknown,
  steps: number,
  name?: SchedulerName,
): { scheduler: Scheduler; warnings: readonly string[] } {
  const json = (config ?? {}) as Record<string, unknown>;
  const wanted = name === undefined ? String(json._class_name) : CLASSES[name];
  const maker = MAKERS[wanted ?? ''];
  if (maker === undefined) {
    throw new UserError(
      'unknown-scheduler',
      `The scheduler ${name ?? wanted} is not known; there are ${Object.keys(MAKERS).join(', ')}.`,
    );
  }
  return { scheduler: maker(json, steps), warnings: [] };
}

export function schedulerDisplayName(config: unknown): string {
  const wanted = String((config as Record<string, unknown> | undefined)?._class_name);
  return Object.entries(CLASSES).find(([, name]) => name === wanted)?.[0] ?? wanted;
}
