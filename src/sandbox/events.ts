// What happens in the sandbox, told to whoever listens: the page's sockets, the gateway, waiting tests.

import type { APIApplicationCommandOptionChoice } from 'discord-api-types/v10';
import type { JsonObject } from './errors.js';
import type { Interaction, StoredMessage } from './world.js';

export type SandboxEvent =
  | {
      readonly type: 'message.create' | 'message.update' | 'message.delete';
      readonly message: StoredMessage;
    }
  | { readonly type: 'commands' }
  | { readonly type: 'bot' }
  | { readonly type: 'request' }
  | { readonly type: 'interaction.ack'; readonly interaction: Interaction; readonly kind: number }
  | { readonly type: 'interaction.failed'; readonly interaction: Interaction }
  | { readonly type: 'modal'; readonly interaction: Interaction; readonly modal: JsonObject }
  | {
      readonly type: 'autocomplete';
      readonly interaction: Interaction;
      readonly choices: readonly APIApplicationCommandOptionChoice[];
    };

export type Listener = (event: SandboxEvent) => void;

export class Events {
  readonly #listeners = new Set<Listener>();

  /** @returns takes the listener away again */
  on(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  emit(event: SandboxEvent): void {
    for (const listener of [...this.#listeners]) listener(event);
  }
}
