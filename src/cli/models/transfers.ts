// What a download shows: on a terminal one moving line for the file in hand, and one line for each
// file that is there; elsewhere only the latter.

import { lineRoom, type OutputLike, painter, printable, sizeText, timeText } from '../style.js';

const WIDTH = 20;
/** ms between two drawings of the moving line */
const RHYTHM = 100;
/** bytes below which a file says nothing about the speed: it is all waiting */
const SMALL = 1e6;
/** ms over which the speed is measured */
const SPAN = 8000;

export interface Transfers {
  /** a word on what is being done */
  say(text: string): void;
  /**
   * @param file as it is named to the user
   * @param size bytes
   * @param rest bytes of the files that come after it
   */
  begin(file: string, size: number, rest: number): void;
  /** @param bytes of the file in hand that are there */
  at(bytes: number): void;
  /** @param bytes of the file in hand that were there and are read again, to see if they are good */
  checked(bytes: number): void;
  /** the file in hand is there and whole */
  done(): void;
  /** wipes the moving line */
  end(): void;
}

export function createTransfers(out: OutputLike, now: () => number = () => Date.now()): Transfers {
  const live = out.isTTY === true;
  const paint = painter(out);
  let name = '';
  let [size, rest, shownAt] = [0, 0, Number.NEGATIVE_INFINITY];
  /** bytes that came while this process watched, since its beginning */
  let [moved, last] = [0, 0];
  let marks: { readonly at: number; readonly moved: number }[] = [];

  const wipe = () => {
    if (live) out.write('\r\x1b[K');
  };
  const shortened = (text: string, room: number) => {
    const letters = [...text];
    return letters.length <= room ? text : `…${letters.slice(letters.length - room + 1).join('')}`;
  };
  const speed = () => {
    const oldest = marks[0];
    const newest = marks.at(-1);
    if (oldest === undefined || newest === undefined || newest.at - oldest.at < 500) return;
    return ((newest.moved - oldest.moved) / (newest.at - oldest.at)) * 1000;
  };
  const isTime = () => {
    const at = now();
    if (!live || at - shownAt < RHYTHM) return false;
    shownAt = at;
    return true;
  };
  const draw = (bytes: number, more: string) => {
    const filled = size === 0 ? WIDTH : Math.min(WIDTH, Math.floor((bytes / size) * WIDTH));
    const bar = '█'.repeat(filled) + '░'.repeat(WIDTH - filled);
    const numbers = `  ${bar} ${sizeText(bytes)} of ${sizeText(size)}${more}`;
    const room = Math.max(12, lineRoom(out) - [...numbers].length);
    const line = [...(shortened(name, room) + numbers)].slice(0, lineRoom(out)).join('');
    out.write(`\r${line}\x1b[K`);
  };

  return {
    say(text) {
      if (live) out.write(`\r${shortened(printable(text), lineRoom(out))}\x1b[K`);
    },
    begin(file, bytes, after) {
      [name, size, rest] = [printable(file), bytes, after];
      [last, shownAt] = [-1, Number.NEGATIVE_INFINITY];
    },
    at(bytes) {
      // What was there before does not count as speed.
      if (last >= 0 && bytes > last) moved += bytes - last;
      last = bytes;
      if (!isTime()) return;
      const at = shownAt;
      if (size >= SMALL) marks = [...marks.filter((mark) => at - mark.at <= SPAN), { at, moved }];
      const rate = size >= SMALL ? speed() : undefined;
      const left =
        rate === undefined || rate < 1
          ? ''
          : `  ${sizeText(rate)}/s, ${timeText((size - bytes + rest) / rate)} left`;
      draw(bytes, left);
    },
    checked(bytes) {
      if (isTime()) draw(bytes, ' checked');
    },
    done() {
      wipe();
      out.write(`${paint('green', '✓')} ${name}  ${paint('dim', sizeText(size))}\n`);
    },
    end: wipe,
  };
}
