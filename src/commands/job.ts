// One generation on its way from the queue to its reply.

import { LiveReply } from '../discord/live-reply.js';
import { type MessageFile, textOnly } from '../discord/message.js';
import type { PictureFacts } from '../discord/panels.js';
import { formingPanel, waitingPanel } from '../discord/panels.js';
import type { MessageRest } from '../discord/rest.js';
import { type Texts, textsFor } from '../discord/texts/index.js';
import { ReplyTransport } from '../discord/transport.js';
import type { EngineRun, Preview, StepReport } from '../engine/types.js';
import type { Place } from '../queue/types.js';
import type { NewGeneration } from '../store/types.js';
import { factsOf } from './facts.js';

/** ms after which a run that has shown no preview says at least that it has begun. */
const SAY_STARTED_AFTER = 400;

export interface JobHooks {
  beforeNewMessage(): Promise<void>;
  onMessage(messageId: string): void;
  onRefused(error: unknown): void;
}

export class Job {
  readonly generation: NewGeneration;
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
  /** a preview was made for the reply */
  #previewed = false;
  #startTimer: NodeJS.Timeout | undefined;

  constructor(
    generation: NewGeneration,
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
    if (place.state !== 'waiting' || !this.#answered) return;
    const panel = waitingPanel(this.facts, place, this.texts);
    if (panel.content === this.#lastWaiting) return;
    this.#lastWaiting = panel.content;
    this.live.show(panel);
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
    if (this.#previewed) return;
    const { index, total } = this.#latest ?? { index: 0, total: 0 };
    const progress = { index, total, leftMs: undefined, file: undefined };
    this.live.show(formingPanel(this.facts, progress, this.texts));
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

  #forming(preview: Preview) {
    this.#previewed = true;
    const time = this.#stepTime();
    const done = Math.max(preview.index, this.#latest?.index ?? 0);
    const extension = preview.type.slice('image/'.length);
    const file: MessageFile = {
      name: `forming-${this.id}-${preview.index}.${extension}`,
      type: preview.type,
      bytes: preview.bytes,
    };
    return formingPanel(
      this.facts,
      {
        index: preview.index,
        total: preview.total,
        leftMs: time === undefined ? undefined : time * (preview.total - done),
        file,
      },
      this.texts,
    );
  }
}
