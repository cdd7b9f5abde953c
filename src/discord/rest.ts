// The calls that make, edit, find and delete the bot's messages, with either kind of token.
//
// They go through a REST client of their own that neither waits for rate limits nor retries: the
// live reply has to know about both, because by the time a wait is over a newer picture may exist.

import { type InternalRequest, parseResponse, REST, RequestMethod } from 'discord.js';
import type {
  APIApplicationCommandOptionChoice,
  APIMessage,
  APIModalInteractionResponseCallbackData,
  RESTPostAPIInteractionCallbackWithResponseResult,
} from 'discord-api-types/v10';
import { InteractionResponseType, MessageFlags, Routes } from 'discord-api-types/v10';
import { failureOf, isOutOfReach } from './failures.js';
import { type MessageBody, ORIGINAL, type ReplyAddress } from './message.js';

/** Stands where a public "thinking" stood, until it is deleted. */
export const ELLIPSIS = '…';

/** A message that has reached Discord. */
export interface Sent {
  readonly messageId: string | undefined;
  /** ms to wait before the next unimportant edit, from the rate-limit headers */
  readonly paceMs: number;
}

/** How long a call may take: so many ms in any case, and so many more for each byte of its files. */
export interface Patience {
  readonly call: number;
  readonly byte: number;
}

/** Files at 50 kB/s at least. */
const PATIENCE: Patience = { call: 10_000, byte: 1 / 50 };
/** ms beyond which no call is waited for */
const LONGEST = 600_000;

/** ms between edits where no header says otherwise: 5 in 5 s is what is commonly seen. */
const DEFAULT_PACE = 1000;

type FirstAnswer =
  | { readonly type: 'defer'; readonly ephemeral: boolean }
  | { readonly type: 'defer-update' }
  | { readonly type: 'message'; readonly body: MessageBody; readonly ephemeral: boolean }
  | { readonly type: 'modal'; readonly modal: APIModalInteractionResponseCallbackData }
  | { readonly type: 'choices'; readonly choices: readonly APIApplicationCommandOptionChoice[] };

export class MessageRest {
  readonly #rest: REST;
  readonly #patience: Patience;

  /**
   * @param api base address without `/v10`, such as https://discord.com/api
   * @param token the bot's
   */
  constructor(api: string, token: string, patience = PATIENCE) {
    this.#patience = patience;
    this.#rest = new REST({
      api,
      retries: 0,
      timeout: LONGEST,
      rejectOnRateLimit: () => true,
      // Interactions' endpoints do not count against the bot's 50 calls a second; a global limit
      // that Discord does declare is kept all the same.
      globalRequestsPerSecond: Number.POSITIVE_INFINITY,
    });
    this.#rest.setToken(token);
  }

  /** The first answer to an interaction; resolves with the message it made, where it made one. */
  async answer(id: string, token: string, answer: FirstAnswer): Promise<string | undefined> {
    const files = answer.type === 'message' ? filesOf(answer.body) : {};
    const result = await this.#json<RESTPostAPIInteractionCallbackWithResponseResult | null>({
      method: RequestMethod.Post,
      fullRoute: Routes.interactionCallback(id, token),
      query: new URLSearchParams({ with_response: 'true' }),
      body: answerBody(answer),
      auth: false,
      ...files,
    });
    // Discord promises the message itself for some kinds of answers only.
    return result?.resource?.message?.id ?? result?.interaction?.response_message_id;
  }

  /** Replaces a message's content, components and files with the interaction's token. */
  async editByToken(address: ReplyAddress, body: MessageBody): Promise<Sent> {
    return this.#send({
      method: RequestMethod.Patch,
      fullRoute: Routes.webhookMessage(
        address.applicationId,
        address.interactionToken,
        address.pressed ? ORIGINAL : (address.messageId ?? ORIGINAL),
      ),
      body: editBody(body),
      auth: false,
      ...filesOf(body),
    });
  }

  /** The same with the bot's token: for public messages after the interaction's has died. */
  async editByBot(channelId: string, messageId: string, body: MessageBody): Promise<Sent> {
    return this.#send({
      method: RequestMethod.Patch,
      fullRoute: Routes.channelMessage(channelId, messageId),
      body: editBody(body),
      ...filesOf(body),
    });
  }

  /** One more message in answer to the interaction. */
  async followUp(address: ReplyAddress, body: MessageBody): Promise<Sent> {
    return this.#send({
      method: RequestMethod.Post,
      fullRoute: Routes.webhook(address.applicationId, address.interactionToken),
      query: new URLSearchParams({ wait: 'true' }),
      body: newBody(body, address.ephemeral),
      auth: false,
      ...filesOf(body),
    });
  }

  /**
   * A message of the bot's own. Discord makes only one for the same nonce within some minutes.
   * @param nonce at most 25 characters
   */
  async post(channelId: string, body: MessageBody, nonce: string): Promise<Sent> {
    return this.#send({
      method: RequestMethod.Post,
      fullRoute: Routes.channelMessages(channelId),
      body: { ...newBody(body, false), nonce, enforce_nonce: true },
      ...filesOf(body),
    });
  }

  /** Whether the answer to an interaction still says "thinking"; undefined where it is gone. */
  async isLoading(address: ReplyAddress): Promise<boolean | undefined> {
    const route = Routes.webhookMessage(address.applicationId, address.interactionToken, ORIGINAL);
    try {
      const { flags = 0, content } = await this.#json<APIMessage>({
        method: RequestMethod.Get,
        fullRoute: route,
        auth: false,
      });
      return (flags & MessageFlags.Loading) !== 0 || content === ELLIPSIS;
    } catch (error) {
      const failure = failureOf(error);
      if (failure.kind === 'token' || isOutOfReach(failure)) return undefined;
      return true; // it cannot be told now
    }
  }

  async deleteByToken(address: ReplyAddress): Promise<void> {
    await this.#queue({
      method: RequestMethod.Delete,
      fullRoute: Routes.webhookMessage(
        address.applicationId,
        address.interactionToken,
        address.messageId ?? ORIGINAL,
      ),
      auth: false,
    });
  }

  async deleteByBot(channelId: string, messageId: string): Promise<void> {
    await this.#queue({
      method: RequestMethod.Delete,
      fullRoute: Routes.channelMessage(channelId, messageId),
    });
  }

  /**
   * The newest of the bot's own messages in a channel that names `marker` in its buttons or its
   * files: how a message is found again whose making was never confirmed. (Discord tells no nonce
   * of a message that is looked up.)
   */
  async find(
    applicationId: string,
    channelId: string,
    marker: string,
  ): Promise<APIMessage | undefined> {
    const messages = await this.#json<APIMessage[]>({
      method: RequestMethod.Get,
      fullRoute: Routes.channelMessages(channelId),
      query: new URLSearchParams({ limit: '50' }),
    });
    return messages.find(
      (message) =>
        (message.author.id === applicationId || message.application_id === applicationId) &&
        (JSON.stringify(message.components ?? []).includes(`:${marker}`) ||
          message.attachments.some((file) => file.filename.includes(marker))),
    );
  }

  /**
   * A message as it is now; undefined where there is none or the bot may not read it. Of other
   * people's, Discord tells this bot neither text nor attachments.
   */
  async message(channelId: string, messageId: string): Promise<APIMessage | undefined> {
    try {
      return await this.#json<APIMessage>({
        method: RequestMethod.Get,
        fullRoute: Routes.channelMessage(channelId, messageId),
      });
    } catch (error) {
      if (isOutOfReach(failureOf(error))) return undefined;
      throw error;
    }
  }

  async #send(request: InternalRequest): Promise<Sent> {
    const response = await this.#queue(request);
    const message = (await parseResponse(response)) as Partial<APIMessage> | null;
    return { messageId: message?.id, paceMs: pace(response.headers) };
  }

  async #json<T>(request: InternalRequest): Promise<T> {
    return (await parseResponse(await this.#queue(request))) as T;
  }

  #queue(request: InternalRequest): ReturnType<REST['queueRequest']> {
    const bytes = (request.files ?? []).reduce((sum, { data }) => sum + sizeOf(data), 0);
    const { call, byte } = this.#patience;
    const signal = AbortSignal.timeout(Math.ceil(call + bytes * byte));
    return this.#rest.queueRequest({ ...request, signal });
  }
}

/**
 * Spreads what is left of a rate-limit window over its time and keeps one call in reserve, so that
 * a final picture always has a free place.
 */
export function pace(headers: { get(name: string): string | null }): number {
  const remaining = Number.parseInt(headers.get('x-ratelimit-remaining') ?? '', 10);
  const resetMs = Number.parseFloat(headers.get('x-ratelimit-reset-after') ?? '') * 1000;
  if (!Number.isFinite(remaining) || !Number.isFinite(resetMs)) return DEFAULT_PACE;
  return Math.ceil(remaining <= 1 ? resetMs : resetMs / remaining);
}

const sizeOf = (data: unknown): number => (data instanceof Uint8Array ? data.length : 0);

/** Nobody is ever pinged, whatever a prompt says. */
const SILENT = { parse: [] };

function attachmentsOf(body: MessageBody) {
  return body.files.map((file, index) => ({
    id: String(index),
    filename: file.name,
    ...(file.description === undefined ? {} : { description: file.description }),
  }));
}

function filesOf(body: MessageBody): Pick<InternalRequest, 'files'> {
  if (body.files.length === 0) return {};
  return {
    files: body.files.map((file) => ({
      name: file.name,
      data: file.bytes,
      contentType: file.type,
    })),
  };
}

function editBody(body: MessageBody) {
  return {
    content: body.content,
    components: body.components,
    // Naming only the new files drops the old ones: the picture is replaced, never added to.
    attachments: attachmentsOf(body),
    allowed_mentions: SILENT,
  };
}

function newBody(body: MessageBody, ephemeral: boolean) {
  return {
    content: body.content,
    components: body.components,
    ...(body.files.length > 0 ? { attachments: attachmentsOf(body) } : {}),
    allowed_mentions: SILENT,
    ...(ephemeral ? { flags: MessageFlags.Ephemeral } : {}),
  };
}

function answerBody(answer: FirstAnswer) {
  switch (answer.type) {
    case 'defer':
      return {
        type: InteractionResponseType.DeferredChannelMessageWithSource,
        data: answer.ephemeral ? { flags: MessageFlags.Ephemeral } : {},
      };
    case 'defer-update':
      return { type: InteractionResponseType.DeferredMessageUpdate };
    case 'message':
      return {
        type: InteractionResponseType.ChannelMessageWithSource,
        data: newBody(answer.body, answer.ephemeral),
      };
    case 'modal':
      return { type: InteractionResponseType.Modal, data: answer.modal };
    case 'choices':
      return {
        type: InteractionResponseType.ApplicationCommandAutocompleteResult,
        data: { choices: answer.choices },
      };
  }
}

export type { FirstAnswer };
