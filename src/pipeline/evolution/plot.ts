// The plot of the changes: a bar for each step, drawn as paths only, since a bare server may have no
// fonts; and without a word, since the message around it is in the language of whoever reads it.

import sharp from 'sharp';
import { digits, digitsWidth } from '../image/digits.js';
import type { EncodedImage } from '../types.js';

const WIDTH = 960;
const HEIGHT = 480;
const MARGIN = 20;
/** px of the numbers: some 12 where chat shows the plot 400 px wide */
const LABEL = 29;
const INK = '#1e1f22';
const GRID = '#4e5058';
const BAR = '#7c8cf8';

/** The least of 1, 2 and 5 times a power of ten that is not below `least` (above 0). */
function roundUp(least: number): { readonly factor: number; readonly exponent: number } {
  const exponent = Math.floor(Math.log10(least));
  const factor = [1, 2, 5].find((factor) => Number(`${factor}e${exponent}`) >= least);
  return factor === undefined ? { factor: 1, exponent: exponent + 1 } : { factor, exponent };
}

/** The marks of an axis from 0 to `most` (above 0) or a little beyond, as they are written: 3 to 6. */
export function ticks(most: number): string[] {
  const { factor, exponent } = roundUp(most / 5);
  const step = Number(`${factor}e${exponent}`);
  return Array.from({ length: Math.ceil(most / step) + 1 }, (_, i) =>
    Number(`${i * factor}e${exponent}`).toFixed(Math.max(0, -exponent)),
  );
}

/** @param bars the index of a step, and how much the prediction changed in it; at least one */
export async function changePlot(
  bars: readonly { readonly index: number; readonly change: number }[],
): Promise<EncodedImage> {
  const marks = ticks(Math.max(...bars.map(({ change }) => change)) || 1);
  const left = MARGIN + Math.max(...marks.map((mark) => digitsWidth(mark, LABEL))) + MARGIN / 2;
  const right = WIDTH - MARGIN;
  const top = MARGIN;
  const bottom = HEIGHT - MARGIN - LABEL - MARGIN / 2;
  const y = (value: number) => bottom - ((bottom - top) * value) / Number(marks.at(-1));
  const parts = marks.flatMap((mark) => [
    `<path d="M${left} ${y(Number(mark))}H${right}" stroke="${GRID}" stroke-width="2"/>`,
    label(mark, left - MARGIN / 2 - digitsWidth(mark, LABEL), y(Number(mark)) - LABEL / 2),
  ]);
  const wide = (right - left) / bars.length;
  for (const [i, { change }] of bars.entries()) {
    const x = left + (i + 0.12) * wide;
    parts.push(
      `<rect x="${x}" y="${y(change)}" width="${wide * 0.76}" height="${bottom - y(change)}" rx="2" fill="${BAR}"/>`,
    );
  }
  const { factor, exponent } = roundUp(bars.length / 12);
  const every = Math.max(1, Number(`${factor}e${exponent}`));
  for (const [i, { index }] of bars.entries()) {
    if (index % every !== 0) continue;
    const text = String(index);
    parts.push(
      label(text, left + (i + 0.5) * wide - digitsWidth(text, LABEL) / 2, bottom + MARGIN / 2),
    );
  }
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}"><rect width="100%" height="100%" fill="${INK}"/>${parts.join('')}</svg>`;
  const bytes = await sharp(Buffer.from(svg)).png().toBuffer();
  return { bytes, type: 'image/png', width: WIDTH, height: HEIGHT };
}

const label = (text: string, x: number, y: number): string =>
  digits(text, LABEL).replace('<svg ', `<svg x="${x}" y="${y}" `);
