// People in the channel as tests play them, and the interactions that they set going.

import type {
  APIApplicationCommand,
  APIApplicationCommandOptionChoice,
  APIMessage,
  APIModalInteractionResponseCallbackData,
  InteractionResponseType,
  InteractionType,
} from 'discord-api-types/v10';
import { everyComponent } from './components.js';
import { isObject, type JsonObject } from './errors.js';
import {
  runCommand,
  runContextCommand,
  submitModal,
  TIMED_OUT,
  useComponent,
} from './interactions.js';
import { personMessage } from './message-body.js';
import { dismiss } from './page.js';
import type { Person } from './people.js';
import type {
  Acknowledgement,
  MessageLike,
  OptionFile,
  OptionValue,
  SandboxInteraction,
  SandboxUser,
  WaitOptions,
} from './types.js';
import { describeMessage, describeMessages, waitUntil } from './waiting.js';
import { Flag, type Interaction, type World } from './world.js';

const idOf = (message: MessageLike) => (typeof message === 'string' ? message : message.id);
const shown = (message: JsonObject) => message as unknown as APIMessage;

export class User implements SandboxUser {
  readonly #world: World;
  readonly #person: Person;

  constructor(world: World, person: Person) {
    this.#world = world;
    this.#person = person;
  }

  get id(): string {
    return this.#person.id;
  }

  get name(): string {
    return this.#person.name;
  }

  get locale(): string {
    return this.#person.locale;
  }

  set locale(locale: string) {
    this.#person.locale = locale;
  }

  get moderator(): boolean {
    return this.#person.moderator;
  }

  set moderator(moderator: boolean) {
    this.#person.moderator = moderator;
  }

  async command(
    name: string,
    options: Readonly<Record<string, OptionValue>> = {},
  ): Promise<SandboxInteraction> {
    const { command, path } = this.#command(name);
    const filled = await this.#options(command, path, options);
    return this.#follow(
      runCommand(this.#world, { person: this.#person, commandId: command.id, options: filled }),
    );
  }

  async say(content: string, files: readonly OptionFile[] = []): Promise<APIMessage> {
    const stored = [];
    for (const { name, bytes, type = '' } of files) {
      stored.push(await this.#world.files.put({ name, type, bytes: Buffer.from(bytes) }));
    }
    const message = personMessage(this.id, content, stored);
    this.#world.addMessage(message);
    return shown(this.#world.render(message));
  }

  async contextCommand(name: string, target: MessageLike): Promise<SandboxInteraction> {
    const command = [...this.#world.commands.values()].find(
      (one) => one.name === name && one.type !== 1,
    );
    if (!command) throw new Error(`No context menu has a command "${name}".`);
    const act = { person: this.#person, commandId: command.id, targetId: idOf(target) };
    return this.#follow(runContextCommand(this.#world, act));
  }

  async autocomplete(
    name: string,
    option: string,
    text: string,
    others: Readonly<Record<string, OptionValue>> = {},
  ): Promise<APIApplicationCommandOptionChoice[]> {
    const { command, path } = this.#command(name);
    const filled = await this.#options(command, path, others);
    let list = filled;
    for (const _ of path) list = list[0]?.options as JsonObject[];
    const defined = definitions(command, path).find((one) => one.name === option);
    if (defined?.autocomplete !== true)
      throw new Error(`/${name} has no option "${option}" with autocomplete.`);
    list.push({ name: option, type: defined.type, value: text, focused: true });
    const act = {
      person: this.#person,
      commandId: command.id,
      options: filled,
      autocomplete: true,
    };
    const interaction = this.#follow(runCommand(this.#world, act));
    return [...(await interaction.acknowledged).choices];
  }

  async click(message: MessageLike, button: string | RegExp): Promise<SandboxInteraction> {
    const component = this.#component(message, button, (one) => one.type === 2);
    return this.#use(message, String(component.custom_id));
  }

  async select(
    message: MessageLike,
    menu: string | RegExp,
    values: readonly string[],
  ): Promise<SandboxInteraction> {
    const component = this.#component(message, menu, (one) =>
      [3, 5, 6, 7, 8].includes(one.type as number),
    );
    return this.#use(message, String(component.custom_id), values);
  }

  async submitModal(
    interaction: SandboxInteraction,
    fields: Readonly<Record<string, string | boolean | readonly string[]>>,
  ): Promise<SandboxInteraction> {
    const found = this.#world.interactions.get(interaction.id);
    if (!found?.modal) throw new Error('The interaction was not answered with a modal.');
    const names = [...everyComponent(found.modal.components as JsonObject[])].map(
      (one) => one.custom_id,
    );
    for (const name of Object.keys(fields)) {
      if (!names.includes(name))
        throw new Error(
          `The modal has no field "${name}", but ${names.filter(Boolean).join(', ')}.`,
        );
    }
    return this.#follow(
      submitModal(this.#world, { person: this.#person, interaction: found, fields: { ...fields } }),
    );
  }

  messages(): APIMessage[] {
    return this.#world.sight(this.id).map((message) => shown(this.#world.render(message)));
  }

  waitFor(
    condition: (message: APIMessage) => boolean | undefined,
    options: WaitOptions = {},
  ): Promise<APIMessage> {
    return waitUntil(
      this.#world,
      () =>
        this.messages()
          .reverse()
          .find((message) => condition(message)),
      { what: 'a message', ...options },
      () => describeMessages(this.#world, this.#world.sight(this.id)),
    );
  }

  dismiss(message: MessageLike): void {
    dismiss(this.#world, this.id, idOf(message));
  }

  #use(message: MessageLike, customId: string, values?: readonly string[]): SandboxInteraction {
    const act = { person: this.#person, messageId: idOf(message), customId, values };
    return this.#follow(useComponent(this.#world, act));
  }

  #component(
    message: MessageLike,
    wanted: string | RegExp,
    kind: (one: JsonObject) => boolean,
  ): JsonObject {
    const found = this.#world.messages.get(idOf(message));
    if (!found || !this.#world.visibleTo(found, this.id))
      throw new Error(`${this.name} sees no message ${idOf(message)}.`);
    const fits = (text: unknown) =>
      typeof text === 'string' &&
      (typeof wanted === 'string' ? text === wanted : wanted.test(text));
    const all = [...everyComponent(found.components)].filter(
      (one) => kind(one) && one.custom_id !== undefined,
    );
    const emoji = (one: JsonObject) => (isObject(one.emoji) ? one.emoji.name : undefined);
    const one = all.find((each) =>
      [each.custom_id, each.label, each.placeholder, emoji(each)].some(fits),
    );
    if (!one) {
      const there = all
        .map((each) => String(each.label ?? each.placeholder ?? emoji(each) ?? each.custom_id))
        .join(', ');
      throw new Error(
        `The message ${found.id} has no ${String(wanted)}; there is: ${there || 'nothing'}.`,
      );
    }
    return one;
  }

  #command(name: string): { command: APIApplicationCommand; path: string[] } {
    const [first, ...path] = name.replace(/^\//, '').split(' ');
    const all = [...this.#world.commands.values()].filter((one) => one.type === 1);
    const command = all.find((one) => one.name === first);
    if (!command) {
      const there = all.map((one) => `/${one.name}`).join(', ') || 'none';
      throw new Error(`There is no command /${first}; registered: ${there}.`);
    }
    return { command, path };
  }

  /** Options in the shape of an interaction, nested in their subcommand. */
  async #options(
    command: APIApplicationCommand,
    path: readonly string[],
    values: Readonly<Record<string, OptionValue>>,
  ): Promise<JsonObject[]> {
    const defined = definitions(command, path);
    const list: JsonObject[] = [];
    for (const [name, value] of Object.entries(values)) {
      const option = defined.find((one) => one.name === name);
      if (!option) {
        const there = defined.map((one) => String(one.name)).join(', ') || 'none';
        throw new Error(
          `/${[command.name, ...path].join(' ')} has no option "${name}"; its options: ${there}.`,
        );
      }
      list.push({ name, type: option.type, value: await this.#value(value) });
    }
    let level = options(command as unknown as JsonObject);
    const kinds = path.map((part) => {
      const found = level.find((one) => one.name === part);
      level = found ? options(found) : [];
      return { name: part, type: found?.type };
    });
    return kinds.reduceRight<JsonObject[]>((inner, one) => [{ ...one, options: inner }], list);
  }

  async #value(value: OptionValue): Promise<string | number | boolean> {
    if (typeof value !== 'object') return value;
    const file = value instanceof Uint8Array ? { name: 'file.bin', bytes: value } : value;
    const type = 'type' in file && file.type !== undefined ? file.type : '';
    const stored = await this.#world.upload({
      name: file.name,
      type,
      bytes: Buffer.from(file.bytes),
    });
    return stored.id;
  }

  #follow(interaction: Interaction): SandboxInteraction {
    return new FollowedInteraction(this.#world, interaction, this);
  }
}

const options = (one: JsonObject): JsonObject[] =>
  Array.isArray(one.options) ? one.options.filter(isObject) : [];

/** The options below a subcommand. */
function definitions(command: APIApplicationCommand, path: readonly string[]): JsonObject[] {
  let level = options(command as unknown as JsonObject);
  for (const part of path) {
    const found = level.find((one) => one.name === part);
    if (!found) throw new Error(`/${command.name} has no subcommand "${part}".`);
    level = options(found);
  }
  return level;
}

class FollowedInteraction implements SandboxInteraction {
  readonly user: SandboxUser;
  readonly acknowledged: Promise<Acknowledgement>;
  readonly #world: World;
  readonly #interaction: Interaction;

  constructor(world: World, interaction: Interaction, user: SandboxUser) {
    this.#world = world;
    this.#interaction = interaction;
    this.user = user;
    this.acknowledged = this.#outcome();
    // Whoever does not ask must not be ended by it.
    this.acknowledged.catch(() => undefined);
  }

  get id(): string {
    return this.#interaction.id;
  }

  get token(): string {
    return this.#interaction.token;
  }

  get type(): InteractionType {
    return this.#interaction.type;
  }

  get createdAt(): number {
    return this.#interaction.createdAt;
  }

  get state(): Interaction['state'] {
    return this.#interaction.state;
  }

  get modal(): APIModalInteractionResponseCallbackData | undefined {
    const { modal } = this.#interaction;
    return modal === null
      ? undefined
      : (modal as unknown as APIModalInteractionResponseCallbackData);
  }

  message(): APIMessage | undefined {
    const found = this.#world.messages.get(this.#interaction.originalId ?? '');
    return found && shown(this.#world.render(found));
  }

  messages(): APIMessage[] {
    const { id, originalId } = this.#interaction;
    return this.#world
      .sight()
      .filter((message) => message.interactionId === id || message.id === originalId)
      .map((message) => shown(this.#world.render(message)));
  }

  waitFor(
    condition: (message: APIMessage) => boolean | undefined = (message) =>
      (Number(message.flags) & Flag.Loading) === 0,
    waiting: WaitOptions = {},
  ): Promise<APIMessage> {
    return waitUntil(
      this.#world,
      () => {
        if (this.state === 'failed') throw new Error(`${TIMED_OUT}.`);
        const message = this.message();
        return message && condition(message) ? message : undefined;
      },
      { what: 'the answer', ...waiting },
      () => {
        const found = this.#world.messages.get(this.#interaction.originalId ?? '');
        return found
          ? `It is: ${describeMessage(found)}`
          : `There is none; the interaction is ${this.state}.`;
      },
    );
  }

  /** Settles with the acknowledgement or the failure, without a limit of its own. */
  #outcome(): Promise<Acknowledgement> {
    return new Promise((resolve, reject) => {
      const off = this.#world.events.on((event) => {
        if (!('interaction' in event) || event.interaction !== this.#interaction) return;
        off();
        const { kind, acknowledgedAt, createdAt, ephemeral, choices } = this.#interaction;
        if (event.type === 'interaction.failed') reject(new Error(`${TIMED_OUT}.`));
        else {
          resolve({
            type: kind as InteractionResponseType,
            after: (acknowledgedAt ?? createdAt) - createdAt,
            ephemeral,
            choices,
          });
        }
      });
    });
  }
}
