// What a download shows on its way, and the sizes, times and tables of `ylem models`.

import { describe, expect, it } from 'vitest';
import { createTransfers } from '../../../src/cli/models/transfers.js';
import { painter, sizeText, table, timeText } from '../../../src/cli/style.js';

function output(isTTY: boolean, columns = 100) {
  const written: string[] = [];
  return { isTTY, columns, written, write: (text: string) => written.push(text) };
}

describe('a download on a terminal', () => {
  it('shows bytes, speed and the time left of all that is to come', () => {
    const out = output(true);
    let now = 0;
    const transfers = createTransfers(out, () => now);
    transfers.begin('unet/model.onnx_data', 10e6, 20e6);
    transfers.at(0);
    for (now = 1000; now <= 3000; now += 1000) transfers.at((now / 1000) * 1e6);
    expect(out.written.at(-1)).toMatch(
      /^\runet\/model\.onnx_data {2}█{6}░{14} 3\.00 MB of 10\.0 MB {2}1\.00 MB\/s, 27 s left/,
    );
    transfers.done();
    expect(out.written.at(-1)).toContain('unet/model.onnx_data');
    expect(out.written.at(-1)).toMatch(/\n$/);
  });

  it('does not count as speed what was there before', () => {
    const out = output(true);
    let now = 0;
    const transfers = createTransfers(out, () => now);
    transfers.begin('x', 10e9, 0);
    transfers.at(9e9);
    now = 2000;
    transfers.at(9e9 + 2e6);
    expect(out.written.at(-1)).toMatch(/1\.00 MB\/s, 17 min left/);
  });

  it('takes no speed from small files, which are all waiting', () => {
    const out = output(true);
    let now = 0;
    const transfers = createTransfers(out, () => now);
    transfers.begin('config.json', 700, 3e9);
    for (; now <= 3000; now += 500) transfers.at(now / 10);
    expect(out.written.join('')).not.toContain('left');
  });

  it('keeps to one line, however long the name and narrow the terminal', () => {
    for (const columns of [10, 30, 40, 60, 200]) {
      const out = output(true, columns);
      let now = 0;
      const transfers = createTransfers(out, () => now);
      transfers.say(`asking ${'long'.repeat(60)}`);
      transfers.begin(`text_encoder/${'long'.repeat(60)}`, 5e9, 1e9);
      for (; now <= 2000; now += 500) transfers.at(now * 1e5);
      for (const line of out.written) {
        const shown = [...line.replace('\r', '').replace('\x1b[K', '')];
        expect(shown.length).toBeLessThan(columns);
      }
    }
  });

  it('shows how far a file that was there is read, which says nothing of the speed', () => {
    const out = output(true);
    let now = 0;
    const transfers = createTransfers(out, () => now);
    transfers.begin('unet/model.onnx_data', 10e9, 0);
    for (; now < 2000; now += 500) transfers.checked(now * 1e6);
    expect(out.written.at(-1)).toMatch(
      /^\runet\/model\.onnx_data {2}█{3}░{17} 1\.50 GB of 10\.0 GB/,
    );
    transfers.at(5e9);
    for (let i = 1; i <= 4; i++) {
      now += 500;
      transfers.at(5e9 + i * 5e5);
    }
    expect(out.written.at(-1)).toContain('1.00 MB/s');
  });

  it('lets no control characters of a file name through', () => {
    const out = output(true);
    const transfers = createTransfers(out);
    transfers.begin('a\u001b[2Jb', 1, 0);
    transfers.at(1);
    transfers.done();
    expect(out.written.join('')).not.toContain('\u001b[2J');
  });
});

it('elsewhere there is one line for each file', () => {
  const out = output(false);
  const transfers = createTransfers(out);
  transfers.say('asking');
  transfers.begin('a.json', 2000, 0);
  transfers.at(1000);
  transfers.at(2000);
  transfers.done();
  transfers.end();
  expect(out.written).toEqual(['✓ a.json  2.00 kB\n']);
});

describe('the style', () => {
  it.each([
    [0, '0 bytes'],
    [1, '1 byte'],
    [999, '999 bytes'],
    [999.6, '1.00 kB'],
    [1000, '1.00 kB'],
    [28_530_973, '28.5 MB'],
    [999_499, '999 kB'],
    [999_500, '1.00 MB'],
    [3.44e9, '3.44 GB'],
    [1e15, '1.00 PB'],
    [5e18, '5000 PB'],
  ])('%d bytes are %s', (bytes, text) => {
    expect(sizeText(bytes)).toBe(text);
  });

  it('says times as people do', () => {
    expect([0, 8, 99, 100, 3600, 7500].map(timeText)).toEqual([
      ...['1 s', '8 s', '99 s', '2 min', '60 min', '2 h 5 min'],
    ]);
  });

  it('lines up columns, whatever colours they have', () => {
    const red = '\u001b[31mx\u001b[39m';
    expect(
      table(
        [
          ['a', '1'],
          [red, '22'],
          ['ccc', '3'],
        ],
        [1],
      ),
    ).toBe(`a     1\n${red}    22\nccc   3\n`);
  });

  it('has colours on a terminal only, and none with NO_COLOR', () => {
    expect(painter({ isTTY: true }, {})('red', 'x')).toContain('\u001b[31m');
    expect(painter({ isTTY: false }, {})('red', 'x')).toBe('x');
    expect(painter({ isTTY: true }, { NO_COLOR: '1' })('red', 'x')).toBe('x');
  });
});
