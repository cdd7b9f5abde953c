// Vary and Branch: on from a step of the picture with new noise.

import type { MessageComponentInteraction } from 'discord.js';
import { MessageFlags } from 'discord-api-types/v10';
import type { Exchange } from '../../discord/exchange.js';
import type { Generation } from '../../store/types.js';
import { modelOf } from '../engines.js';
import { checkHasSteps } from '../evolution.js';
import type { Wish } from '../generations.js';
import { stepsGone } from '../painting.js';
import { newSeed } from '../parameters.js';
import { knownGeneration } from '../source.js';
import type { Bot, ButtonFamily } from '../types.js';
import { branchStep, branchWish, chanceSteps } from '../wishes.js';

/** @param steps one picture for each, all of them with the same new noise */
async function branchOff(
  interaction: MessageComponentInteraction,
  exchange: Exchange,
  bot: Bot,
  generation: Generation,
  steps: readonly number[],
  relation: 'vary' | 'branch' | 'chance',
): Promise<void> {
  checkHasSteps(generation);
  const ephemeral = interaction.message.flags.has(MessageFlags.Ephemeral);
  const info = await modelOf(bot.engines, exchange, ephemeral, generation.parameters.model);
  const seed = newSeed();
  const wishes: Wish[] = [];
  for (const step of steps) {
    wishes.push(await branchWish(bot, info, generation, step, relation, seed));
  }
  await bot.generations.begin(exchange, wishes, ephemeral);
}

/** Late for a near copy (subtle), early for another picture (strong). */
export const varyButtons: ButtonFamily = {
  verb: 'vary',
  async press(interaction, pressed, exchange, bot) {
    const generation = await knownGeneration(bot, pressed.generation);
    const variation = pressed.args[0] === 'strong' ? 'strong' : 'subtle';
    const step = branchStep(generation, variation);
    await branchOff(interaction, exchange, bot, generation, [step], 'vary');
  },
};

/** The same new noise early, halfway and late: four pictures that show how late chance matters. */
export const chanceButton: ButtonFamily = {
  verb: 'chance',
  async press(interaction, pressed, exchange, bot) {
    const generation = await knownGeneration(bot, pressed.generation);
    const steps = chanceSteps(generation);
    await branchOff(interaction, exchange, bot, generation, steps, 'chance');
  },
};

/** From the step that a /steps message shows. */
export const branchButton: ButtonFamily = {
  verb: 'branch',
  async press(interaction, pressed, exchange, bot) {
    const generation = await knownGeneration(bot, pressed.generation);
    const step = Number.parseInt(pressed.args[0] ?? '', 10);
    if (!Number.isInteger(step)) throw stepsGone();
    await branchOff(interaction, exchange, bot, generation, [step], 'branch');
  },
};
