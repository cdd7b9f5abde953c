// A sandbox and an unmodified discord.js client at it, both closed when the test ends.

import {
  Client,
  type ClientOptions,
  Events,
  GatewayIntentBits,
  type Interaction,
  type RESTPostAPIChatInputApplicationCommandsJSONBody,
} from 'discord.js';
import { onTestFinished } from 'vitest';
import { createSandbox } from '../../src/sandbox/sandbox.js';
import type { Sandbox, SandboxOptions } from '../../src/sandbox/types.js';

export async function open(options: SandboxOptions = {}): Promise<Sandbox> {
  const sandbox = await createSandbox(options);
  onTestFinished(() => sandbox.close());
  return sandbox;
}

/** A client that is ready. */
export async function connect(
  sandbox: Sandbox,
  options: Partial<ClientOptions> = {},
): Promise<Client<true>> {
  const client = new Client({
    intents: [GatewayIntentBits.Guilds],
    ...options,
    rest: { api: sandbox.apiBase, ...options.rest },
  });
  onTestFinished(() => client.destroy());
  const ready = new Promise<Client<true>>((done) => client.once(Events.ClientReady, done));
  await client.login(sandbox.token);
  return ready;
}

export const PAINT: RESTPostAPIChatInputApplicationCommandsJSONBody = {
  name: 'paint',
  description: 'Paints',
  description_localizations: { de: 'Malt' },
  options: [
    { type: 3, name: 'prompt', description: 'What', required: true, max_length: 6000 },
    { type: 4, name: 'steps', description: 'How many', min_value: 1, max_value: 50 },
    { type: 3, name: 'model', description: 'Which', autocomplete: true },
    { type: 11, name: 'init', description: 'From' },
  ],
};

/** A sandbox, a ready client with the command /paint, and what the client does with interactions. */
export async function bot(
  answer: (interaction: Interaction) => Promise<unknown>,
  options: SandboxOptions = {},
): Promise<{ sandbox: Sandbox; client: Client<true>; errors: unknown[] }> {
  const sandbox = await open(options);
  const client = await connect(sandbox);
  const errors: unknown[] = [];
  client.on(Events.InteractionCreate, (interaction) => {
    answer(interaction).catch((error: unknown) => errors.push(error));
  });
  await client.application.commands.set([PAINT]);
  return { sandbox, client, errors };
}

/** The smallest PNG: one grey pixel. */
export const PIXEL = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==',
  'base64',
);
