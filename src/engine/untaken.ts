// Why providers were not taken, as lines for the log.

import { NO_GPU } from '../pipeline/devices.js';
import type { ModelInfo } from '../pipeline/types.js';

/**
 * One line for each reason. Where no GPU is seen at all that is the reason, and what each provider
 * would lack besides is for the doctor to say.
 * @param devices of a Linux machine; undefined elsewhere
 */
export function untaken(
  { provider, providersTried }: Pick<ModelInfo, 'provider' | 'providersTried'>,
  devices: readonly string[] | undefined,
): string[] {
  if (providersTried.length === 0) return [];
  if (provider === 'cpu' && devices?.length === 0) {
    return [`${NO_GPU}, so the CPU paints; \`npx ylem doctor\` says what each provider lacks`];
  }
  const names = new Map<string, string[]>();
  for (const { name, reason } of providersTried) {
    names.set(reason, [...(names.get(reason) ?? []), name]);
  }
  return [...names].map(([reason, several]) =>
    several.length === 1
      ? `provider ${several[0]} was not taken: ${reason}`
      : `providers ${several.slice(0, -1).join(', ')} and ${several.at(-1)} were not taken: ${reason}`,
  );
}
