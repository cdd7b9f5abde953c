// Messages by an interaction's token: the original response, follow-ups, for 15 minutes.

import { invalidWebhookToken, type JsonObject, unknownMessage, unknownWebhook } from '../errors.js';
import { createMessage, editMessage, objectBody } from '../message-body.js';
import { APPLICATION_ID } from '../people.js';
import { type Answer, type Call, noContent, ok, param, type Route } from '../routes.js';
import { Flag, type Interaction, type StoredMessage } from '../world.js';
import { answerOrigin } from './callbacks.js';

/** @throws ApiError 404 for another application, 401 (50027) for a token that is unknown or over */
function interactionOf(call: Call): Interaction {
  if (param(call, 'application') !== APPLICATION_ID) throw unknownWebhook();
  const interaction = call.world.interactionByToken(param(call, 'token'));
  if (!interaction || !call.world.tokenAlive(interaction)) throw invalidWebhookToken();
  // Before the first answer there is nothing that a follow-up could follow.
  if (interaction.state !== 'acknowledged') throw unknownWebhook();
  return interaction;
}

function messageOf(call: Call, interaction: Interaction): StoredMessage {
  const given = param(call, 'message');
  const id = given === '@original' ? interaction.originalId : given;
  const message = id === null ? undefined : call.world.messages.get(id);
  const own =
    message && (message.interactionId === interaction.id || message.id === interaction.originalId);
  if (!message || !own) throw unknownMessage();
  return message;
}

async function followUp(call: Call): Promise<Answer> {
  const { world } = call;
  const interaction = interactionOf(call);
  const body = objectBody(call.body);
  const original =
    interaction.originalId === null ? undefined : world.messages.get(interaction.originalId);
  // Right after a deferral Discord takes a follow-up for the edit of the answer that is awaited.
  if (original && interaction.kind === 5 && (original.flags & Flag.Loading) !== 0) {
    await editMessage(world, original, body, call.files);
    world.messageChanged(original);
    return ok(world.render(original));
  }
  const origin = {
    ...answerOrigin(world, interaction),
    type: 19,
    reference: interaction.originalId ?? interaction.sourceId,
  };
  const message = await createMessage(world, body, call.files, origin);
  world.addMessage(message);
  // Interaction webhooks answer with the message whether `wait` was given or not.
  return ok(world.render(message));
}

async function edit(call: Call): Promise<Answer> {
  const interaction = interactionOf(call);
  const message = messageOf(call, interaction);
  await editMessage(call.world, message, objectBody(call.body) as JsonObject, call.files);
  // Deleted while its files were being stored.
  if (!call.world.messages.has(message.id)) throw unknownMessage();
  call.world.messageChanged(message);
  return ok(call.world.render(message));
}

export function webhookRoutes(): Route[] {
  const one = '/webhooks/:application/:token/messages/:message';
  return [
    {
      method: 'POST',
      pattern: '/webhooks/:application/:token',
      open: true,
      rate: 'tight',
      handle: followUp,
    },
    {
      method: 'GET',
      pattern: one,
      open: true,
      handle: (call) => ok(call.world.render(messageOf(call, interactionOf(call)))),
    },
    { method: 'PATCH', pattern: one, open: true, rate: 'tight', handle: edit },
    {
      method: 'DELETE',
      pattern: one,
      open: true,
      handle: (call) => {
        call.world.deleteMessage(messageOf(call, interactionOf(call)));
        return noContent();
      },
    },
  ];
}
