// Reading values out of JSON whose shape nobody has promised.

export type Json = Readonly<Record<string, unknown>>;

/** the object itself, or an empty one */
export const object = (value: unknown): Json =>
  typeof value === 'object' && value !== null ? (value as Json) : {};

export const number = (value: unknown): number | undefined =>
  typeof value === 'number' ? value : undefined;

/** a list of numbers, or undefined for anything else */
export const numbers = (value: unknown): readonly number[] | undefined =>
  Array.isArray(value) && value.every((item) => typeof item === 'number')
    ? (value as number[])
    : undefined;
