// `ylem models`: which models are here, fetching them from a hub, removing and checking them.

import { type Config, loadConfig } from '../../config.js';
import { MODELS_HELP } from '../help.js';
import { settings } from '../settings.js';
import { painter, sizeText, table } from '../style.js';
import { type ModelsArguments, parseModels } from './arguments.js';
import { removeModel, unfinishedPulls } from './directory.js';
import { Hub } from './hub.js';
import { listModels } from './list.js';
import { pull, shortPath } from './pull.js';
import { createTransfers } from './transfers.js';

/** What a shell gives to a program that Ctrl-C ended. */
const INTERRUPTED = 130;

/**
 * @param args what follows `models` on the command line
 * @returns the exit status: 0, 1 for a model that would not run, 130 for a pull that was stopped
 * @throws UserError 'bad-argument' for what was asked wrongly; whatever else fails
 */
export async function models(args: readonly string[]): Promise<number> {
  const asked = parseModels(args);
  if (asked.command === 'help') {
    process.stdout.write(MODELS_HELP);
    return 0;
  }
  // `pull` makes a directory that is missing, and the others name what they do not find.
  const tells = asked.command === 'list' || asked.command === 'check';
  const config = tells ? settings() : loadConfig();
  switch (asked.command) {
    case 'list':
      return list(asked, config);
    case 'pull':
      return fetchModel(asked, config);
    case 'remove':
      return remove(asked, config);
    case 'check':
      return (await import('./check.js')).check(asked, config);
  }
}

type Asked<T extends ModelsArguments['command']> = Extract<ModelsArguments, { command: T }>;

async function list({ json }: Asked<'list'>, config: Config): Promise<number> {
  const found = await listModels(config);
  const pulls = await unfinishedPulls(config);
  if (json) {
    const directory = config.modelsDirectory;
    process.stdout.write(`${JSON.stringify({ directory, models: found, unfinished: pulls })}\n`);
    return 0;
  }
  const paint = painter(process.stdout);
  const rows = found.map(
    ({ name, isDefault, family, precision, bytes, fault, from, directory }) => [
      isDefault ? paint('green', '*') : ' ',
      paint('bold', name),
      fault === undefined ? [family, precision].filter(Boolean).join(' ') : paint('red', 'damaged'),
      sizeText(bytes),
      fault ?? paint('dim', from ?? shortPath(directory)),
    ],
  );
  process.stdout.write(table(rows, [3]));
  for (const name of pulls) {
    process.stdout.write(
      `${paint('yellow', '!')} ${name} was not pulled to its end: the same \`ylem models pull\` goes on, \`ylem models remove ${name}\` drops it.\n`,
    );
  }
  if (found.some(({ isDefault }) => isDefault))
    process.stdout.write(paint('dim', '* the model that is used where none is named\n'));
  return 0;
}

async function fetchModel({ request, json }: Asked<'pull'>, config: Config): Promise<number> {
  const { repository } = request.model;
  const stop = new AbortController();
  const onSignal = () => {
    if (stop.signal.aborted) process.exit(INTERRUPTED);
    stop.abort(new Error('stopped'));
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const name of signals) process.on(name, onSignal);
  // With --json, stdout belongs to the one line of the result.
  const transfers = createTransfers(json ? process.stderr : process.stdout);
  try {
    const hub = new Hub(process.env, stop.signal, transfers.say);
    const pulled = await pull(request, config, hub, stop.signal, transfers);
    transfers.end();
    if (json) {
      const line = { ...pulled, repository, revision: request.model.revision };
      process.stdout.write(`${JSON.stringify(line)}\n`);
      return 0;
    }
    const { name, bytes, commit, changed, directory } = pulled;
    const at = `at commit ${commit.slice(0, 10)}`;
    process.stdout.write(
      changed
        ? `${name} is there ${at}: ${pulled.files} files, ${sizeText(bytes)} in ${shortPath(directory)}\n` +
            `Look it over: ylem models check ${name}\n` +
            `Paint with it: ylem imagine "a fox" --out fox.png --model ${name}\n` +
            `Give it to the bot: YLEM_MODEL=${shortPath(directory)}\n`
        : `${name} was there already ${at}\n`,
    );
    return 0;
  } catch (error) {
    transfers.end();
    if (!stop.signal.aborted) throw error;
    const there = await unfinishedPulls(config);
    const kept = there.length > 0 ? '; the same command goes on from here' : '';
    process.stderr.write(`ylem: stopped${kept}.\n`);
    return INTERRUPTED;
  } finally {
    for (const name of signals) process.off(name, onSignal);
  }
}

async function remove({ models: names, json }: Asked<'remove'>, config: Config): Promise<number> {
  const freed: Record<string, number> = {};
  for (const name of names) {
    freed[name] = await removeModel(config, name);
    if (!json) process.stdout.write(`${name} is removed (${sizeText(freed[name])})\n`);
  }
  if (json) process.stdout.write(`${JSON.stringify({ removed: freed })}\n`);
  return 0;
}
