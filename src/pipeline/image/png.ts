// Text in PNG files: chunks put in and read back without touching the picture.

import { fourLetters, pieces } from '../../image-size.js';

const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c >>> 0;
});

/** CRC-32 of ISO 3309, as PNG wants it. (node:zlib has one only in newer versions.) */
function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = TABLE[(crc ^ byte) & 0xff]! ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const whole = Buffer.alloc(body.length + 8);
  whole.writeUInt32BE(data.length, 0);
  body.copy(whole, 4);
  whole.writeUInt32BE(crc32(body), body.length + 4);
  return whole;
}

/** tEXt where Latin-1 can hold the text, iTXt (UTF-8) where it cannot; right before the end chunk. */
export function withText(png: Uint8Array, keyword: string, text: string): Buffer {
  const latin = [...text].every((char) => char.codePointAt(0)! <= 0xff && char !== '\0');
  const head = Buffer.from(`${keyword}\0`, 'latin1');
  const made = latin
    ? chunk('tEXt', Buffer.concat([head, Buffer.from(text, 'latin1')]))
    : chunk('iTXt', Buffer.concat([head, Buffer.from([0, 0, 0, 0]), Buffer.from(text, 'utf8')]));
  const end = png.length - 12;
  return Buffer.concat([png.subarray(0, end), made, png.subarray(end)]);
}

const [PLAIN, INTERNATIONAL] = [fourLetters('tEXt'), fourLetters('iTXt')];
/** bytes of a text that is read: strangers send files of 25 MiB */
const MOST_BYTES = 2 ** 20;

/** The text of a keyword; undefined where there is none or the file is no whole PNG. */
export function readText(png: Uint8Array, keyword: string): string | undefined {
  const file = Buffer.from(png.buffer, png.byteOffset, png.byteLength);
  if (file.length < 20 || file.toString('latin1', 1, 4) !== 'PNG') return undefined;
  for (const { name, from, to } of pieces(file, 'image/png')) {
    if (name !== PLAIN && name !== INTERNATIONAL) continue;
    const split = keyword.length;
    if (file[from + split] !== 0 || to - from > MOST_BYTES) continue;
    const data = file.subarray(from, to);
    if (data.toString('latin1', 0, split) !== keyword) continue;
    if (name === PLAIN) return data.toString('latin1', split + 1);
    const languageEnd = data.indexOf(0, split + 3);
    const translatedEnd = data.indexOf(0, languageEnd + 1);
    if (data[split + 1] === 0) return data.toString('utf8', translatedEnd + 1);
  }
  return undefined;
}
