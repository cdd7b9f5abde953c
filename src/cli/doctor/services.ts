// What the bot talks to: Discord or the sandbox that stands in for it, and the hosts that pictures
// and models come from. Nothing leaves the machine unless it is asked for (`--online`).

import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { Config } from '../../config.js';
import type { Finding } from './types.js';

/** ms for a host to answer */
const PATIENCE = 15_000;
/** Discord turns away what does not name a library so; this is the one that the bot goes by. */
const USER_AGENT = 'DiscordBot (https://discord.js.org, 14)';

/** A token's first part is its application's id in base64: it says nothing that is secret. */
export async function discordFinding(
  { discord, sandbox }: Config,
  online: boolean,
): Promise<Finding> {
  const name = 'discord';
  const { token, apiBase } = discord;
  const host = new URL(apiBase).host;
  if (token === undefined) {
    return {
      name,
      mark: 'ok',
      text: 'no DISCORD_TOKEN: the sandbox stands in for Discord (README.md says how to get a token)',
    };
  }
  const note = sandbox.enabled ? '; YLEM_SANDBOX is 1, so it is not used' : '';
  const [first = '', ...others] = token.split('.');
  const id = Buffer.from(first, 'base64').toString('latin1');
  const usual = others.length === 2 && /^\d{17,20}$/.test(id);
  if (!online) {
    return usual
      ? { name, mark: 'ok', text: `a token is set${note} (--online asks ${host} about it)` }
      : {
          name,
          mark: host === 'discord.com' ? 'warn' : 'ok',
          text: `DISCORD_TOKEN is set, but is not of the usual form of a bot's token${note}`,
        };
  }
  try {
    const answer = await fetch(`${apiBase}/v10/users/@me`, {
      headers: { authorization: `Bot ${token}`, 'user-agent': USER_AGENT },
      signal: AbortSignal.timeout(PATIENCE),
    });
    const body = (await answer.json().catch(() => ({}))) as { username?: unknown };
    if (answer.ok)
      return { name, mark: 'ok', text: `${host} knows the token: ${String(body.username)}${note}` };
    if (answer.status === 401) {
      const text = `${host} refuses DISCORD_TOKEN; copy a new one from the developer portal`;
      return { name, mark: 'fail', text };
    }
    const hint = /\/api$/.test(apiBase)
      ? ''
      : `; does the path of DISCORD_API_BASE end in /api? It is ${apiBase}`;
    return { name, mark: 'warn', text: `${host} answers with status ${answer.status}${hint}` };
  } catch (error) {
    return { name, mark: 'fail', text: `${host} cannot be reached: ${reasonOf(error)}` };
  }
}

/**
 * The port of the sandbox, where one would be started.
 * @param runs a bot is running on the same data directory: the port is most likely its own
 */
export async function sandboxFinding({ sandbox }: Config, runs: boolean): Promise<Finding> {
  const name = 'sandbox';
  if (!sandbox.enabled) return { name, mark: 'none', text: 'not started where there is a token' };
  if (sandbox.port === 0) return { name, mark: 'ok', text: 'takes any free port of 127.0.0.1' };
  const server = createServer();
  try {
    server.listen(sandbox.port, '127.0.0.1');
    await once(server, 'listening');
    return { name, mark: 'ok', text: `127.0.0.1:${sandbox.port} is free` };
  } catch (error) {
    const taken = `127.0.0.1:${sandbox.port} cannot be used (${(error as NodeJS.ErrnoException).code})`;
    if (sandbox.portMayDiffer) {
      const text = `${taken}, perhaps by a bot that is running; another port will do`;
      return { name, mark: 'ok', text };
    }
    return runs
      ? { name, mark: 'ok', text: `${taken}, most likely because the bot that is running has it` }
      : {
          name,
          mark: 'fail',
          text: `${taken}; YLEM_SANDBOX_PORT names another one, 0 any free one`,
        };
  } finally {
    server.close();
  }
}

/** Hosts that uploaded pictures are fetched from. */
export async function attachmentsFinding(
  { attachmentHosts }: Config,
  online: boolean,
): Promise<Finding> {
  const name = 'uploads';
  const from = `pictures are fetched from ${attachmentHosts.join(', ')} alone`;
  if (!online) return { name, mark: 'ok', text: from };
  const lost: string[] = [];
  for (const host of attachmentHosts) {
    const bare = host.replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
    await lookup(bare).catch(() => lost.push(host));
  }
  return lost.length === 0
    ? { name, mark: 'ok', text: `${from}; their names are known` }
    : { name, mark: 'warn', text: `${from}, but there is no address for ${lost.join(', ')}` };
}

/** The hub that `ylem models pull` asks. */
export async function hubFinding(env: NodeJS.ProcessEnv): Promise<Finding> {
  const name = 'hub';
  const address = (env.HF_ENDPOINT?.trim() || 'https://huggingface.co').replace(/\/+$/, '');
  try {
    const { host } = new URL(address);
    const answer = await fetch(`${address}/api/models?limit=1`, {
      signal: AbortSignal.timeout(PATIENCE),
    });
    await answer.body?.cancel();
    return answer.ok
      ? { name, mark: 'ok', text: `${host} answers: models can be pulled` }
      : { name, mark: 'warn', text: `${host} answers with status ${answer.status}` };
  } catch (error) {
    return { name, mark: 'warn', text: `${address} cannot be reached: ${reasonOf(error)}` };
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause instanceof Error ? error.cause : error;
  return cause.message.split('\n')[0]!.slice(0, 200) || cause.name;
}
