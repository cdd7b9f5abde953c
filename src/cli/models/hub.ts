// A Hugging Face hub as `pull` needs it: which commit a revision is, which files it has, and their
// bytes from any offset. Busy moments are waited out; refusals become one sentence for the user.

import { setTimeout as pause } from 'node:timers/promises';
import { downloadFile, listFiles, modelInfo } from '@huggingface/hub';
import { UserError } from '../../errors.js';
import { staysInside } from '../../pipeline/inside.js';
import type { HubModel } from './names.js';

/** A file in a repository, pinned to a commit. */
export interface RemoteFile {
  /** with slashes; checked to stay inside the model's directory */
  readonly path: string;
  readonly size: number;
  /** of the content (large files, LFS), or of git's blob: `blob SIZE\0` and the content */
  readonly hash: { readonly kind: 'sha256' | 'git-sha1'; readonly hex: string };
}

/** Part of a file cannot be had at this moment; what came before it is good. */
export class CutOff extends Error {}

/** ms, unless said otherwise */
const PATIENCE = 60_000;
/** tries of one request before its failure is told, with pauses of 0.5, 1, 2 and 4 s between */
const TRIES = 5;
/** s; a hub that asks for more is told about instead of waited for */
const LONGEST_WAIT = 120;
/** files and folders in one repository beyond which a listing is not read on */
const MOST_ENTRIES = 20_000;
/** pages of one listing beyond which it is not read on: they may be empty, and each names a next one */
const MOST_PAGES = 1000;
/** bytes of one answer that is no file, unpacked: a hub's longest are some hundred KB */
const LONGEST_ANSWER = 16 << 20;

export class Hub {
  /** without a trailing slash */
  readonly url: string;
  readonly #token: string | undefined;
  readonly #signal: AbortSignal;
  readonly #say: (text: string) => void;
  readonly #patience: number;

  /**
   * @param env HF_ENDPOINT and HF_TOKEN, as Hugging Face's own tools read them
   * @param signal ends everything that goes on
   * @param say is told why there is a wait
   * @param patience ms without a byte after which a connection counts as dead
   * @throws UserError 'config-invalid'
   */
  constructor(
    env: NodeJS.ProcessEnv,
    signal: AbortSignal,
    say: (text: string) => void = () => {},
    patience = PATIENCE,
  ) {
    const address = env.HF_ENDPOINT?.trim() || 'https://huggingface.co';
    if (!URL.canParse(address) || !/^https?:$/.test(new URL(address).protocol)) {
      throw new UserError(
        'config-invalid',
        `HF_ENDPOINT must be an http or https address, got "${address}".`,
      );
    }
    this.url = address.replace(/\/+$/, '');
    this.#token = env.HF_TOKEN?.trim() || undefined;
    if (this.#token !== undefined && !/^hf_[\x21-\x7e]+$/.test(this.#token)) {
      throw new UserError(
        'config-invalid',
        'HF_TOKEN must be an access token of the hub, which begins with hf_.',
      );
    }
    this.#signal = signal;
    this.#say = say;
    this.#patience = patience;
  }

  get host(): string {
    return new URL(this.url).host;
  }

  /**
   * @returns the commit, 40 hexadecimal digits, that a revision is now
   * @throws UserError for a repository that is absent, private or gated, and for a hub out of reach
   */
  async commitOf(model: HubModel): Promise<string> {
    const info = await this.#api(model, () =>
      modelInfo({
        ...this.#common(model),
        name: model.repository,
        revision: model.revision,
        additionalFields: ['sha'],
      }),
    );
    const sha: unknown = info.sha;
    if (typeof sha !== 'string' || !/^[0-9a-f]{40}$/.test(sha)) throw this.#noHub();
    return sha;
  }

  /**
   * Files whose path could lead out of the model's directory, or that not every platform can write,
   * are passed over: a repository may have such ones beside the model, and none is wanted.
   */
  async files(model: HubModel, commit: string): Promise<RemoteFile[]> {
    const found: RemoteFile[] = [];
    await this.#api(model, async () => {
      found.length = 0;
      let [entries, pages] = [0, 0];
      const common = this.#common(model);
      const listing = listFiles({
        ...common,
        fetch: (input, init) => {
          if (++pages > MOST_PAGES) throw tooMany(model, `${MOST_PAGES} pages of files`);
          return common.fetch(input, init);
        },
        repo: model.repository,
        revision: commit,
        recursive: true,
      });
      for await (const { type, path, size, oid, lfs } of listing) {
        if (++entries > MOST_ENTRIES) throw tooMany(model, `${MOST_ENTRIES} files and folders`);
        if (typeof path !== 'string') throw this.#noHub();
        if (type !== 'file') continue;
        if (!staysInside(path)) continue;
        const [kind, hex, bytes] = lfs ? ['sha256', lfs.oid, lfs.size] : ['git-sha1', oid, size];
        const digits = kind === 'sha256' ? 64 : 40;
        if (!new RegExp(`^[0-9a-f]{${digits}}$`).test(String(hex)) || !((bytes ?? -1) >= 0))
          throw this.#noHub();
        const hash = { kind, hex } as RemoteFile['hash'];
        found.push({ path, size: bytes as number, hash });
      }
    });
    return found;
  }

  /**
   * A file's bytes from an offset on. The client library follows redirects to where large files
   * lie, and leaves the token behind there.
   * @param offset below the file's size
   * @throws CutOff when the connection ends or stands still
   * @throws UserError for what trying again cannot mend
   */
  async *bytes(
    model: HubModel,
    commit: string,
    file: RemoteFile,
    offset: number,
  ): AsyncGenerator<Uint8Array, void> {
    // The library's stream tells a failure as a bare text: what really happened is kept here.
    let failure: unknown;
    /** over the answer that is read */
    const held: { watch?: Watch } = {};
    const fetch: typeof globalThis.fetch = async (input, init) => {
      try {
        const answer = await this.#fetch(model, input, init, (watch) => {
          held.watch?.end();
          held.watch = watch;
        });
        checkRange(answer, file, offset);
        return answer;
      } catch (error) {
        failure = error;
        throw error;
      }
    };
    try {
      const path = file.path.split('/').map(encodeURIComponent).join('/');
      const blob = await downloadFile({
        ...this.#common(model),
        repo: model.repository,
        path,
        revision: commit,
        // From the listing: it spares a request for each file.
        downloadInfo: {
          size: file.size,
          etag: file.hash.hex,
          url: `${this.url}/${model.repository}/resolve/${commit}/${path}`,
        },
        xet: false,
        fetch,
      });
      if (blob === null) throw new CutOff('the hub has no such file');
      // A range that is the whole file would be asked for without saying so.
      const stream = (offset === 0 ? blob : blob.slice(offset)).stream();
      for await (const chunk of stream) {
        held.watch?.moved();
        yield chunk;
      }
    } catch (error) {
      this.#signal.throwIfAborted();
      const reason = failure ?? error;
      if (reason instanceof UserError) throw reason;
      throw new CutOff(reasonOf(reason));
    } finally {
      held.watch?.end();
    }
  }

  /** Waits; @throws the signal's reason as soon as it is told to end */
  async pause(milliseconds: number): Promise<void> {
    await pause(milliseconds, undefined, { signal: this.#signal });
  }

  #common(model: HubModel) {
    return {
      hubUrl: this.url,
      fetch: ((input, init) => this.#fetch(model, input, init)) as typeof fetch,
      ...(this.#token !== undefined && { accessToken: this.#token }),
    };
  }

  /** What the library makes of an answer that is none of a hub's is told as that. */
  async #api<T>(model: HubModel, ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      this.#signal.throwIfAborted();
      if (error instanceof UserError) throw error;
      if (error instanceof CutOff) throw this.#outOfReach(error.message);
      if (error instanceof SyntaxError || error instanceof TypeError) throw this.#noHub();
      throw this.#outOfReach(`${reasonOf(error)} for ${model.repository}`);
    }
  }

  /**
   * One request, tried again while the hub is busy or the connection fails.
   * @param download is given the watch over a body that it reads itself, and ends it; absent: the
   *   body is short, and read whole here
   */
  async #fetch(
    model: HubModel,
    input: string | URL | Request,
    init: RequestInit | undefined,
    download?: (watch: Watch) => void,
  ): Promise<Response> {
    const headers = new Headers(init?.headers);
    const address = input instanceof Request ? input.url : String(input);
    // A listing's next page is wherever the hub says: the token goes to the hub alone.
    if (new URL(address).origin !== new URL(this.url).origin) headers.delete('authorization');
    headers.set('user-agent', 'ylem');
    for (let attempt = 1; ; attempt++) {
      // A stall ends one try and no other, and the pause before the next one is no stall.
      const watch = new Watch(this.#signal, this.#patience);
      let isGiven = false;
      let wait = 0.5 * 2 ** (attempt - 1);
      let problem: string;
      try {
        const answer = await fetch(input, { ...init, headers, signal: watch.signal });
        if (answer.ok) {
          if (download !== undefined) {
            isGiven = true;
            download(watch);
            return answer;
          }
          const body = await this.#whole(answer);
          return new Response(body, { status: answer.status, headers: plain(answer.headers) });
        }
        await answer.body?.cancel();
        if (answer.status !== 429 && answer.status < 500)
          throw this.#refusal(model, answer, headers.has('authorization'));
        const asked = Number(answer.headers.get('retry-after') ?? Number.NaN);
        if (asked >= 0) wait = asked;
        problem =
          answer.status === 429
            ? `${this.host} asks for fewer requests`
            : `${this.host} answers with status ${answer.status}`;
      } catch (error) {
        this.#signal.throwIfAborted();
        if (error instanceof UserError) throw error;
        problem = `${this.host} does not answer (${reasonOf(error)})`;
      } finally {
        if (!isGiven) watch.end();
      }
      if (attempt === TRIES || wait > LONGEST_WAIT) {
        throw new UserError('hub-out-of-reach', `${problem}; try again later.`);
      }
      if (wait >= 2) this.#say(`${problem}; waiting ${Math.round(wait)} s`);
      await this.pause(wait * 1000);
    }
  }

  /** The body of an answer; @throws UserError for one that is too long, which is then not read on */
  async #whole(answer: Response): Promise<Blob> {
    const chunks: Uint8Array<ArrayBuffer>[] = [];
    let length = 0;
    for await (const chunk of answer.body ?? []) {
      length += chunk.length;
      if (length > LONGEST_ANSWER) throw this.#noHub();
      chunks.push(chunk);
    }
    return new Blob(chunks);
  }

  /** What the hub's refusal means to a user. X-Error-Code: huggingface_hub's errors.py. */
  #refusal(model: HubModel, answer: Response, withToken: boolean): UserError {
    const { repository, revision } = model;
    const code = answer.headers.get('x-error-code') ?? '';
    const { status } = answer;
    const context = { repository, status };
    // A 403 without the hub's own code may be anybody's, such as a proxy's.
    if (code === 'GatedRepo') {
      const how = withToken
        ? `open ${this.url}/${repository}, accept its terms with the account that HF_TOKEN belongs to`
        : `accept its terms on ${this.url}/${repository} and set HF_TOKEN to an access token of yours`;
      return new UserError('hub-gated', `${repository} is gated: ${how}, and try again.`, context);
    }
    if (code === 'RevisionNotFound') {
      return new UserError(
        'hub-no-revision',
        `${repository} has no branch, tag or commit "${revision}".`,
        context,
      );
    }
    if (code === 'EntryNotFound') {
      return new UserError(
        'hub-no-file',
        `${repository} lists a file that it does not have (${new URL(answer.url).pathname}).`,
        context,
      );
    }
    // Without a token the hub answers 401 for what is private and for what is not there at all.
    if (status === 401 && withToken) {
      return new UserError(
        'hub-token-refused',
        `${this.host} does not accept HF_TOKEN, or ${repository} is not there.`,
        context,
      );
    }
    if (status === 401 || status === 404) {
      const token = withToken
        ? 'HF_TOKEN has no access to it'
        : 'private (then set HF_TOKEN to an access token of yours)';
      return new UserError(
        'hub-no-repository',
        `There is no model ${repository} on ${this.host}, or it is ${withToken ? `private and ${token}` : token}.`,
        context,
      );
    }
    return new UserError(
      'hub-refused',
      `${this.host} refuses ${repository} with status ${status}${code === '' ? '' : ` (${code})`}.`,
      context,
    );
  }

  #noHub(): UserError {
    return new UserError(
      'hub-out-of-reach',
      `${this.url} does not answer like a Hugging Face hub; HF_ENDPOINT says which hub is asked.`,
    );
  }

  #outOfReach(reason: string): UserError {
    return new UserError('hub-out-of-reach', `${this.host} cannot be used: ${reason}.`);
  }
}

function tooMany({ repository }: HubModel, what: string): UserError {
  return new UserError(
    'hub-too-many-files',
    `${repository} has more than ${what}: it is no model that Ylem can use.`,
  );
}

/** The body was decoded while it was read: what describes its coded form is no longer true. */
function plain(headers: Headers): Headers {
  const copy = new Headers(headers);
  for (const name of ['content-encoding', 'content-length']) copy.delete(name);
  return copy;
}

/** An answer must hold just the bytes that were asked for, or parts of files would be glued wrongly. */
function checkRange(answer: Response, file: RemoteFile, offset: number): void {
  const { headers, status } = answer;
  if (offset === 0) {
    const length = headers.get('content-encoding') === null ? headers.get('content-length') : null;
    if (length !== null && Number(length) !== file.size)
      throw new WrongBytes(`${file.path} has ${length} bytes instead of ${file.size}`);
    return;
  }
  const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers.get('content-range') ?? '');
  if (status !== 206 || Number(range?.[1]) !== offset) throw new NoRanges();
  if (range?.[2] !== '*' && Number(range?.[2]) !== file.size)
    throw new WrongBytes(`${file.path} has ${range?.[2]} bytes instead of ${file.size}`);
}

/** The server gives the whole file only: it must be begun anew. */
export class NoRanges extends UserError {
  constructor() {
    super('hub-no-ranges', 'The hub does not give parts of files.');
  }
}

/** What came is not what the listing promised. */
export class WrongBytes extends UserError {
  constructor(what: string) {
    super('hub-wrong-bytes', `The hub sent something else than it lists: ${what}.`);
  }
}

/** Ends a connection on which nothing moves, from its making on. */
class Watch {
  readonly #controller = new AbortController();
  readonly #parent: AbortSignal;
  /** ms */
  readonly #patience: number;
  readonly #passOn = () => this.#controller.abort(this.#parent.reason);
  #timer: NodeJS.Timeout | undefined;

  constructor(parent: AbortSignal, patience: number) {
    this.#parent = parent;
    this.#patience = patience;
    if (parent.aborted) this.#passOn();
    else parent.addEventListener('abort', this.#passOn);
    this.moved();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  moved(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(
      () => this.#controller.abort(new Error(`nothing came for ${this.#patience / 1000} s`)),
      this.#patience,
    );
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#parent.removeEventListener('abort', this.#passOn);
    this.#controller.abort();
  }
}

/** The first words of an error, and of what caused it: fetch says only "fetch failed" itself. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error).slice(0, 200);
  const cause = error.cause instanceof Error ? error.cause : error;
  const code = (cause as NodeJS.ErrnoException).code;
  const text = cause.message.split('\n')[0]!.slice(0, 200) || cause.name;
  return code !== undefined && !text.includes(code) ? `${code}: ${text}` : text;
}
