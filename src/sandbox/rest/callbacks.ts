// The first answer to an interaction: one, within 3 seconds, of a kind that fits.

import type { APIApplicationCommandOptionChoice } from 'discord-api-types/v10';
import { checkChoices } from '../command-body.js';
import { checkModal } from '../components.js';
import {
  ApiError,
  alreadyAcknowledged,
  isObject,
  type JsonObject,
  Problems,
  unknownInteraction,
} from '../errors.js';
import { interactionMetadata, overdue } from '../interactions.js';
import {
  createMessage,
  editMessage,
  flagsOf,
  loadingMessage,
  type Origin,
  objectBody,
  WEBHOOK_FLAGS,
} from '../message-body.js';
import { type Answer, type Call, noContent, ok, param, type Route } from '../routes.js';
import { Flag, type Interaction, type StoredMessage, type World } from '../world.js';

const Kind = {
  Message: 4,
  DeferredMessage: 5,
  DeferredUpdate: 6,
  Update: 7,
  Choices: 8,
  Modal: 9,
} as const;

/** Callback types that fit an interaction: 2 command, 3 component, 4 autocomplete, 5 modal. */
function fits(interaction: Interaction, kind: unknown): boolean {
  switch (kind) {
    case Kind.Message:
    case Kind.DeferredMessage:
      return interaction.type !== 4;
    case Kind.DeferredUpdate:
    case Kind.Update:
      return interaction.type === 3 || (interaction.type === 5 && interaction.sourceId !== null);
    case Kind.Choices:
      return interaction.type === 4;
    case Kind.Modal:
      return interaction.type === 2 || interaction.type === 3;
    default:
      return false;
  }
}

/** What a message made in answer to an interaction has from it. */
export function answerOrigin(world: World, interaction: Interaction): Origin {
  const { command } = interaction;
  return {
    type: interaction.sourceId === null ? (command && command.type !== 1 ? 23 : 20) : 19,
    interactionId: interaction.id,
    interaction: interactionMetadata(world, interaction),
    userId: interaction.userId,
    reference: interaction.sourceId,
    flags: WEBHOOK_FLAGS,
  };
}

async function callback(call: Call): Promise<Answer> {
  const { world } = call;
  const interaction = world.interactions.get(param(call, 'interaction'));
  if (!interaction || interaction.token !== param(call, 'token')) throw unknownInteraction();
  if (interaction.state === 'acknowledged') throw alreadyAcknowledged();
  if (overdue(world, interaction)) throw unknownInteraction();
  const body = objectBody(call.body);
  const data = isObject(body.data) ? body.data : {};
  if (!fits(interaction, body.type)) {
    const problems = new Problems();
    problems.choice(body.type, ['type']);
    problems.check();
  }
  const kind = body.type as number;
  // Taken before anything is awaited, so that two answers at once cannot both win.
  interaction.state = 'acknowledged';
  try {
    await apply(call, interaction, kind, data);
  } catch (error) {
    // A refused answer was none.
    if (error instanceof ApiError) interaction.state = 'waiting';
    throw error;
  }
  interaction.kind = kind;
  interaction.acknowledgedAt = Date.now();
  tell(world, interaction, kind);
  if (call.query.get('with_response') !== 'true') return noContent();
  const original =
    interaction.originalId === null ? undefined : world.messages.get(interaction.originalId);
  return ok(response(world, interaction, kind, original));
}

async function apply(
  call: Call,
  interaction: Interaction,
  kind: number,
  data: JsonObject,
): Promise<void> {
  const { world } = call;
  const problems = new Problems();
  switch (kind) {
    case Kind.Message: {
      const origin = { ...answerOrigin(world, interaction), prefix: ['data'] };
      const message = await createMessage(world, data, call.files, origin);
      interaction.ephemeral = message.ephemeralFor !== null;
      interaction.originalId = message.id;
      return world.addMessage(message);
    }
    case Kind.DeferredMessage: {
      const flags = flagsOf(data.flags, Flag.Ephemeral, problems, ['data', 'flags']);
      problems.check();
      const ephemeral = (flags & Flag.Ephemeral) !== 0;
      const message = loadingMessage({ ...answerOrigin(world, interaction), ephemeral });
      interaction.ephemeral = ephemeral;
      interaction.originalId = message.id;
      return world.addMessage(message);
    }
    case Kind.DeferredUpdate:
    case Kind.Update: {
      const message = world.messages.get(interaction.sourceId ?? '');
      interaction.originalId = interaction.sourceId;
      if (!message) return;
      interaction.ephemeral = message.ephemeralFor !== null;
      if (kind === Kind.DeferredUpdate) return;
      await editMessage(world, message, data, call.files, ['data']);
      return world.messageChanged(message);
    }
    case Kind.Choices: {
      const choices = problems.list(data.choices, ['data', 'choices'], 25);
      if (data.choices === undefined) problems.required(['data', 'choices']);
      checkChoices(choices, undefined, problems, ['data', 'choices']);
      problems.check();
      interaction.choices = choices as APIApplicationCommandOptionChoice[];
      return;
    }
    default: {
      const modal = checkModal(data, problems);
      problems.check();
      interaction.modal = modal;
    }
  }
}

function tell(world: World, interaction: Interaction, kind: number): void {
  world.events.emit({ type: 'interaction.ack', interaction, kind });
  if (interaction.modal)
    world.events.emit({ type: 'modal', interaction, modal: interaction.modal });
  if (kind === Kind.Choices) {
    world.events.emit({ type: 'autocomplete', interaction, choices: interaction.choices });
  }
}

/** The answer to `with_response`. A deferral's message counts as a created one that still loads. */
function response(
  world: World,
  interaction: Interaction,
  kind: number,
  original: StoredMessage | undefined,
): JsonObject {
  const type = kind === Kind.DeferredMessage ? Kind.Message : kind;
  const shown = type === Kind.Message || type === Kind.Update;
  return {
    interaction: {
      id: interaction.id,
      type: interaction.type,
      ...(original
        ? {
            response_message_id: original.id,
            response_message_loading: (original.flags & Flag.Loading) !== 0,
            response_message_ephemeral: interaction.ephemeral,
          }
        : {}),
    },
    ...(shown && original ? { resource: { type, message: world.render(original) } } : {}),
  };
}

export function callbackRoutes(): Route[] {
  return [
    {
      method: 'POST',
      pattern: '/interactions/:interaction/:token/callback',
      open: true,
      rate: 'none',
      handle: callback,
    },
  ];
}
