// Graphs that say of weights what no exporter would: that they lie wherever a test wants.

import { readFile, writeFile } from 'node:fs/promises';
import { fields, message, whole } from '../../src/pipeline/protobuf.js';

const bytes = (field: number, ...parts: readonly Uint8Array[]): Uint8Array =>
  Buffer.concat(message(field, parts));
const text = (field: number, value: string): Uint8Array => bytes(field, Buffer.from(value));

interface Odd {
  /** what the entry with the location is called: the last one counts */
  readonly keys?: readonly string[];
  /** in a piece of the graph of its own, before the rest: pieces of one message belong together */
  readonly apart?: boolean;
}

/** Gives a graph's file one weight more, which nothing in it uses and which lies at `location`. */
export async function addWeight(
  file: string,
  location: string,
  { keys = ['location'], apart = false }: Odd = {},
): Promise<void> {
  const entry = [...keys.map((key) => text(1, key)), text(2, location)];
  const weight = bytes(
    5,
    whole(1, 4),
    whole(2, 1),
    text(8, 'foreign'),
    bytes(13, ...entry),
    whole(14, 1), // data_location: EXTERNAL
  );
  const model = await readFile(file);
  const changed = apart
    ? [bytes(7, weight), model]
    : [...fields(model)].map(({ number, bytes: graph, raw }) =>
        number === 7 ? bytes(7, graph, weight) : raw,
      );
  await writeFile(file, Buffer.concat(changed));
}
