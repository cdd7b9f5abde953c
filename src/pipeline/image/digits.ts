// Numbers drawn as strokes, with what parts and shares of a whole are written with: labels that look
// the same on a server without fonts.

/** Strokes of each character on a grid 4 wide and 6 high. */
const STROKES: Readonly<Record<string, string>> = {
  '0': 'M1 0H3L4 1V5L3 6H1L0 5V1Z',
  '1': 'M1 1L2 0V6M1 6H3',
  '2': 'M0 1L1 0H3L4 1V2L0 6H4',
  '3': 'M0 0H4L2 2.5L4 4V5L3 6H1L0 5',
  '4': 'M3 6V0L0 4H4',
  '5': 'M4 0H0V2.5H3L4 3.5V5L3 6H0',
  '6': 'M3 0L1 1L0 3V5L1 6H3L4 5V4L3 3H0',
  '7': 'M0 0H4L1.5 6',
  '8': 'M1 0H3L4 1V2L3 3H1L0 2V1ZM1 3H3L4 4V5L3 6H1L0 5V4Z',
  '9': 'M1 6L3 5L4 3V1L3 0H1L0 1V2L1 3H4',
  '.': 'M1.8 6H2.2',
  '/': 'M4 0L0 6',
  '%': 'M4 0L0 6M0 0H1.4V1.8H0ZM2.6 4.2H4V6H2.6Z',
};
/** On that grid: how thick the halo is, and from one character to the next. */
const HALO = 2.8;
const ADVANCE = 5.4;
/** of the halo around the first and the last stroke */
const MARGIN = HALO / 2;
const LINE = 6 + 2 * MARGIN;

const widthOf = (text: string): number => 4 + ADVANCE * (text.length - 1) + 2 * MARGIN;

/** px that `digits` of `height` px are wide */
export function digitsWidth(text: string, height: number): number {
  return (widthOf(text) * height) / LINE;
}

/** An SVG of a number, `height` px high, light on a dark halo that any picture lets be read. */
export function digits(text: string, height: number): string {
  const path = [...text]
    .map(
      (char, i) =>
        `<path transform="translate(${MARGIN + i * ADVANCE} ${MARGIN})" d="${STROKES[char] ?? ''}"/>`,
    )
    .join('');
  const line = (colour: string, thickness: number) =>
    `<g fill="none" stroke="${colour}" stroke-width="${thickness}" stroke-linecap="round" stroke-linejoin="round">${path}</g>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${digitsWidth(text, height)}" height="${height}" viewBox="0 0 ${widthOf(text)} ${LINE}">${line('#111', HALO)}${line('#f2f3f5', 1)}</svg>`;
}
