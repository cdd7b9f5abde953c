// Messages by the bot's own token. Ephemeral ones do not exist for it.

import { cannotEditOthers, Problems, unknownChannel, unknownMessage } from '../errors.js';
import { CHANNEL_FLAGS, createMessage, editMessage, objectBody } from '../message-body.js';
import { APPLICATION_ID, CHANNEL_ID } from '../people.js';
import { type Answer, type Call, noContent, ok, param, type Route } from '../routes.js';
import { compareIds } from '../snowflake.js';
import type { StoredMessage } from '../world.js';

function inChannel(call: Call): void {
  if (param(call, 'channel') !== CHANNEL_ID) throw unknownChannel();
}

function messageOf(call: Call): StoredMessage {
  inChannel(call);
  const message = call.world.messages.get(param(call, 'message'));
  if (!message || message.ephemeralFor !== null) throw unknownMessage();
  return message;
}

function list(call: Call): Answer {
  inChannel(call);
  const { query, world } = call;
  const problems = new Problems();
  const limit = query.get('limit') === null ? 50 : Number(query.get('limit'));
  problems.integer(limit, ['limit'], 1, 100);
  problems.check();
  const all = world.sight().filter((message) => message.ephemeralFor === null);
  const before = query.get('before');
  const after = query.get('after');
  const around = query.get('around');
  let found: StoredMessage[];
  if (after !== null) found = all.filter((one) => compareIds(one.id, after) > 0).slice(0, limit);
  else if (before !== null)
    found = all.filter((one) => compareIds(one.id, before) < 0).slice(-limit);
  else if (around !== null) {
    const at = all.findIndex((one) => compareIds(one.id, around) >= 0);
    const start = Math.max((at < 0 ? all.length : at) - Math.floor(limit / 2), 0);
    found = all.slice(start, start + limit);
  } else found = all.slice(-limit);
  return ok(found.reverse().map((message) => looked(call, message)));
}

/**
 * A message that is looked up: without its nonce, which is told only when it is made, and of other
 * people's without what takes the message-content intent.
 */
function looked({ world }: Call, message: StoredMessage): unknown {
  const { nonce: _, ...shown } = world.render(message);
  const mentioned = message.pinged.users.includes(APPLICATION_ID);
  if (message.authorId === APPLICATION_ID || mentioned) return shown;
  return { ...shown, content: '', embeds: [], attachments: [], components: [] };
}

async function post(call: Call): Promise<Answer> {
  inChannel(call);
  const { world } = call;
  const body = objectBody(call.body);
  // With `enforce_nonce` a nonce makes only one message within some minutes.
  if (body.enforce_nonce === true && body.nonce !== undefined) {
    const since = Date.now() - 5 * 60_000;
    for (const message of world.messages.values()) {
      if (
        message.nonce === body.nonce &&
        message.authorId === APPLICATION_ID &&
        Date.parse(message.timestamp) > since
      ) {
        return ok(world.render(message));
      }
    }
  }
  const origin = { flags: CHANNEL_FLAGS };
  const message = await createMessage(world, body, call.files, origin);
  world.addMessage(message);
  return ok(world.render(message));
}

async function edit(call: Call): Promise<Answer> {
  const message = messageOf(call);
  if (message.authorId !== APPLICATION_ID) throw cannotEditOthers();
  await editMessage(call.world, message, objectBody(call.body), call.files);
  if (!call.world.messages.has(message.id)) throw unknownMessage();
  call.world.messageChanged(message);
  return ok(call.world.render(message));
}

export function channelRoutes(): Route[] {
  const all = '/channels/:channel/messages';
  const one = `${all}/:message`;
  return [
    { method: 'GET', pattern: all, handle: list },
    { method: 'POST', pattern: all, rate: 'tight', handle: post },
    { method: 'GET', pattern: one, handle: (call) => ok(looked(call, messageOf(call))) },
    { method: 'PATCH', pattern: one, rate: 'tight', handle: edit },
    {
      method: 'DELETE',
      pattern: one,
      handle: (call) => {
        call.world.deleteMessage(messageOf(call));
        return noContent();
      },
    },
  ];
}
