// The arguments of `ylem models`, checked: whatever is wrong with them is one UserError sentence.

import { type ParseArgsConfig, parseArgs } from 'node:util';
import { badArgument, refusedOption } from '../arguments.js';
import { checkedName, parseHubModel } from './names.js';
import type { PullRequest } from './pull.js';

const JSON_AND_HELP = {
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

const OPTIONS = {
  list: JSON_AND_HELP,
  pull: {
    ...JSON_AND_HELP,
    name: { type: 'string' },
    folder: { type: 'string' },
    'safety-checker': { type: 'boolean' },
  },
  remove: JSON_AND_HELP,
  check: { ...JSON_AND_HELP, hashes: { type: 'boolean' }, run: { type: 'boolean' } },
} as const satisfies Record<string, ParseArgsConfig['options']>;

export type ModelsArguments =
  | { readonly command: 'help' }
  | { readonly command: 'list'; readonly json: boolean }
  | { readonly command: 'pull'; readonly request: PullRequest; readonly json: boolean }
  | { readonly command: 'remove'; readonly models: readonly string[]; readonly json: boolean }
  | {
      readonly command: 'check';
      /** absent: the model that is used where none is named */
      readonly model: string | undefined;
      /** also read every file and compare its hash with the hub's */
      readonly hashes: boolean;
      /** also load the model and paint one step */
      readonly run: boolean;
      readonly json: boolean;
    };

/**
 * @param args what follows `models` on the command line
 * @throws UserError 'bad-argument'
 */
export function parseModels(args: readonly string[]): ModelsArguments {
  const [command, ...rest] = args;
  switch (command) {
    case 'help':
    case '--help':
    case '-h':
      return { command: 'help' };
    case 'list': {
      const { values, positionals } = parse(OPTIONS.list, rest);
      if (values.help) return { command: 'help' };
      most(0, positionals, 'ylem models list takes no names');
      return { command, json: values.json ?? false };
    }
    case 'pull': {
      const { values, positionals } = parse(OPTIONS.pull, rest);
      if (values.help) return { command: 'help' };
      const [model] = positionals;
      if (model === undefined) throw badArgument('Name the model on the hub: owner/name.');
      most(1, positionals, 'Pull one model at a time');
      const { name, folder } = values;
      const request: PullRequest = {
        model: parseHubModel(model),
        safetyChecker: values['safety-checker'] ?? false,
        ...(name !== undefined && { name: checkedName(name) }),
        ...(folder !== undefined && { folder: checkedFolder(folder) }),
      };
      return { command, request, json: values.json ?? false };
    }
    case 'remove': {
      const { values, positionals } = parse(OPTIONS.remove, rest);
      if (values.help) return { command: 'help' };
      if (positionals.length === 0) throw badArgument('Name the model to remove.');
      return { command, models: positionals, json: values.json ?? false };
    }
    case 'check': {
      const { values, positionals } = parse(OPTIONS.check, rest);
      if (values.help) return { command: 'help' };
      most(1, positionals, 'Check one model at a time');
      const { json = false, hashes = false, run = false } = values;
      return { command, model: positionals[0], hashes, run, json };
    }
    default: {
      const what =
        command === undefined ? 'Say what to do with models' : `There is no "models ${command}"`;
      throw badArgument(`${what}: list, pull, remove or check (see ylem models --help).`);
    }
  }
}

function parse<const T extends NonNullable<ParseArgsConfig['options']>>(
  options: T,
  args: readonly string[],
) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
  } catch (error) {
    throw refusedOption(error, 'models');
  }
}

function most(count: number, positionals: readonly string[], rule: string): void {
  const extra = positionals[count];
  if (extra !== undefined) throw badArgument(`${rule}, got "${extra}".`);
}

function checkedFolder(text: string): string {
  const folder = text.replace(/^\.\/|\/+$/g, '');
  const sound = /^[\w.-]+(?:\/[\w.-]+)*$/.test(folder) && !/(?:^|\/)\.\.?(?:\/|$)/.test(folder);
  if (!sound) {
    throw badArgument(`Expected --folder to be a folder of the repository, got "${text}".`);
  }
  return folder;
}
