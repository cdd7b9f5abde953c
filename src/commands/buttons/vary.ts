// Vary and Branch: on from a step of the picture with new noise.

import type { MessageComponentInteraction } from 'discord.js';
import { MessageFlags } from 'discord-api-types/v10';
import type { Exchange } from '../../discord/exchange.js';
import type { Generation } from '../../store/types.js';
import { modelOf } from '../engines.js';
import { checkHasSteps } from '../evolution.js';
import { stepsGone } from '../painting.js';
import { knownGeneration } from '../source.js';
import type { Bot, ButtonFamily } from '../types.js';
import { branchStep, branchWish } from '../wishes.js';

async function branchOff(
  interaction: MessageComponentInteraction,
  exchange: Exchange,
  bot: Bot,
  generation: Generation,
  step: number,
  relation: 'vary' | 'branch',
): Promise<void> {
  checkHasSteps(generation);
  const ephemeral = interaction.message.flags.has(MessageFlags.Ephemeral);
  const info = await modelOf(bot.engines, exchange, ephemeral, generation.parameters.model);
  const wish = await branchWish(bot, info, generation, step, relation);
  await bot.generations.begin(exchange, [wish], ephemeral);
}

/** Late for a near copy (subtle), early for another picture (strong). */
export const varyButtons: ButtonFamily = {
  verb: 'vary',
  async press(interaction, pressed, exchange, bot) {
    const generation = await knownGeneration(bot, pressed.generation);
    const strength = pressed.args[0] === 'strong' ? 'strong' : 'subtle';
    const step = branchStep(generation, strength);
    await branchOff(interaction, exchange, bot, generation, step, 'vary');
  },
};

/** From the step that a /steps message shows. */
export const branchButton: ButtonFamily = {
  verb: 'branch',
  async press(interaction, pressed, exchange, bot) {
    const generation = await knownGeneration(bot, pressed.generation);
    const step = Number.parseInt(pressed.args[0] ?? '', 10);
    if (!Number.isInteger(step)) throw stepsGone();
    await branchOff(interaction, exchange, bot, generation, step, 'branch');
  },
};
