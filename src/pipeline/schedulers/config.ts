// scheduler_config.json as a scheduler reads it: typed keys with ranges, and clear errors.

import { UserError } from '../../errors.js';

export type PredictionType = 'epsilon' | 'v_prediction' | 'sample';

/**
 * The text of a scheduler_config.json as a value. Python writes `-Infinity`, `Infinity` and `NaN`
 * (DPM++ configs do: lambda_min_clipped), which JSON.parse refuses; here they are numbers (NaN: null).
 * @throws SyntaxError when the text is not JSON
 */
export function parseSchedulerConfig(text: string): unknown {
  const json = text.replace(
    /"(?:[^"\\]|\\.)*"|(-?)\bInfinity\b|\bNaN\b/g,
    (token, minus: string | undefined) =>
      token.startsWith('"') ? token : token === 'NaN' ? 'null' : `${minus ?? ''}1e999`,
  );
  return JSON.parse(json);
}

/** The keys of one config. A key that is absent has its default; so has one that is null, but a flag. */
export class SchedulerConfig {
  readonly className: string;
  private readonly values: Readonly<Record<string, unknown>>;

  constructor(className: string, values: Readonly<Record<string, unknown>>) {
    this.className = className;
    this.values = values;
  }

  /** @throws UserError when the value is no number or out of range */
  number(key: string, fallback: number, min = Number.NEGATIVE_INFINITY, max = Infinity): number {
    const value = this.values[key] ?? fallback;
    if (typeof value !== 'number' || !(value >= min && value <= max)) {
      this.reject(
        key,
        min === Number.NEGATIVE_INFINITY ? 'a number' : rangeText('number', min, max),
      );
    }
    return value;
  }

  integer(key: string, fallback: number, min: number, max = Number.MAX_SAFE_INTEGER): number {
    const value = this.values[key] ?? fallback;
    if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
      this.reject(key, rangeText('integer', min, max));
    }
    return value;
  }

  /** A null is false, as Python takes it, whatever the class's own default. */
  flag(key: string, fallback: boolean): boolean {
    const given = this.values[key];
    const value = given === null ? false : (given ?? fallback);
    if (typeof value !== 'boolean') this.reject(key, 'true or false');
    return value;
  }

  choice<const T extends string>(key: string, fallback: NoInfer<T>, allowed: readonly T[]): T {
    const value = this.values[key] ?? fallback;
    if (!allowed.includes(value as T)) {
      this.reject(key, `one of ${allowed.map((a) => `"${a}"`).join(', ')}`);
    }
    return value as T;
  }

  optionalNumber(key: string): number | undefined {
    const value = this.values[key];
    return value === undefined || value === null ? undefined : this.number(key, 0);
  }

  /** whether the key has a value other than null */
  isSet(key: string): boolean {
    return (this.values[key] ?? null) !== null;
  }

  optionalNumbers(key: string, mayBeEmpty = false): readonly number[] | undefined {
    const value = this.values[key] ?? undefined;
    if (value === undefined) return undefined;
    if (
      !Array.isArray(value) ||
      (value.length === 0 && !mayBeEmpty) ||
      !value.every((x) => typeof x === 'number')
    ) {
      this.reject(key, 'a list of numbers');
    }
    return value as number[];
  }

  /** What the model predicts. @throws UserError when this class cannot use it */
  predictionType<const T extends PredictionType>(allowed: readonly T[]): T {
    return this.choice('prediction_type', 'epsilon' as NoInfer<T>, allowed);
  }

  /** @throws UserError always: `key` is not `expected` */
  reject(key: string, expected: string): never {
    const value = JSON.stringify(this.values[key]) ?? 'absent';
    throw new UserError(
      'scheduler-config',
      `The scheduler configuration (${this.className}) has ${key} ${value}; expected ${expected}.`,
      { key, value },
    );
  }
}

function rangeText(kind: string, min: number, max: number): string {
  const article = kind === 'integer' ? 'an' : 'a';
  return max >= Number.MAX_SAFE_INTEGER
    ? `${article} ${kind} of at least ${min}`
    : `${article} ${kind} from ${min} to ${max}`;
}

/** @throws UserError 'steps-range' when a scheduler cannot make that many steps */
export function checkSteps(steps: number, min: number, max: number): void {
  if (Number.isInteger(steps) && steps >= min && steps <= max) return;
  throw new UserError(
    'steps-range',
    `The number of steps is ${steps}; with this model and scheduler, whole numbers from ${min} to ${max} are allowed.`,
    { steps, min, max },
  );
}
