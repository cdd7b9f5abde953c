// /queue: how busy the bot is and where your pictures stand. Other people's prompts are not shown.

import { textOnly } from '../discord/message.js';
import { coarse, duration, textsFor } from '../discord/texts/index.js';
import { described, EVERYWHERE, named } from './data.js';
import type { SlashCommand } from './types.js';

/** one's own pictures that are listed at most */
const SHOWN = 10;

export const queue: SlashCommand = {
  data: () => ({
    ...named(['queue', 'warteschlange', 'file']),
    ...described([
      'What waits and runs, and where yours stand',
      'Was wartet und läuft, und wo deine Bilder stehen',
      'Ce qui attend et tourne, et où en sont vos images',
    ]),
    ...EVERYWHERE,
  }),

  async execute(_interaction, exchange, bot) {
    const texts = textsFor(exchange.locale);
    const entries = bot.queue.list();
    const places = entries.map((entry) => ({ entry, place: bot.queue.place(entry.id) }));
    const running = places.filter(({ place }) => place?.state === 'running').length;
    const lines = [
      entries.length === 0 ? texts.queueEmpty : texts.queueLine(running, entries.length - running),
    ];
    const mine = places.filter(({ entry }) => entry.userId === exchange.userId).slice(0, SHOWN);
    for (const { place } of mine) {
      if (place === undefined) continue;
      const where = place.state === 'running' ? texts.runningNow : texts.place(place.ahead + 1);
      const wait = place.expectedMs;
      const time = wait === undefined ? '' : ` · ${duration(coarse(wait), texts)}`;
      lines.push(`- ${texts.yours}: ${where}${time}`);
    }
    if (entries.length > 1) lines.push(`-# ${texts.queueOthers}`);
    const info = bot.engines.info;
    if (info !== undefined) lines.push(`-# ${texts.paints(info.name, info.provider)}`);
    await exchange.respond(textOnly(lines.join('\n')), true);
  },
};
