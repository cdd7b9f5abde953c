// What a scheduler may do to its estimate of x0: dynamic thresholding or a plain clamp.

import type { SchedulerConfig } from './config.js';
import { clamp, dynamicThreshold } from './math.js';

type Limit = (x0: Float32Array) => Float32Array;

const unlimited: Limit = (x0) => x0;

/** Reads thresholding, dynamic_thresholding_ratio and sample_max_value. */
export function readThresholding(config: SchedulerConfig): Limit {
  if (!config.flag('thresholding', false)) return unlimited;
  const ratio = config.number('dynamic_thresholding_ratio', 0.995, 0, 1);
  const max = config.number('sample_max_value', 1);
  return (x0) => dynamicThreshold(x0, ratio, max);
}

/** Reads clip_sample and clip_sample_range; thresholding comes before both, where the class has it. */
export function readClipping(config: SchedulerConfig, clipsByDefault: boolean): Limit {
  const threshold = readThresholding(config);
  if (threshold !== unlimited) return threshold;
  if (!config.flag('clip_sample', clipsByDefault)) return unlimited;
  const range = config.number('clip_sample_range', 1, 0);
  return (x0) => clamp(x0, range);
}
