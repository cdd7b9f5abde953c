// How the command writes: colours where a terminal shows them, sizes as people read them, tables.

import { stripVTControlCharacters } from 'node:util';

/** SGR codes that begin and end each (ECMA-48). Node's styleText asks stdout whatever is written to. */
const CODES = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
} as const;

export type Colour = keyof typeof CODES;

export interface OutputLike {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/** Characters that a line may have: the last column stays free, where some terminals wrap already. */
export function lineRoom({ columns }: Pick<OutputLike, 'columns'>): number {
  // Some terminals do not know how wide they are, and say 0.
  return Math.max(1, (columns || 80) - 1);
}

/** Colours for this output: none where it is no terminal, or NO_COLOR (no-color.org) is set. */
export function painter(
  out: Pick<OutputLike, 'isTTY'>,
  env: NodeJS.ProcessEnv = process.env,
): (colour: Colour, text: string) => string {
  const plain = out.isTTY !== true || Boolean(env.NO_COLOR) || env.TERM === 'dumb';
  return (colour, text) => {
    const [on, off] = CODES[colour];
    return plain ? text : `\u001b[${on}m${text}\u001b[${off}m`;
  };
}

const UNITS = ['bytes', 'kB', 'MB', 'GB', 'TB', 'PB'];

/** Bytes in powers of ten, with three digits: 0 bytes, 4.2 kB, 28.5 MB, 3.44 GB. */
export function sizeText(bytes: number): string {
  let [value, unit] = [Math.max(0, bytes), 0];
  // 999.5 and more would be shown as 1000.
  while (value >= 999.5 && unit < UNITS.length - 1) [value, unit] = [value / 1000, unit + 1];
  if (unit === 0) return `${Math.round(value)} ${value === 1 ? 'byte' : 'bytes'}`;
  return `${value.toFixed(value < 9.995 ? 2 : value < 99.95 ? 1 : 0)} ${UNITS[unit]}`;
}

/** Seconds as a person says them: 8 s, 3 min, 2 h 5 min. */
export function timeText(seconds: number): string {
  if (seconds < 99.5) return `${Math.max(1, Math.round(seconds))} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 100) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** Columns as wide as their widest cell, two blanks between, nothing after the last one. */
export function table(rows: readonly (readonly string[])[], rightAligned: number[] = []): string {
  const width = (text: string) => [...stripVTControlCharacters(text)].length;
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, i) => {
      widths[i] = Math.max(widths[i] ?? 0, width(cell));
    });
  }
  const line = (row: readonly string[]) =>
    row
      .map((cell, i) => {
        const blanks = ' '.repeat(widths[i]! - width(cell));
        return rightAligned.includes(i) ? blanks + cell : cell + blanks;
      })
      .join('  ')
      .trimEnd();
  return rows.map((row) => `${line(row)}\n`).join('');
}

/** Other people's text on a terminal: control characters could move the cursor or hide lines. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is to go
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, '\ufffd');
}
