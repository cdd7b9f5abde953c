// What the store keeps: generations, their steps, their files, and what is owed to whom.

import type { GenerationParameters, InitImage, KeptStep } from '../pipeline/types.js';

export type GenerationState = 'queued' | 'running' | 'done' | 'stopped' | 'cancelled' | 'failed';

/** A later token of the same person: makes a private message where the reply's own token is dead. */
export interface ReliefToken {
  readonly interactionId: string;
  readonly interactionToken: string;
  readonly tokenExpiresAt: number;
  readonly channelId: string;
}

/** Where the reply lives, and how long it can be edited with the interaction's token. */
export interface ReplyTarget {
  readonly applicationId: string;
  readonly interactionId: string;
  readonly interactionToken: string;
  /** ms since the epoch when the token dies: 15 minutes after the interaction */
  readonly tokenExpiresAt: number;
  readonly channelId: string;
  readonly guildId: string | null;
  /** known once the reply exists */
  readonly messageId: string | null;
  readonly ephemeral: boolean;
  /** the locale of the one who asked, such as 'de' */
  readonly locale: string;
  /** bytes that a file may have */
  readonly attachmentLimit: number;
  /** true: the token is from a press on the message, which it calls '@original' */
  readonly pressed?: boolean;
  readonly relief?: ReliefToken;
}

/** An interaction that was acknowledged, and where its answer is to stand. */
export interface OpenAnswer {
  readonly applicationId: string;
  readonly interactionId: string;
  readonly interactionToken: string;
  /** ms since the epoch */
  readonly tokenExpiresAt: number;
  readonly channelId: string;
  readonly ephemeral: boolean;
  readonly locale: string;
}

/** chance: a branch that was asked for beside others from other steps, with the same new noise */
export type ParentRelation = 'reroll' | 'vary' | 'branch' | 'chance' | 'edit';

/** An init image with its mask: the files themselves, or those of the generation with this id. */
export type InitSource = InitImage | { readonly from: string };

export interface NewGeneration {
  readonly id: string;
  readonly userId: string;
  readonly parameters: GenerationParameters;
  readonly model: string;
  readonly parentId: string | null;
  readonly parentRelation: ParentRelation | null;
  /** of the parent, or of what that branched from itself: the step a branch goes on from */
  readonly branchStep: number | null;
  readonly branchSeed: number | null;
  /** what it begins from besides noise: as it came, or that of an earlier generation */
  readonly init?: InitSource;
  readonly reply: ReplyTarget;
  readonly createdAt: number;
}

export interface Generation extends Omit<NewGeneration, 'init'> {
  /** it began from an init image, which `init` gives */
  readonly hasInit: boolean;
  readonly hasMask: boolean;
  readonly state: GenerationState;
  readonly startedAt: number | null;
  readonly endedAt: number | null;
  /** steps done and to be done */
  readonly stepIndex: number;
  readonly stepTotal: number;
  /** the sentence shown to the owner when it failed */
  readonly failure: string | null;
  readonly infotext: string | null;
  /** of a branch: the share of its pixels, 0 to 1, that look different from its parent, where that is known */
  readonly changed: number | null;
  /** the model's safety checker found something in it: its picture is blurred */
  readonly flagged: boolean;
  /** true once the final reply (image, or the news of its end) is known to have reached Discord */
  readonly delivered: boolean;
  /** a try at delivery is written down before it is made, so that a crash cannot make it twice unseen */
  readonly deliveryStartedAt: number | null;
  readonly hasFile: boolean;
}

export interface StoredFile {
  readonly bytes: Uint8Array;
  readonly type: string;
  readonly width: number;
  readonly height: number;
}

export interface RetentionReport {
  readonly generations: number;
  readonly bytes: number;
}

/**
 * Every method resolves after the write is on disk (WAL, synchronous=FULL for what was promised).
 * The database lives in a worker thread: nothing here blocks the caller's event loop.
 */
export interface Store {
  /**
   * With the init image of an earlier generation, where it names one. From now on the generation
   * answers its interaction: that is no longer open.
   * @throws UserError 'init-gone' when that is no longer there
   */
  create(generation: NewGeneration): Promise<void>;
  /** the files as they came; undefined where it began from noise alone */
  init(id: string): Promise<InitImage | undefined>;
  get(id: string): Promise<Generation | undefined>;
  byMessage(messageId: string): Promise<Generation | undefined>;
  /** newest first; `withImage` keeps only those that have a file */
  latest(userId: string, limit: number, withImage?: boolean): Promise<Generation[]>;
  /** those of relation 'chance' from a generation with new noise of this seed, by their step */
  chances(parentId: string, branchSeed: number): Promise<Generation[]>;
  /** queued and running ones, and ended ones whose reply was not delivered, oldest first */
  unfinished(): Promise<Generation[]>;
  setMessage(id: string, messageId: string): Promise<void>;
  /** a fresh token for the reply, from a button press on it, or a later one of its owner's */
  setReply(id: string, reply: ReplyTarget): Promise<void>;
  start(id: string, startedAt: number): Promise<void>;
  /** stores the step and replaces the checkpoint if there is one, in one transaction */
  keepStep(id: string, step: KeptStep, checkpoint?: Uint8Array): Promise<void>;
  /** the newest checkpoint of an unfinished generation */
  checkpoint(id: string): Promise<Uint8Array | undefined>;
  finish(
    id: string,
    outcome:
      | {
          readonly state: 'done' | 'stopped';
          readonly file: StoredFile;
          readonly infotext: string;
          readonly flagged: boolean;
          readonly changed?: number | undefined;
        }
      | { readonly state: 'cancelled' }
      | { readonly state: 'failed'; readonly failure: string },
    endedAt: number,
  ): Promise<void>;
  deliveryStarted(id: string, at: number): Promise<void>;
  delivered(id: string, messageId: string | null): Promise<void>;
  /** in their order; `last`: none after it */
  steps(id: string, last?: number): Promise<KeptStep[]>;
  step(id: string, index: number): Promise<KeptStep | undefined>;
  file(id: string): Promise<StoredFile | undefined>;
  /** removes a generation with its steps and file */
  remove(id: string): Promise<void>;
  /** written down before an interaction is acknowledged that nothing else in the store will answer */
  openAnswer(answer: OpenAnswer): Promise<void>;
  closeAnswer(interactionId: string): Promise<void>;
  openAnswers(): Promise<OpenAnswer[]>;
  setting(key: string): Promise<string | undefined>;
  /** @param expiresAt ms since the epoch, after which `retain` removes it; absent: never */
  setSetting(key: string, value: string, expiresAt?: number): Promise<void>;
  /** removes the oldest ended, delivered ones beyond the age (days) and the size (GB), and settings that have expired */
  retain(keepDays: number, keepGb: number, now: number): Promise<RetentionReport>;
  /** resolves, with the reason, when the store can do nothing more though nobody closed it: a bug */
  readonly lost: Promise<Error>;
  close(): Promise<void>;
}
