// What is known not to go together before anything is painted: a scheduler of the other kind, and a
// strength that leaves no step. What only the engine can tell is let through.

import { stepsLeft, strengthTooSmall } from '../pipeline/parameters.js';
import { schedulerForOther, splitScheduleName } from '../pipeline/schedulers/names.js';
import {
  type GenerationParameters,
  type ModelFacts,
  SCHEDULER_NAMES,
  type SchedulerName,
} from '../pipeline/types.js';

/** Models of these families predict a flow, and only schedulers for that paint with them. */
const FLOW_FAMILIES: readonly string[] = ['sd3', 'flux'];
const FLOW_SCHEDULER = /^Flow /;

type Facts = Pick<ModelFacts, 'family' | 'defaultScheduler'>;

function predictsFlow({ family, defaultScheduler }: Facts): boolean {
  return FLOW_FAMILIES.includes(family) || FLOW_SCHEDULER.test(defaultScheduler);
}

/** Those that paint with a model; without a model, those of most. */
export function schedulersFor(model: Facts | undefined): SchedulerName[] {
  const flow = model !== undefined && predictsFlow(model);
  return SCHEDULER_NAMES.filter((name) => FLOW_SCHEDULER.test(name) === flow);
}

/** Their runs have a call more than steps, or are planned over what the strength leaves. */
const COUNTING_OTHERWISE: readonly string[] = ['PNDM', 'LCM', 'TCD'];
/** Of the others a step left out is a step less. */
const COUNTING_STEPS: ReadonlySet<string> = new Set(
  SCHEDULER_NAMES.map((name) => splitScheduleName(name).method).filter(
    (method) => !COUNTING_OTHERWISE.includes(method) && !FLOW_SCHEDULER.test(method),
  ),
);

/** @throws UserError 'scheduler-flow' or 'strength-too-small' for what certainly fails */
export function checkFits(
  { scheduler, steps, strength }: GenerationParameters,
  model: Facts,
): void {
  if (scheduler !== undefined) checkScheduler(scheduler, model);
  const { method } = splitScheduleName(scheduler ?? model.defaultScheduler);
  if (strength === undefined || !COUNTING_STEPS.has(method)) return;
  if (stepsLeft(steps, strength) === 0) throw strengthTooSmall(steps, strength);
}

function checkScheduler(scheduler: SchedulerName, model: Facts): void {
  const flow = predictsFlow(model);
  if (FLOW_SCHEDULER.test(scheduler) === flow) return;
  // Such a model's own scheduler is one of several that can be told to expect a flow.
  if (flow && !FLOW_SCHEDULER.test(model.defaultScheduler)) return;
  throw schedulerForOther(scheduler, flow);
}
