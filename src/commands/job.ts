// One generation on its way from the queue to its reply.

import { LiveReply } from '../discord/live-reply.js';
import { type MessageFile, type ReplyToken, textOnly } from '../discord/message.js';
import type { PictureFacts } from '../discord/panels.js';
import { formingPanel, restartingPanel, waitingPanel } from '../discord/panels.js';
import type { MessageRest } from '../discord/rest.js';
import { type Texts, textsFor } from '../discord/texts/index.js';
import { ReplyTransport } from '../discord/transport.js';
import type { EngineRun, Preview, StepReport } from '../engine/types.js';
import type { Place } from '../queue/types.js';
import { factsOf, type Promised } from './facts.js';

/** ms of a private reply's token left when its owner is asked to press a button. */
const DYING = 4 * 60_000;
/** ms after which a run that has shown no preview says at least that it has begun. */
const SAY_STARTED_AFTER = 400;

/** A preview as the reply shows it. */
interface Frame {
  readonly index: number;
  readonly total: number;
  readonly file: MessageFile;
}

export interface JobHooks {
  beforeNewMessage(): Promise<void>;
  onMessage(messageId: string): void;
  onRefused(error: unknown): void;
}

export class Job {
  readonly generation: Promised;
  readonly facts: PictureFacts;
  readonly texts: Texts;
  readonly live: LiveReply;
  readonly transport: ReplyTransport;
  /** there is a reply to edit: the interaction was answered */
  #answered: boolean;
  /** set while an engine works on it */
  #run: EngineRun | undefined;
  /** a stop that came before the engine had begun */
  #stopWanted = false;
  #lastWaiting = '';
  #stepTimes: number[] = [];
  #latest: { index: number; total: number } | undefined;
  /** the newest preview that was made for the reply */
  #preview: Frame | undefined;
  /** its owner was told that a private reply is about to be out of reach */
  #reminded = false;
  #startTimer: NodeJS.Timeout | undefined;

  constructor(
    generation: Promised,
    options: {
      readonly rest: MessageRest;
      readonly hooks: JobHooks;
      readonly scheduler: string;
      readonly unsure: boolean;
      /** false: there is nothing to edit before `answered()` */
      readonly answered: boolean;
      /** of the same interaction: the one that has its first reply */
      readonly first?: Job;
    },
  ) {
    this.generation = generation;
    this.#answered = options.answered;
    this.facts = factsOf(generation, options.scheduler);
    this.texts = textsFor(generation.reply.locale);
    this.transport = new ReplyTransport({
      rest: options.rest,
      address: generation.reply,
      marker: generation.id,
      hooks: options.hooks,
      unsure: options.unsure,
      ...(options.first === undefined ? {} : { after: options.first.transport.opened }),
      privateNotice: textOnly(this.texts.privateNotice),
    });
    this.live = new LiveReply(
      (body, final) => this.transport.send(body, final),
      (error) => options.hooks.onRefused(error),
    );
  }

  get id(): string {
    return this.generation.id;
  }

  /** From now on the reply can be edited. */
  answered(): void {
    this.#answered = true;
  }

  /** Shows the place in the queue when it says something new. */
  showPlace(place: Place): void {
    if (!this.#answered) return;
    const dying = this.#dying();
    if (place.state !== 'waiting') {
      if (dying && !this.#reminded) this.#remind();
      return;
    }
    const panel = waitingPanel(this.facts, place, this.texts, dying);
    if (panel.content === this.#lastWaiting) return;
    this.#lastWaiting = panel.content;
    this.live.show(panel);
  }

  /** A token from a press on the reply: it can be changed for another 15 minutes. */
  renew(token: ReplyToken, messageId: string): void {
    this.transport.renew(token, messageId);
    this.live.resume();
    if (!this.#reminded) return;
    this.#reminded = false;
    this.#remind();
  }

  /** Tells in the reply that the bot restarts. Best effort: makes no message, and nothing after it. */
  async leave(): Promise<void> {
    if (!this.#answered || !this.transport.canEdit) return;
    const at =
      this.#run === undefined
        ? undefined
        : { index: this.#latest?.index ?? 0, file: this.#preview?.file };
    await this.live.leave(restartingPanel(this.facts, at, this.texts));
  }

  /** The engine has begun: previews are asked of it from now on. */
  begin(run: EngineRun): void {
    this.#run = run;
    if (this.#stopWanted) run.stop();
    this.live.follow(async () => {
      const preview = await run.nextPreview();
      return preview && this.#forming(preview);
    });
    this.#startTimer = setTimeout(() => this.announce(), SAY_STARTED_AFTER);
    this.#startTimer.unref();
  }

  /** Says how far it is, while there is no picture to show. */
  announce(): void {
    if (this.#preview !== undefined) return;
    const { index, total } = this.#latest ?? { index: 0, total: 0 };
    const progress = { index, total, leftMs: undefined, file: undefined };
    this.live.show(formingPanel(this.facts, progress, this.texts, this.#dying()));
  }

  stepped(report: StepReport): void {
    this.#latest = { index: report.index, total: report.total };
    this.#stepTimes.push(report.milliseconds);
    if (this.#stepTimes.length > 8) this.#stepTimes.shift();
  }

  /** The engine is done with it. */
  end(): void {
    clearTimeout(this.#startTimer);
    this.#run = undefined;
  }

  /** Ends after the current step with its picture. False when it does not run. */
  stop(): boolean {
    if (this.#run === undefined) {
      this.#stopWanted = true;
      return false;
    }
    this.#run.stop();
    return true;
  }

  /** measured ms of the run's steps, on average; undefined before the first */
  #stepTime(): number | undefined {
    if (this.#stepTimes.length === 0) return undefined;
    return this.#stepTimes.reduce((sum, time) => sum + time, 0) / this.#stepTimes.length;
  }

  /** a private reply that its token will not reach for much longer */
  #dying(): boolean {
    const { ephemeral, tokenExpiresAt } = this.transport.address;
    const left = tokenExpiresAt - Date.now();
    return ephemeral && left < DYING && left > 0;
  }

  /** Shows the newest state again: with the button that renews the token, or without it. */
  #remind(): void {
    if (this.#preview === undefined) this.announce();
    else this.live.show(this.#formingPanel(this.#preview));
    this.#reminded = this.#dying();
  }

  #forming(preview: Preview) {
    const extension = preview.type.slice('image/'.length);
    const { index, total } = preview;
    const file: MessageFile = {
      name: `forming-${this.id}-${index}.${extension}`,
      type: preview.type,
      bytes: preview.bytes,
    };
    this.#preview = { index, total, file };
    this.#reminded = this.#dying();
    return this.#formingPanel(this.#preview);
  }

  #formingPanel({ index, total, file }: Frame) {
    const time = this.#stepTime();
    const done = Math.max(index, this.#latest?.index ?? 0);
    const leftMs = time === undefined ? undefined : time * (total - done);
    return formingPanel(this.facts, { index, total, leftMs, file }, this.texts, this.#dying());
  }
}
