// The sandbox's public face: what tests, the stand-alone command and the bot's start see of it.

import type {
  APIApplicationCommand,
  APIApplicationCommandOptionChoice,
  APIMessage,
  APIModalInteractionResponseCallbackData,
  InteractionResponseType,
  InteractionType,
  Snowflake,
} from 'discord-api-types/v10';

export interface SandboxOptions {
  /** 0 (the default) takes a free one */
  readonly port?: number;
  /** true: fail with EADDRINUSE when `port` is taken; false (the default): take a free one then */
  readonly fixedPort?: boolean;
  /** where messages, attachments, commands and interaction tokens are kept; absent: in memory only */
  readonly directory?: string;
  /** the chat page's files; default: `page/` beside this module */
  readonly pageDirectory?: string;
  /** bytes that one uploaded file may have; default 10 MiB, as Discord's without boosts */
  readonly attachmentLimit?: number;
  /** bot tokens that are accepted; default: one, always the same */
  readonly tokens?: readonly string[];
  /** requests and pings that are remembered, the newest; default 20000 */
  readonly remembered?: number;
  /** overrides of the limits in time */
  readonly limits?: Partial<SandboxLimits>;
}

/** Limits in time. Tests may change them while the sandbox runs; they hold from then on. */
export interface SandboxLimits {
  /** ms in which an interaction must be acknowledged; 3000 */
  acknowledge: number;
  /** ms that an interaction's token lives, from the interaction on; 900000 */
  token: number;
  /** calls that one bucket (a webhook token's edits, a channel's messages) takes per window; 5 */
  rateCount: number;
  /** ms of that window; 5000 */
  rateWindow: number;
  /** ms between heartbeats, as told in HELLO; 41250 */
  heartbeat: number;
}

export interface Sandbox {
  /** address of the chat page, `http://127.0.0.1:PORT/` */
  readonly url: string;
  /** what `DISCORD_API_BASE` or discord.js's `rest.api` is set to: `http://127.0.0.1:PORT/api` */
  readonly apiBase: string;
  readonly port: number;
  /** a bot token that it accepts */
  readonly token: string;
  readonly applicationId: Snowflake;
  readonly guildId: Snowflake;
  readonly channelId: Snowflake;
  readonly limits: SandboxLimits;
  /** every REST request of the bot's, in the order of arrival */
  readonly requests: readonly RecordedRequest[];
  /** whom each message of the bot's would have notified; empty entries are left out */
  readonly pings: readonly Ping[];
  readonly faults: Faults;
  /** commands as registered now, global ones and the guild's */
  readonly commands: readonly APIApplicationCommand[];
  /** true while a bot is identified at the gateway */
  readonly online: boolean;
  /** `ada`, `ben` and `cleo` exist (cleo moderates); any other name makes another person */
  user(name?: string): SandboxUser;
  /** every message in the channel, oldest first, ephemeral ones too */
  messages(): APIMessage[];
  /** a message as it is now */
  message(id: Snowflake): APIMessage | undefined;
  /** bytes of an attachment, by its id, its URL or itself */
  download(attachment: string | { readonly url: string }): Promise<Buffer>;
  /**
   * Waits until `condition` gives something else than false or undefined and resolves with that.
   * It is asked after everything that happens here.
   * @throws Error that tells what there is, after `timeout` ms (default 30000)
   */
  until<T>(condition: () => T | false | undefined, options?: WaitOptions): Promise<T>;
  /** Waits until a bot is online and, when names are given, has these commands registered. */
  ready(commands?: readonly string[], options?: WaitOptions): Promise<void>;
  /** writes what is not yet on the disk, closes every connection */
  close(): Promise<void>;
}

export interface WaitOptions {
  /** ms, default 30000 */
  readonly timeout?: number;
  /** named in the error when the time is over */
  readonly what?: string;
  readonly signal?: AbortSignal;
}

export interface RecordedRequest {
  readonly method: string;
  /** without `/api/v10`, decoded, without the query: `/webhooks/1/token/messages/@original` */
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string>>;
  /** the JSON body, or `payload_json` of a multipart one; undefined where there is none */
  readonly body: unknown;
  readonly files: readonly ReceivedFile[];
  /** ms since the epoch at which it had arrived whole */
  readonly time: number;
  /** status that was answered; 0 while it is open and when the connection was dropped */
  status: number;
  /** Discord's error code that was answered, such as 10062 */
  code: number | undefined;
  /** the kind of fault that hit it */
  fault: FaultKind | undefined;
}

export interface ReceivedFile {
  /** the field, `files[0]` */
  readonly field: string;
  readonly name: string;
  readonly type: string;
  readonly size: number;
}

export interface Ping {
  readonly messageId: Snowflake;
  readonly everyone: boolean;
  readonly users: readonly Snowflake[];
  readonly roles: readonly Snowflake[];
}

/** A file as somebody has it on their disk. */
export interface OptionFile {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly type?: string;
}

/** A value of a command's option. Bytes are for attachments: a Buffer, or one with a name. */
export type OptionValue = string | number | boolean | Uint8Array | OptionFile;

/** Either the id or the message itself. */
export type MessageLike = Snowflake | { readonly id: Snowflake };

/** A person in the channel. Everything they do goes through the gateway to the bot, as at Discord. */
export interface SandboxUser {
  readonly id: Snowflake;
  readonly name: string;
  /** `en-US` unless set; goes with every interaction from then on */
  locale: string;
  /** true: has the permission to manage messages */
  moderator: boolean;
  /**
   * Runs a slash command; resolves when it is on its way to the bot.
   * A subcommand is named after a space: `models install`.
   * @throws Error when there is no such command or an option would not get past Discord's client
   */
  command(
    name: string,
    options?: Readonly<Record<string, OptionValue>>,
  ): Promise<SandboxInteraction>;
  /** Posts an ordinary message, as people do among themselves, with files such as pictures. */
  say(content: string, files?: readonly OptionFile[]): Promise<APIMessage>;
  /** Runs a command of a message's or a person's context menu. */
  contextCommand(name: string, target: MessageLike): Promise<SandboxInteraction>;
  /**
   * Types `text` into an option that has autocomplete; resolves with what the bot suggests.
   * @throws Error when the bot does not answer in time
   */
  autocomplete(
    name: string,
    option: string,
    text: string,
    others?: Readonly<Record<string, OptionValue>>,
  ): Promise<APIApplicationCommandOptionChoice[]>;
  /**
   * Presses a button.
   * @param button its custom id, its label, or a pattern for either
   * @throws Error when the user cannot see the message, or it has no such button, or it is disabled
   */
  click(message: MessageLike, button: string | RegExp): Promise<SandboxInteraction>;
  /** Chooses in a select menu, found by custom id or placeholder. */
  select(
    message: MessageLike,
    menu: string | RegExp,
    values: readonly string[],
  ): Promise<SandboxInteraction>;
  /**
   * Sends the modal that an interaction was answered with.
   * @param fields by custom id; fields left out are sent as they were preset
   */
  submitModal(
    interaction: SandboxInteraction,
    fields: Readonly<Record<string, string | boolean | readonly string[]>>,
  ): Promise<SandboxInteraction>;
  /** what this person sees, oldest first */
  messages(): APIMessage[];
  /**
   * The newest message that this person sees and that meets the condition, as soon as there is one.
   * @throws Error that tells what they see, when the time is over
   */
  waitFor(
    condition: (message: APIMessage) => boolean | undefined,
    options?: WaitOptions,
  ): Promise<APIMessage>;
  /** Closes an ephemeral message. */
  dismiss(message: MessageLike): void;
}

export interface SandboxInteraction {
  readonly id: Snowflake;
  readonly token: string;
  readonly type: InteractionType;
  readonly user: SandboxUser;
  /** ms since the epoch */
  readonly createdAt: number;
  readonly state: 'waiting' | 'acknowledged' | 'failed';
  /**
   * The bot's first answer.
   * @throws Error "The application did not respond" after 3 s; never an unhandled rejection
   */
  readonly acknowledged: Promise<Acknowledgement>;
  /** the modal it was answered with */
  readonly modal: APIModalInteractionResponseCallbackData | undefined;
  /** the original response as it is now: for a component that was updated, the message it stands on */
  message(): APIMessage | undefined;
  /** every message made through this interaction, the original response included, oldest first */
  messages(): APIMessage[];
  /**
   * The original response as soon as it meets the condition (default: it is no longer only deferred).
   * @throws Error that tells how it looks, when the time is over or the interaction failed
   */
  waitFor(
    condition?: (message: APIMessage) => boolean | undefined,
    options?: WaitOptions,
  ): Promise<APIMessage>;
}

export interface Acknowledgement {
  readonly type: InteractionResponseType;
  /** ms from the interaction to the answer */
  readonly after: number;
  readonly ephemeral: boolean;
  readonly choices: readonly APIApplicationCommandOptionChoice[];
}

export type BrokenDownload = 'cut' | 'gone' | 'moved';

export type FaultKind =
  | 'rate-limit'
  | 'status'
  | 'late'
  | 'lost'
  | 'lost-before'
  | 'unknown-message'
  | 'missing-access'
  | 'dead-token';

/** Which requests a fault hits. All that is given must hold. */
export interface FaultMatch {
  readonly method?: string;
  /** the decoded path without `/api/v10`: a part of it, or a pattern */
  readonly path?: string | RegExp;
  readonly when?: (request: RecordedRequest) => boolean;
  /** how many requests are hit; default 1 */
  readonly times?: number;
  /** how many matching requests pass before; default 0 */
  readonly after?: number;
}

export interface Fault {
  readonly kind: FaultKind;
  /** requests hit so far */
  readonly hits: number;
  remove(): void;
}

/** Troubles that can be switched on. Those for requests are tried in the order they were added. */
export interface Faults {
  /**
   * 429. `headers: false` sends neither rate-limit headers nor a JSON body, as Cloudflare does, but
   * `retry-after`.
   * @param options.retryAfter seconds, default 0.5
   */
  rateLimit(
    match: FaultMatch,
    options?: {
      readonly retryAfter?: number;
      readonly headers?: boolean;
      readonly global?: boolean;
    },
  ): Fault;
  /** This status and an empty or HTML body, such as 500 and 503; the request is not applied. */
  status(match: FaultMatch, status: number): Fault;
  /** Applied at once, answered `ms` later. */
  late(match: FaultMatch, ms: number): Fault;
  /** Applied, then the connection is dropped without an answer. */
  lost(match: FaultMatch): Fault;
  /** The connection is dropped without the request being applied. */
  lostBefore(match: FaultMatch): Fault;
  /** 404, code 10008. */
  unknownMessage(match: FaultMatch): Fault;
  /** 403, code 50001. */
  missingAccess(match: FaultMatch): Fault;
  /** 401, code 50027. */
  deadToken(match: FaultMatch): Fault;
  /**
   * The next `times` (default 1) downloads of attachments break off in the middle (`cut`), are
   * answered with 404 (`gone`), or lead elsewhere (`moved`).
   */
  brokenDownload(how: BrokenDownload, times?: number): void;
  /** Ends an interaction's token for good, as its 15 minutes would. */
  expire(interaction: SandboxInteraction): void;
  /** Closes every gateway connection; 4000 and no code can be resumed, 1000 and 4007 cannot. */
  dropSockets(code?: number): void;
  /** Sends INVALID_SESSION; not resumable ones are forgotten. */
  invalidSession(resumable: boolean): void;
  /** Sends RECONNECT (op 7). */
  reconnect(): void;
  /** Heartbeats are no longer acknowledged on the present connections, so that the client takes them for dead. */
  muteHeartbeats(): void;
  /** Takes every fault away. */
  clear(): void;
}

export type { APIApplicationCommand, APIMessage };
