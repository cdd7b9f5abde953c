// A small bot on an unmodified discord.js client that shows the page every kind of message, and does
// what the test tells it.

import {
  type APIApplicationCommandOption,
  type APIModalInteractionResponseCallbackData,
  ApplicationCommandOptionType,
  ApplicationCommandType,
  AttachmentBuilder,
  ButtonStyle,
  type ChatInputCommandInteraction,
  Client,
  ComponentType,
  Events,
  GatewayIntentBits,
  type Interaction,
  MessageFlags,
  type RESTPutAPIApplicationCommandsJSONBody,
  Routes,
  TextInputStyle,
} from 'discord.js';
import sharp from 'sharp';
import type { Sandbox } from '../../src/sandbox/types.js';

const text = (
  name: string,
  description: string,
  more: Partial<APIApplicationCommandOption> = {},
): APIApplicationCommandOption =>
  ({
    type: ApplicationCommandOptionType.String,
    name,
    description,
    ...more,
  }) as APIApplicationCommandOption;

const COMMANDS: RESTPutAPIApplicationCommandsJSONBody = [
  {
    name: 'paint',
    description: 'Tells what it was given',
    name_localizations: { de: 'malen' },
    description_localizations: { de: 'Sagt, was es bekam' },
    options: [
      text('prompt', 'What to paint', {
        required: true,
        description_localizations: { de: 'Was zu malen ist' },
      }),
      {
        type: ApplicationCommandOptionType.Integer,
        name: 'steps',
        description: 'How many steps',
        min_value: 1,
        max_value: 50,
      },
      { type: ApplicationCommandOptionType.Number, name: 'guidance', description: 'How strictly' },
      text('style', 'In which manner', { autocomplete: true }),
      text('size', 'Of the picture', {
        choices: [
          { name: 'Square', value: '256x256' },
          { name: 'Wide', value: '384x256' },
        ],
      }),
      { type: ApplicationCommandOptionType.Boolean, name: 'private', description: 'For you alone' },
      {
        type: ApplicationCommandOptionType.Attachment,
        name: 'image',
        description: 'To begin with',
      },
    ],
  },
  {
    name: 'show',
    description: 'Shows a kind of message',
    options: [text('kind', 'Which one', { required: true })],
  },
  { name: 'live', description: 'A reply that the test goes on with' },
  { name: 'silent', description: 'Never answers' },
  { type: ApplicationCommandType.Message, name: 'Inspect' },
];

export const HOSTILE =
  '<img src=x onerror="document.title=1"> <script>document.title = 1</script> ' +
  '[click](javascript:document.title=1) **[safe](https://example.com/a_b_c)** @everyone';

/** A plain square of 128 x 128 px. */
export function square(hue: number, side = 128): Promise<Buffer> {
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${side}" height="${side}"><rect width="100%" height="100%" fill="hsl(${hue} 60% 50%)"/></svg>`;
  return sharp(Buffer.from(svg)).png().toBuffer();
}

export class ScriptedBot {
  readonly client: Client;
  /** the interaction of the newest /live, whose reply the test edits */
  live: ChatInputCommandInteraction | undefined;
  /** values that came from components and modals, newest last */
  readonly heard: string[] = [];
  readonly #sandbox: Sandbox;

  constructor(sandbox: Sandbox) {
    this.#sandbox = sandbox;
    this.client = new Client({
      intents: [GatewayIntentBits.Guilds],
      rest: { api: sandbox.apiBase },
    });
    this.client.on(Events.InteractionCreate, (interaction) => void this.#answer(interaction));
  }

  async start(): Promise<void> {
    await this.client.login(this.#sandbox.token);
    await this.client.rest.put(Routes.applicationCommands(this.#sandbox.applicationId), {
      body: COMMANDS,
    });
    await this.#sandbox.ready(['paint', 'show', 'live', 'silent']);
  }

  async end(): Promise<void> {
    await this.client.destroy();
  }

  /** Puts a picture into the reply of /live. */
  async paint(hue: number, words: string): Promise<void> {
    await this.live?.editReply({
      content: words,
      attachments: [],
      files: [new AttachmentBuilder(await square(hue), { name: 'live.png' }).setDescription(words)],
    });
  }

  async #answer(interaction: Interaction): Promise<void> {
    if (interaction.isAutocomplete()) {
      const typed = interaction.options.getFocused();
      const known = ['ink', 'oil', 'chalk', 'watercolour'].filter((one) => one.includes(typed));
      await interaction.respond(known.map((one) => ({ name: `In ${one}`, value: one })));
    } else if (interaction.isChatInputCommand()) {
      await this.#command(interaction);
    } else if (interaction.isButton()) {
      if (interaction.customId === 'silent') return;
      if (interaction.customId === 'form') await interaction.showModal(MODAL);
      else {
        const count = Number(/\d+/.exec(interaction.message.content)?.[0] ?? 0) + 1;
        await interaction.update({ content: `Pressed ${count}` });
      }
    } else if (interaction.isAnySelectMenu()) {
      this.heard.push(interaction.values.join('+'));
      await interaction.update({ content: `Chose ${interaction.values.join(' and ')}` });
    } else if (interaction.isModalSubmit()) {
      const said = `${interaction.fields.getTextInputValue('title')} / ${interaction.fields.getTextInputValue('story')}`;
      this.heard.push(said);
      await interaction.reply({ content: `The form says ${said}`, flags: MessageFlags.Ephemeral });
    }
  }

  async #command(interaction: ChatInputCommandInteraction): Promise<void> {
    switch (interaction.commandName) {
      case 'paint': {
        const given = Object.fromEntries(
          interaction.options.data.map((one) => [one.name, one.attachment?.name ?? one.value]),
        );
        const flags = given.private === true ? { flags: MessageFlags.Ephemeral } : {};
        await interaction.reply({
          content: `\`\`\`\n${JSON.stringify(given)}\n\`\`\``,
          ...flags,
        } as never);
        break;
      }
      case 'live':
        await interaction.deferReply();
        this.live = interaction;
        break;
      case 'show':
        await interaction.reply(
          (await this.#kind(interaction.options.getString('kind', true))) as never,
        );
        break;
      default:
        break;
    }
  }

  async #kind(kind: string): Promise<object> {
    const button = (style: ButtonStyle, id: string, label: string, more: object = {}) => ({
      type: ComponentType.Button,
      style,
      custom_id: id,
      label,
      ...more,
    });
    switch (kind) {
      case 'buttons':
        return {
          content: 'Pressed 0',
          components: [
            {
              type: ComponentType.ActionRow,
              components: [
                button(ButtonStyle.Primary, 'count', 'Count', { emoji: { name: '🎲' } }),
                button(ButtonStyle.Secondary, 'silent', 'Silent'),
                button(ButtonStyle.Success, 'form', 'Form'),
                button(ButtonStyle.Danger, 'off', 'Off', { disabled: true }),
                {
                  type: ComponentType.Button,
                  style: ButtonStyle.Link,
                  label: 'Away',
                  url: 'https://example.com/',
                },
              ],
            },
          ],
        };
      case 'select':
        return {
          content: 'Nothing chosen',
          components: [
            {
              type: ComponentType.ActionRow,
              components: [
                {
                  type: ComponentType.StringSelect,
                  custom_id: 'many',
                  placeholder: 'Choose some',
                  min_values: 1,
                  max_values: 2,
                  options: ['Red', 'Green', 'Blue'].map((label) => ({
                    label,
                    value: label.toLowerCase(),
                  })),
                },
              ],
            },
          ],
        };
      case 'hostile':
        return {
          content: HOSTILE,
          embeds: [
            { title: HOSTILE.slice(0, 200), description: HOSTILE, url: 'https://example.com/' },
          ],
        };
      case 'markdown':
        return {
          content:
            '# Big\n**bold** *leaning* __under__ ~~gone~~ `code` ||hidden||\n> quoted\n-# small\n- one\n- two\n```js\nlet x = "<b>";\n```\n<t:1790000000:D> snake_case_name 2 * 3 * 4',
        };
      case 'embed':
        return {
          embeds: [
            {
              title: 'An embed',
              description: 'with **text**',
              color: 0x1f6f4a,
              fields: [
                { name: 'Left', value: '1', inline: true },
                { name: 'Right', value: '2', inline: true },
              ],
              footer: { text: 'at the foot' },
            },
          ],
        };
      case 'animation': {
        const frames = await Promise.all([10, 230].map((hue) => square(hue)));
        const film = sharp(frames, { join: { animated: true } }).webp({
          lossless: true,
          loop: 0,
          delay: [100, 100],
        });
        return {
          files: [
            new AttachmentBuilder(await film.toBuffer(), {
              name: 'animation-7.webp',
            }).setDescription('Red, then blue'),
          ],
        };
      }
      case 'wide':
        return {
          content: `${'a'.repeat(300)} \`${'b'.repeat(200)}\`\n\`\`\`\n${'c'.repeat(200)}\n\`\`\``,
        };
      default: {
        const files = await Promise.all(
          [10, 120, 230].map(
            async (hue, at) => new AttachmentBuilder(await square(hue), { name: `v2-${at}.png` }),
          ),
        );
        return {
          flags: MessageFlags.IsComponentsV2,
          files,
          components: [
            {
              type: ComponentType.Container,
              accent_color: 0xf6b26b,
              components: [
                { type: ComponentType.TextDisplay, content: '### Second generation' },
                {
                  type: ComponentType.Section,
                  components: [{ type: ComponentType.TextDisplay, content: 'A section' }],
                  accessory: button(ButtonStyle.Secondary, 'silent', 'Beside'),
                },
                { type: ComponentType.Separator, divider: true },
                {
                  type: ComponentType.MediaGallery,
                  items: files.map((_file, at) => ({
                    media: { url: `attachment://v2-${at}.png` },
                    description: `Square ${at + 1}`,
                  })),
                },
              ],
            },
          ],
        };
      }
    }
  }
}

const MODAL: APIModalInteractionResponseCallbackData = {
  custom_id: 'form',
  title: 'A form',
  components: [
    {
      type: ComponentType.Label,
      label: 'Title',
      description: 'In a few words',
      component: {
        type: ComponentType.TextInput,
        custom_id: 'title',
        style: TextInputStyle.Short,
        required: true,
        min_length: 3,
      },
    },
    {
      type: ComponentType.Label,
      label: 'Story',
      component: {
        type: ComponentType.TextInput,
        custom_id: 'story',
        style: TextInputStyle.Paragraph,
        required: false,
        value: 'once',
      },
    },
  ],
};
