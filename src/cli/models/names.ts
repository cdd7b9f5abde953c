// Names of models: what the hub calls them, and the directories they are kept in.

import { UserError } from '../../errors.js';
import { DEVICES, staysInside } from '../../pipeline/inside.js';
import { badArgument } from '../arguments.js';

/** A model on the hub, at one revision. */
export interface HubModel {
  /** `owner/name`, or `name` alone for the few that have no owner */
  readonly repository: string;
  /** a branch, a tag, a commit or `refs/pr/N`; the default branch unless given */
  readonly revision: string;
}

const WORD = /^[A-Za-z0-9][A-Za-z0-9._-]{0,95}$/;
const REVISION = /^(?!.*(?:\.\.|\/\/|\/$|\.lock$|@\{))[A-Za-z0-9][A-Za-z0-9._/+-]{0,199}$/;

/**
 * `owner/name[@revision]`. The address of a model's page is taken too.
 * @throws UserError 'bad-argument'
 */
export function parseHubModel(text: string): HubModel {
  const address = /^https?:\/\/[^/]+\/([^/?#]+\/[^/?#]+)(?:\/tree\/([^?#]+))?\/?$/.exec(text);
  const written = address ? `${address[1]}@${decoded(address[2] ?? 'main')}` : text;
  const at = written.indexOf('@');
  const repository = at < 0 ? written : written.slice(0, at);
  const revision = at < 0 ? 'main' : written.slice(at + 1);
  const words = repository.split('/');
  const sound = words.every((word) => WORD.test(word) && !/\.\.|--|\.git$/.test(word));
  if (!sound || words.length > 2) {
    throw badArgument(
      `Expected a model as owner/name or owner/name@revision, as its page on the hub is called, got "${text}".`,
    );
  }
  if (!REVISION.test(revision)) {
    throw badArgument(`Expected a branch, a tag or a commit after the @, got "${revision}".`);
  }
  return { repository, revision };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text.replace(/\/$/, ''));
  } catch {
    return text;
  }
}

/** The directory of a pulled model: `owner--name`, which no other repository can have. */
export function directoryName({ repository }: Pick<HubModel, 'repository'>): string {
  return repository.replace('/', '--');
}

/**
 * A name that is one plain directory below the models: no path, nothing hidden, no device.
 * @throws UserError 'bad-argument'
 */
export function checkedName(text: string): string {
  const name = text.includes('/') && !text.startsWith('/') ? text.replace('/', '--') : text;
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$/.test(name) || /\.$/.test(name) || DEVICES.test(name)) {
    throw badArgument(
      `Expected a model's name of letters, digits, dots, dashes and underscores, got "${text}".`,
    );
  }
  return name;
}

/**
 * The same path.
 * @throws UserError 'hub-unsafe' for one that could lead out of the model's directory
 */
export function checkedPath(path: string): string {
  if (!staysInside(path)) {
    throw new UserError(
      'hub-unsafe',
      `The model names a file that could lie outside its directory (${JSON.stringify(path).slice(0, 120)}); nothing of it is kept.`,
    );
  }
  return path;
}
