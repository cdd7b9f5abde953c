// Everything of the bot but its engines: store, queue, Discord. main.ts imports this only when the
// engines' processes have been started, so that they load their models meanwhile.

import { Events } from 'discord.js';
import type { Logger } from 'pino';
import type { EnginePool } from './commands/engines.js';
import { Generations } from './commands/generations.js';
import { keepHouse } from './commands/housekeeping.js';
import { commandData, handleInteraction } from './commands/index.js';
import { StoredAnswers } from './commands/open-answers.js';
import { limitsWithin } from './commands/parameters.js';
import type { Bot } from './commands/types.js';
import { Views } from './commands/views.js';
import type { Config } from './config.js';
import { createClient, login, onClosedForGood } from './discord/client.js';
import { within } from './discord/patience.js';
import { registerCommands } from './discord/registration.js';
import { MessageRest } from './discord/rest.js';
import { UserError } from './errors.js';
import { discordOrSandbox } from './host.js';
import { endOnSignal } from './process.js';
import { createLocalQueue } from './queue/local.js';
import { openStore } from './store/index.js';

/** ms that people who are being answered when the bot ends are waited for */
const PARTING = 500;

/**
 * Serves Discord, or the sandbox, until the process is told to end.
 * @throws UserError with the one sentence that says what hinders it
 */
export async function serve(config: Config, engines: EnginePool, logger: Logger): Promise<void> {
  // While the engines load, everything else starts.
  const opened = openStore(config.dataDirectory);
  const [host, store] = await Promise.all([discordOrSandbox(config, opened), opened]);
  const queue = createLocalQueue(config.queue, engines.size);
  const rest = new MessageRest(host.apiBase, host.token);
  const { noise, promptWeighting: weighting } = config;
  const rules = { limits: limitsWithin(config.most), noise, weighting };
  const generations = new Generations({ store, queue, engines, rest, rules, logger });
  const answers = new StoredAnswers({ store, rest, logger });
  const left = await store.openAnswers(); // before there are new ones
  const { attachmentHosts } = host;
  const views = new Views(engines.size);
  const bot: Bot = {
    ...{ store, queue, engines, generations, views, answers, rest, rules },
    ...{ attachmentHosts, logger },
  };

  const client = createClient(host.apiBase);
  client.on(Events.Error, (err) => logger.warn({ err }, 'the gateway had an error'));
  const answering = new Set<Promise<void>>();
  client.on(Events.InteractionCreate, (i) => {
    const answered = handleInteraction(i, bot).finally(() => answering.delete(answered));
    answering.add(answered);
  });
  const giveUp = endOnSignal(logger, async () => {
    await generations.close(5000);
    await engines.close(1000);
    await within(PARTING, Promise.all(answering)); // they still need Discord and the store
    await client.destroy();
    await store.close();
    await host.close();
  });
  onClosedForGood(client, giveUp);
  // Whoever keeps the bot running starts it anew; without these it would only seem to run.
  void host.lost.then(() => giveUp(new UserError('sandbox-lost', 'The sandbox has ended.')));
  void store.lost.then(({ message }) =>
    giveUp(new UserError('store-lost', `The store broke down (${message}); start the bot again.`)),
  );

  const [applicationId, recovered] = await Promise.all([
    login(client, host.apiBase, host.token),
    generations.recover(),
  ]);
  const commands = commandData(rules.limits);
  const guildId = host.sandbox ? undefined : config.discord.guildId;
  const guildKey = `commands-in-guild:${applicationId}`;
  const formerGuildId = (await store.setting(guildKey)) || undefined;
  const places = { guildId, formerGuildId };
  const registered = await registerCommands(client.rest, applicationId, commands, places);
  await store.setSetting(guildKey, guildId ?? '');
  logger.info(
    { registered },
    registered ? 'commands were registered' : 'commands are as they were',
  );
  if (recovered > 0) logger.info({ recovered }, 'took up what was unfinished');
  void answers.tell(left);
  keepHouse(store, config.keep, logger);
  logger.info({ ms: Math.round(performance.now()) }, 'ready');
  host.announce();
}
