// Files that people send: fetched from allowed hosts only, whole, within limits of bytes, pixels and
// time. What is refused is told in one sentence; nothing is decoded in this process.

import { UserError } from '../errors.js';
import { isWhole, pictureKind, shownSize } from '../image-size.js';
import type { InitImage } from '../pipeline/types.js';

/** What Discord says of a file before anything of it is fetched; discord.js's Attachment has it. */
export interface SentFile {
  readonly url: string;
  readonly name: string;
  /** bytes */
  readonly size: number;
  readonly contentType: string | null;
  /** px; null for what is no picture */
  readonly width: number | null;
  readonly height: number | null;
}

/** A file's facts without the client that they came by. */
export function sentFile({ url, name, size, contentType, width, height }: SentFile): SentFile {
  return { url, name, size, contentType, width, height };
}

/** A picture that is meant to be one, as far as its bytes tell without being decoded. */
export interface SentPicture {
  readonly bytes: Uint8Array;
  /** px, as it is shown */
  readonly width: number;
  readonly height: number;
}

/** An init image as it was sent, with the size that it is shown at, px. */
export interface SentInit {
  readonly init: InitImage;
  readonly width: number;
  readonly height: number;
}

type What = 'init image' | 'mask';

/** bytes that a file may have: more than any telephone's photograph */
const MOST_BYTES = 25 * 1024 * 1024;
/** pixels that a picture may declare, in millions: as many as the engine decodes */
const MOST_MEGAPIXELS = 120;
/** ms within which a file must be here */
const PATIENCE = 10_000;
/** Files that are fetched at a time: they lie in this process's memory until they are on the disk. */
const AT_ONCE = 4;

/** True for what may be a picture by its declared kind or its name; its bytes have the last word. */
export function looksLikePicture(file: Pick<SentFile, 'contentType' | 'name'>): boolean {
  return (
    file.contentType?.startsWith('image/') === true || /\.(png|jpe?g|webp|gif)$/i.test(file.name)
  );
}

/**
 * Fetches an init image and its mask.
 * @param hosts such as cdn.discordapp.com or 127.0.0.1:4000
 * @throws UserError 'bad-image', 'image-too-large' and those of `fetchAttachment`
 */
export async function fetchInit(
  image: SentFile,
  mask: SentFile | null,
  hosts: readonly string[],
): Promise<SentInit> {
  // Both are looked at before the first byte is fetched.
  checkDeclared(image, 'init image');
  if (mask !== null) checkDeclared(mask, 'mask');
  const [picture, over] = await Promise.all([
    fetchPicture(image, 'init image', hosts),
    mask === null ? undefined : fetchPicture(mask, 'mask', hosts),
  ]);
  const { bytes, width, height } = picture;
  const init = over === undefined ? { image: bytes } : { image: bytes, mask: over.bytes };
  return { init, width, height };
}

async function fetchPicture(
  file: SentFile,
  what: What,
  hosts: readonly string[],
): Promise<SentPicture> {
  const fetched = await fetchAttachment(file.url, hosts);
  const bytes = Buffer.from(fetched.buffer, fetched.byteOffset, fetched.byteLength);
  const kind = pictureKind(bytes);
  if (kind === undefined || kind.width * kind.height === 0 || !(await isWhole(bytes, kind)))
    throw badImage(what);
  checkPixels(kind.width, kind.height, what);
  return { bytes, ...shownSize(kind) };
}

/** @throws UserError for what is known to be wrong from what Discord says */
function checkDeclared(file: SentFile, what: What): void {
  if (!looksLikePicture(file)) throw badImage(what);
  if (file.size > MOST_BYTES) throw tooLarge();
  checkPixels(file.width ?? 0, file.height ?? 0, what);
}

function checkPixels(width: number, height: number, what: What): void {
  if (width * height <= MOST_MEGAPIXELS * 1e6) return;
  throw new UserError(
    'image-too-large',
    `The ${what} has ${width}x${height} pixels; at most ${MOST_MEGAPIXELS} million are allowed.`,
    { what, width, height, max: MOST_MEGAPIXELS },
  );
}

const badImage = (what: What) =>
  new UserError('bad-image', `The ${what} must be a whole PNG, JPEG, WebP or GIF file.`, { what });

function tooLarge(): UserError {
  const max = MOST_BYTES / 2 ** 20;
  return new UserError('attachment-too-large', `A file may have at most ${max} MiB.`, { max });
}

/**
 * Fetches a file from an allowed host, within size and time, following no redirect.
 * @param hosts such as cdn.discordapp.com or 127.0.0.1:4000
 * @throws UserError 'attachment-host', 'attachment-too-large', 'attachment-slow' or
 *   'attachment-unreachable'
 */
export async function fetchAttachment(
  address: string,
  hosts: readonly string[],
): Promise<Uint8Array> {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  const local = url !== undefined && /^(127\.0\.0\.1|localhost|\[::1\])$/.test(url.hostname);
  const scheme = url?.protocol === 'https:' || (url?.protocol === 'http:' && local);
  if (url === undefined || !scheme || !hosts.includes(url.host)) {
    throw new UserError(
      'attachment-host',
      'I take files from Discord itself and from nowhere else; upload this one here.',
    );
  }
  const signal = AbortSignal.timeout(PATIENCE);
  try {
    return await slots.within(signal, () => download(url, signal));
  } catch (error) {
    if (error instanceof UserError) throw error;
    if (signal.aborted) {
      throw new UserError('attachment-slow', 'The file took too long to come; try again.');
    }
    throw unreachable(); // the address stays out of the log: it is signed
  }
}

const unreachable = () =>
  new UserError('attachment-unreachable', 'The file could not be fetched; upload it again.');

async function download(url: URL, signal: AbortSignal): Promise<Uint8Array> {
  const response = await fetch(url, { redirect: 'error', signal });
  if (!response.ok || response.body === null) {
    await response.body?.cancel();
    throw unreachable();
  }
  const declared = Number(response.headers.get('content-length') ?? 0);
  if (declared > MOST_BYTES) {
    await response.body.cancel();
    throw tooLarge();
  }
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
    length += chunk.length;
    if (length > MOST_BYTES) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Lets so many at a time through, in their order. */
class Slots {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  /** @throws the signal's reason when it aborts before there is a place */
  async within<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1;
    else await this.#place(signal);
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free += 1;
      else next(); // the place goes from hand to hand
    }
  }

  #place(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const taken = () => {
        signal.removeEventListener('abort', gone);
        resolve();
      };
      const gone = () => {
        this.#waiting.splice(this.#waiting.indexOf(taken), 1);
        reject(signal.reason);
      };
      signal.addEventListener('abort', gone, { once: true });
      this.#waiting.push(taken);
    });
  }
}

const slots = new Slots(AT_ONCE);
