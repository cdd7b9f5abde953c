// Numbers drawn as strokes: labels that look the same on a server without fonts.

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
  '-': 'M0.5 3H3.5',
  A: 'M0 6V2L2 0L4 2V6M0 4H4',
  C: 'M4 1L3 0H1L0 1V5L1 6H3L4 5',
  D: 'M0 0H3L4 1V5L3 6H0Z',
  E: 'M4 0H0V6H4M0 3H3',
  F: 'M4 0H0V6M0 3H3',
  G: 'M4 1L3 0H1L0 1V5L1 6H3L4 5V3H2.5',
  H: 'M0 0V6M4 0V6M0 3H4',
  I: 'M2 0V6M1 0H3M1 6H3',
  N: 'M0 6V0L4 6V0',
  O: 'M1 0H3L4 1V5L3 6H1L0 5V1Z',
  P: 'M0 6V0H3L4 1V2L3 3H0',
  R: 'M0 6V0H3L4 1V2L3 3H0M2 3L4 6',
  S: 'M4 1L3 0H1L0 1V2L1 3H3L4 4V5L3 6H1L0 5',
  T: 'M0 0H4M2 0V6',
};

/** An SVG of a number, `height` px high, light on a dark halo that any picture lets be read. */
export function digits(text: string, height: number): string {
  const unit = height / 8;
  const width = (text.length * 5.5 + 1) * unit;
  const path = [...text]
    .map((char, i) => `<path transform="translate(${1 + i * 5.5} 1)" d="${STROKES[char] ?? ''}"/>`)
    .join('');
  const line = (colour: string, thickness: number) =>
    `<g fill="none" stroke="${colour}" stroke-width="${thickness}" stroke-linecap="round" stroke-linejoin="round">${path}</g>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${text.length * 5.5 + 1} 8">${line('#111', 2)}${line('#f2f3f5', 0.9)}</svg>`;
}
