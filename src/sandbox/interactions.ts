// Makes interactions, sends them to the bot and watches their 3 seconds.

import { randomBytes } from 'node:crypto';
import { everyComponent } from './components.js';
import { isObject, type JsonObject } from './errors.js';
import { commandData, InvalidInvocation, resolve } from './invocation.js';
import {
  APPLICATION_ID,
  appPermissions,
  CHANNEL_ID,
  channelObject,
  GUILD_ID,
  memberObject,
  type Person,
  permissionsOf,
  userObject,
} from './people.js';
import { snowflake } from './snowflake.js';
import { Flag, type Interaction, type World } from './world.js';

export const TIMED_OUT = 'The application did not respond';

interface Act {
  readonly person: Person;
  readonly nonce?: string | null;
}

/** @throws InvalidInvocation */
export function runCommand(
  world: World,
  act: Act & {
    readonly commandId: string;
    readonly options: unknown;
    readonly autocomplete?: boolean;
  },
): Interaction {
  const command = world.commands.get(act.commandId);
  if (!command) throw new InvalidInvocation('There is no such command any more.');
  const autocomplete = act.autocomplete === true;
  const data = commandData(world, command, act.options, autocomplete);
  return send(world, act, autocomplete ? 4 : 2, data, {
    command: { id: command.id, name: command.name, type: command.type },
  });
}

/** A command of a message's or a person's menu. @throws InvalidInvocation */
export function runContextCommand(
  world: World,
  act: Act & { readonly commandId: string; readonly targetId: string },
): Interaction {
  const command = world.commands.get(act.commandId);
  if (!command || command.type === 1)
    throw new InvalidInvocation('There is no such command any more.');
  const resolved: JsonObject = {};
  const message = world.messages.get(act.targetId);
  if (message && world.visibleTo(message, act.person.id)) {
    resolved.messages = { [message.id]: world.render(message) };
  } else resolve(world, [act.targetId], resolved);
  if (Object.keys(resolved).length === 0) throw new InvalidInvocation('The target is not here.');
  const { id, name, type } = command;
  const data = { id, name, type, target_id: act.targetId, resolved };
  return send(world, act, 2, data, { command: { id, name, type } });
}

/** Presses a button or chooses in a select. @throws InvalidInvocation */
export function useComponent(
  world: World,
  act: Act & { readonly messageId: string; readonly customId: string; readonly values?: unknown },
): Interaction {
  const message = world.messages.get(act.messageId);
  if (!message || !world.visibleTo(message, act.person.id)) {
    throw new InvalidInvocation('This message is no longer here.');
  }
  const component = [...everyComponent(message.components)].find(
    (one) => one.custom_id === act.customId,
  );
  if (!component) throw new InvalidInvocation('This message has no such button or menu any more.');
  if (component.disabled === true) throw new InvalidInvocation('This is switched off.');
  const data: JsonObject = {
    custom_id: act.customId,
    component_type: component.type,
    id: component.id,
  };
  if (component.type !== 2) {
    const values = chosen(component, act.values);
    data.values = values;
    if (component.type !== 3) {
      const resolved: JsonObject = {};
      resolve(world, values, resolved);
      data.resolved = resolved;
    }
  }
  return send(world, act, 3, data, { sourceId: message.id });
}

function chosen(component: JsonObject, given: unknown): string[] {
  const values = Array.isArray(given) ? given.map(String) : [];
  const least = typeof component.min_values === 'number' ? component.min_values : 1;
  const most = typeof component.max_values === 'number' ? component.max_values : 1;
  if (values.length < least || values.length > most) {
    throw new InvalidInvocation(`Choose ${least === most ? least : `${least} to ${most}`}.`);
  }
  if (component.type === 3) {
    const known = (component.options as JsonObject[]).map((option) => option.value);
    for (const value of values) {
      if (!known.includes(value)) throw new InvalidInvocation(`There is no choice "${value}".`);
    }
  }
  return values;
}

/** Sends a modal's fields. @throws InvalidInvocation */
export function submitModal(
  world: World,
  act: Act & {
    readonly interaction: Interaction;
    readonly customId?: string;
    readonly fields: JsonObject;
  },
): Interaction {
  const { modal } = act.interaction;
  if (!modal || (act.customId !== undefined && act.customId !== modal.custom_id)) {
    throw new InvalidInvocation('This form is no longer open.');
  }
  const components = (modal.components as JsonObject[]).map((one) => filled(one, act.fields));
  const data = { custom_id: modal.custom_id, components };
  return send(world, act, 5, data, {
    sourceId: act.interaction.sourceId,
    command: act.interaction.command,
  });
}

/** A modal's component with what the person entered, in the shape of a submission. */
function filled(one: JsonObject, fields: JsonObject): JsonObject {
  if (one.type === 1) {
    return {
      type: 1,
      id: one.id,
      components: (one.components as JsonObject[]).map((child) => filled(child, fields)),
    };
  }
  if (one.type === 18)
    return { type: 18, id: one.id, component: filled(one.component as JsonObject, fields) };
  if (one.type === 10) return { type: 10, id: one.id };
  const given = fields[String(one.custom_id)];
  const base = { type: one.type, id: one.id, custom_id: one.custom_id };
  if (one.type === 4) {
    const value = given === undefined ? String(one.value ?? '') : String(given);
    const length = [...value].length;
    const most = typeof one.max_length === 'number' ? one.max_length : 4000;
    const least = typeof one.min_length === 'number' ? one.min_length : 0;
    const name = `"${String(one.label ?? one.custom_id)}"`;
    if (one.required !== false && length === 0) throw new InvalidInvocation(`${name} is required.`);
    if (length > most) throw new InvalidInvocation(`${name} may have at most ${most} characters.`);
    if (length > 0 && length < least)
      throw new InvalidInvocation(`${name} must have at least ${least} characters.`);
    return { ...base, value };
  }
  if (one.type === 23)
    return { ...base, value: given === undefined ? one.default === true : given === true };
  const preset = (Array.isArray(one.options) ? one.options.filter(isObject) : [])
    .filter((option) => option.default === true)
    .map((option) => option.value);
  const values = given === undefined ? preset : Array.isArray(given) ? given : [given];
  if (one.type === 21) return { ...base, value: values[0] ?? null };
  return { ...base, values };
}

function send(
  world: World,
  act: Act,
  type: number,
  data: JsonObject,
  about: { readonly sourceId?: string | null; readonly command?: Interaction['command'] },
): Interaction {
  const id = snowflake();
  const interaction: Interaction = {
    id,
    // Real ones are base64 of `interaction:ID:SECRET` as well.
    token: Buffer.from(`interaction:${id}:${randomBytes(48).toString('hex')}`).toString(
      'base64url',
    ),
    type,
    userId: act.person.id,
    createdAt: Date.now(),
    nonce: act.nonce ?? null,
    sourceId: about.sourceId ?? null,
    command: about.command ?? null,
    state: 'waiting',
    kind: null,
    acknowledgedAt: null,
    ephemeral: false,
    originalId: null,
    modal: null,
    choices: [],
    expired: false,
  };
  world.addInteraction(interaction);
  watch(world, interaction);
  world.dispatch('INTERACTION_CREATE', payload(world, interaction, act.person, data));
  return interaction;
}

/** Ends the wait when its time is over. A timer may go off a millisecond before the clock says so: then it is set again. */
function watch(world: World, interaction: Interaction): void {
  const left = interaction.createdAt + world.limits.acknowledge - Date.now();
  const deadline = setTimeout(
    () => {
      if (!overdue(world, interaction) && interaction.state === 'waiting')
        watch(world, interaction);
    },
    Math.max(1, left),
  );
  deadline.unref();
}

/** Ends an interaction that was not acknowledged in time; true when it was ended now or before. */
export function overdue(world: World, interaction: Interaction): boolean {
  if (
    interaction.state === 'waiting' &&
    Date.now() - interaction.createdAt >= world.limits.acknowledge
  ) {
    interaction.state = 'failed';
    world.events.emit({ type: 'interaction.failed', interaction });
  }
  return interaction.state === 'failed';
}

function payload(
  world: World,
  interaction: Interaction,
  person: Person,
  data: JsonObject,
): JsonObject {
  const source =
    interaction.sourceId === null ? undefined : world.messages.get(interaction.sourceId);
  return {
    id: interaction.id,
    application_id: APPLICATION_ID,
    type: interaction.type,
    token: interaction.token,
    version: 1,
    data,
    guild_id: GUILD_ID,
    guild: { id: GUILD_ID, locale: 'en-US', features: [] },
    guild_locale: 'en-US',
    channel_id: CHANNEL_ID,
    channel: { ...channelObject(), permissions: permissionsOf(person) },
    member: {
      ...memberObject(),
      permissions: permissionsOf(person),
      user: userObject(person),
    },
    locale: person.locale,
    app_permissions: appPermissions(),
    entitlements: [],
    authorizing_integration_owners: { '0': GUILD_ID },
    context: 0,
    attachment_size_limit: world.attachmentLimit,
    ...(source ? { message: world.render(source) } : {}),
  };
}

/** What stands above a message that was made in answer. */
export function interactionMetadata(world: World, interaction: Interaction): JsonObject {
  const person = world.people.get(interaction.userId);
  return {
    id: interaction.id,
    type: interaction.type,
    user: person ? userObject(person) : { id: interaction.userId },
    authorizing_integration_owners: { '0': GUILD_ID },
    ...(interaction.command
      ? { name: interaction.command.name, command_type: interaction.command.type }
      : {}),
    ...(interaction.sourceId === null ? {} : { interacted_message_id: interaction.sourceId }),
  };
}

export const ephemeralFlag = (flags: number) => (flags & Flag.Ephemeral) !== 0;
