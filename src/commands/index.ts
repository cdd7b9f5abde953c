// All commands and buttons there are, and the one place where an interaction finds its own.

import { randomUUID } from 'node:crypto';
import type { Interaction } from 'discord.js';
import type { RESTPostAPIApplicationCommandsJSONBody } from 'discord-api-types/v10';
import { parseCustomId } from '../discord/custom-id.js';
import { isForOperator, tellFailure } from '../discord/errors.js';
import { Exchange } from '../discord/exchange.js';
import { failureOf, isOutOfReach } from '../discord/failures.js';
import { EngineDied } from '../engine/types.js';
import { UserError } from '../errors.js';
// The file itself, not the pipeline's index: this process must not load onnxruntime.
import { LIMITS, type Limits } from '../pipeline/parameters.js';
import { besideButton } from './buttons/beside.js';
import { deleteButton } from './buttons/delete.js';
import { editButton } from './buttons/edit.js';
import { cancelButton, keepButton, stopButton } from './buttons/ending.js';
import { rerollButton } from './buttons/reroll.js';
import { stepsButton } from './buttons/steps.js';
import { branchButton, chanceButton, varyButtons } from './buttons/vary.js';
import { viewButtons } from './buttons/view.js';
import { cancel } from './cancel.js';
import { imagine } from './imagine.js';
import { withoutRequest } from './log-safe.js';
import { initWindow, useAsInit } from './messages/init.js';
import { rerollMessage } from './messages/reroll.js';
import { models } from './models.js';
import { queue } from './queue.js';
import { reroll } from './reroll.js';
import { unknownGeneration } from './source.js';
import { steps } from './steps.js';
import type { Bot, ButtonFamily, MessageCommand, SlashCommand } from './types.js';

export const COMMANDS: readonly SlashCommand[] = [imagine, reroll, steps, cancel, queue, models];

export const MESSAGE_COMMANDS: readonly MessageCommand[] = [useAsInit, rerollMessage];

/** Everything that Discord is told of. */
export function commandData(limits: Limits): RESTPostAPIApplicationCommandsJSONBody[] {
  return [
    ...COMMANDS.map((command) => command.data(limits)),
    ...MESSAGE_COMMANDS.map((command) => command.data),
  ];
}

export const BUTTONS: readonly ButtonFamily[] = [
  rerollButton,
  stepsButton,
  viewButtons,
  varyButtons,
  branchButton,
  chanceButton,
  besideButton,
  editButton,
  deleteButton,
  stopButton,
  cancelButton,
  keepButton,
  initWindow,
];

const commandByName = new Map(COMMANDS.map((command) => [command.data(LIMITS).name, command]));
const messageCommandByName = new Map(
  MESSAGE_COMMANDS.map((command) => [command.data.name, command]),
);
const familyByVerb = new Map(BUTTONS.map((family) => [family.verb, family]));

/** Answers one interaction. Never rejects: what goes wrong is told to the person or logged. */
export async function handleInteraction(interaction: Interaction, bot: Bot): Promise<void> {
  const exchange = new Exchange(interaction, bot.rest, Date.now(), bot.answers);
  try {
    if (interaction.isChatInputCommand()) {
      const command = commandByName.get(interaction.commandName);
      if (command === undefined)
        throw new UserError('unknown-command', 'I do not know this command.');
      await command.execute(interaction, exchange, bot);
    } else if (interaction.isMessageContextMenuCommand()) {
      const command = messageCommandByName.get(interaction.commandName);
      if (command === undefined)
        throw new UserError('unknown-command', 'I do not know this command.');
      await command.execute(interaction, exchange, bot);
    } else if (interaction.isAutocomplete()) {
      await commandByName.get(interaction.commandName)?.complete?.(interaction, exchange, bot);
    } else if (interaction.isMessageComponent()) {
      const pressed = parseCustomId(interaction.customId);
      const press = pressed && familyByVerb.get(pressed.verb)?.press;
      if (pressed === undefined || press === undefined) throw unknownGeneration();
      await press(interaction, pressed, exchange, bot);
    } else if (interaction.isModalSubmit()) {
      const pressed = parseCustomId(interaction.customId);
      const submit = pressed && familyByVerb.get(pressed.verb)?.submit;
      if (pressed === undefined || submit === undefined) throw unknownGeneration();
      await submit(interaction, pressed, exchange, bot);
    }
    exchange.settled();
  } catch (error) {
    if (await refuse(error, interaction, exchange, bot)) exchange.settled();
  }
  bot.generations.seen(exchange);
}

/** @returns true when it was told, or there is nobody to tell */
async function refuse(
  cause: unknown,
  interaction: Interaction,
  exchange: Exchange,
  bot: Bot,
): Promise<boolean> {
  const id = randomUUID().slice(0, 8);
  const error =
    cause instanceof EngineDied
      ? new UserError('engine-gone', 'The engine died over this; try again in a moment.')
      : cause;
  const failure = failureOf(error);
  if (isOutOfReach(failure) || failure.kind === 'acknowledged') {
    // Acknowledged: by another process with this bot's token, whose answer stands.
    bot.logger.warn(
      { id, interaction: interaction.id, kind: failure.kind },
      'the interaction was void, or another process answers it',
    );
    return true;
  }
  if (isForOperator(error))
    bot.logger.error({ id, kind: failure.kind, err: withoutRequest(error) }, 'something broke');
  if (interaction.isAutocomplete()) return true;
  try {
    await exchange.refuse(tellFailure(error, exchange.locale, id));
    return true;
  } catch (second) {
    bot.logger.warn({ id, err: withoutRequest(second) }, 'nor could that be told');
    return false;
  }
}
