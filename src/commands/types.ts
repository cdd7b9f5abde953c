// What a command and a family of buttons are, and what all of them work with.

import type {
  AutocompleteInteraction,
  ChatInputCommandInteraction,
  MessageComponentInteraction,
  MessageContextMenuCommandInteraction,
  ModalSubmitInteraction,
} from 'discord.js';
import type {
  RESTPostAPIChatInputApplicationCommandsJSONBody,
  RESTPostAPIContextMenuApplicationCommandsJSONBody,
} from 'discord-api-types/v10';
import type { Logger } from 'pino';
import type { Pressed } from '../discord/custom-id.js';
import type { Exchange } from '../discord/exchange.js';
import type { MessageRest } from '../discord/rest.js';
import type { Limits } from '../pipeline/parameters.js';
import type { NoiseSource } from '../pipeline/types.js';
import type { Queue } from '../queue/types.js';
import type { Store } from '../store/types.js';
import type { EnginePool } from './engines.js';
import type { Generations } from './generations.js';
import type { StoredAnswers } from './open-answers.js';
import type { Views } from './views.js';

/** What the one who runs the bot has laid down for every picture. */
export interface Rules {
  readonly limits: Limits;
  /** for prompts and seeds of new pictures; those painted again keep what they were painted with */
  readonly noise: NoiseSource;
  readonly weighting: boolean;
}

export interface Bot {
  readonly store: Store;
  readonly queue: Queue;
  readonly engines: EnginePool;
  readonly generations: Generations;
  readonly views: Views;
  readonly answers: StoredAnswers;
  readonly rest: MessageRest;
  readonly rules: Rules;
  /** hosts (with a port where it is not the usual one) that attachments may be fetched from */
  readonly attachmentHosts: readonly string[];
  readonly logger: Logger;
}

export interface SlashCommand {
  /** What Discord is told of it; all but its name may depend on the limits. */
  data(limits: Limits): RESTPostAPIChatInputApplicationCommandsJSONBody;
  execute(interaction: ChatInputCommandInteraction, exchange: Exchange, bot: Bot): Promise<void>;
  /** for options with autocomplete */
  complete?(interaction: AutocompleteInteraction, exchange: Exchange, bot: Bot): Promise<void>;
}

/** A command of a message's menu (Apps). */
export interface MessageCommand {
  readonly data: RESTPostAPIContextMenuApplicationCommandsJSONBody;
  execute(
    interaction: MessageContextMenuCommandInteraction,
    exchange: Exchange,
    bot: Bot,
  ): Promise<void>;
}

/** All buttons, selects and modals whose custom id begins with one verb. */
export interface ButtonFamily {
  readonly verb: string;
  press?(
    interaction: MessageComponentInteraction,
    pressed: Pressed,
    exchange: Exchange,
    bot: Bot,
  ): Promise<void>;
  submit?(
    interaction: ModalSubmitInteraction,
    pressed: Pressed,
    exchange: Exchange,
    bot: Bot,
  ): Promise<void>;
}
