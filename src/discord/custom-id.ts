// What a button means lies in its custom id, so that it works after a restart and on old messages.

/** `verb:generation[:argument...]`, at most 100 characters. */
export function customId(
  verb: string,
  generation: string,
  ...args: readonly (string | number)[]
): string {
  const id = [verb, generation, ...args].join(':');
  if (id.length > 100) throw new Error(`custom id is longer than 100 characters: ${id}`);
  return id;
}

export interface Pressed {
  readonly verb: string;
  readonly generation: string;
  readonly args: readonly string[];
}

/** Undefined for an id that is not of this form. */
export function parseCustomId(id: string): Pressed | undefined {
  const [verb, generation, ...args] = id.split(':');
  if (verb === undefined || generation === undefined) return undefined;
  if (!/^[a-z-]+$/.test(verb) || !/^[A-Za-z0-9_-]{1,40}$/.test(generation)) return undefined;
  return { verb, generation, args };
}
