// @ts-check
// The shapes that the page reads, as far as it reads them: Discord's own (API v10) with every field
// that may be absent marked so. The page must not fail on a message that another bot builds.

/** @typedef {{ id: string, username: string, global_name?: string | null, bot?: boolean }} User */
/** @typedef {{ id?: string | null, name?: string | null, animated?: boolean }} Emoji */
/** @typedef {Partial<Record<string, string | null>>} Localizations */
/** @typedef {{ name: string, value: string | number, name_localizations?: Localizations | null }} Choice */

/**
 * @typedef {object} CommandOption
 * @property {number} type
 * @property {string} name
 * @property {string} description
 * @property {Localizations | null} [name_localizations]
 * @property {Localizations | null} [description_localizations]
 * @property {boolean} [required]
 * @property {Choice[]} [choices]
 * @property {boolean} [autocomplete]
 * @property {number} [min_value]
 * @property {number} [max_value]
 * @property {number} [min_length]
 * @property {number} [max_length]
 * @property {CommandOption[]} [options]
 */
/**
 * @typedef {object} Command
 * @property {string} id
 * @property {string} name
 * @property {number} [type]
 * @property {string} [description]
 * @property {Localizations | null} [name_localizations]
 * @property {Localizations | null} [description_localizations]
 * @property {CommandOption[]} [options]
 */
/**
 * @typedef {object} InvocationOption
 * @property {string} name
 * @property {number} type
 * @property {string | number | boolean} [value]
 * @property {boolean} [focused]
 * @property {InvocationOption[]} [options]
 */
/** @typedef {{ id: string, name: string, type: number, options: InvocationOption[] }} InvocationData */

/**
 * @typedef {object} Attachment
 * @property {string} id
 * @property {string} filename
 * @property {string} url
 * @property {number} [size] bytes
 * @property {string | null} [content_type]
 * @property {string | null} [description] alt text
 * @property {number | null} [width] px
 * @property {number | null} [height] px
 */
/**
 * @typedef {object} Media
 * @property {string} [url]
 * @property {number | null} [width]
 * @property {number | null} [height]
 * @property {string | null} [content_type]
 */
/**
 * @typedef {object} Embed
 * @property {string} [title]
 * @property {string} [description]
 * @property {string} [url]
 * @property {number} [color] as a number, red in the highest byte
 * @property {string} [timestamp] ISO 8601
 * @property {{ text: string, icon_url?: string }} [footer]
 * @property {{ name: string, url?: string, icon_url?: string }} [author]
 * @property {{ name: string, value: string, inline?: boolean }[]} [fields]
 * @property {Media} [image]
 * @property {Media} [thumbnail]
 */
/**
 * @typedef {object} SelectOption
 * @property {string} label
 * @property {string} value
 * @property {string} [description]
 * @property {Emoji} [emoji]
 * @property {boolean} [default]
 */
/**
 * Any component; which fields there are depends on `type`.
 * @typedef {object} Component
 * @property {number} type
 * @property {number} [id]
 * @property {string} [custom_id]
 * @property {Component[]} [components]
 * @property {Component} [component] of a label
 * @property {Component} [accessory] of a section
 * @property {string} [content] of a text display
 * @property {number | string} [style] of a button or a text input
 * @property {string} [label]
 * @property {Emoji} [emoji]
 * @property {string} [url]
 * @property {boolean} [disabled]
 * @property {string} [placeholder]
 * @property {number} [min_values]
 * @property {number} [max_values]
 * @property {SelectOption[]} [options]
 * @property {{ id: string, type: string }[]} [default_values]
 * @property {string} [value]
 * @property {boolean} [default]
 * @property {number} [min_length]
 * @property {number} [max_length]
 * @property {boolean} [required]
 * @property {string | null} [description]
 * @property {Media} [media] of a thumbnail
 * @property {{ media: Media, description?: string | null, spoiler?: boolean }[]} [items] of a gallery
 * @property {Media & { name?: string, size?: number }} [file]
 * @property {string} [name]
 * @property {number} [size]
 * @property {boolean} [divider]
 * @property {number} [spacing]
 * @property {number | null} [accent_color]
 * @property {boolean} [spoiler]
 */
/**
 * @typedef {object} Message
 * @property {string} id
 * @property {User} author
 * @property {string} content
 * @property {string} timestamp ISO 8601
 * @property {string | null} [edited_timestamp]
 * @property {number} [flags]
 * @property {Embed[]} [embeds]
 * @property {Attachment[]} [attachments]
 * @property {Component[]} [components]
 * @property {{ user?: User, name?: string, type?: number, id?: string, command_type?: number }} [interaction_metadata]
 * @property {{ user?: User, name?: string, type?: number, command_type?: number }} [interaction]
 * @property {{ message_id?: string }} [message_reference]
 * @property {Message | null} [referenced_message]
 */
/** @typedef {{ custom_id: string, title: string, components: Component[] }} Modal */

/** Flags of a message. */
export const Flag = /** @type {const} */ ({ Ephemeral: 1 << 6, Loading: 1 << 7, V2: 1 << 15 });

/** Types of components. */
export const Kind = /** @type {const} */ ({
  ActionRow: 1,
  Button: 2,
  StringSelect: 3,
  TextInput: 4,
  UserSelect: 5,
  RoleSelect: 6,
  MentionableSelect: 7,
  ChannelSelect: 8,
  Section: 9,
  TextDisplay: 10,
  Thumbnail: 11,
  Gallery: 12,
  File: 13,
  Separator: 14,
  Container: 17,
  Label: 18,
  FileUpload: 19,
  RadioGroup: 21,
  CheckboxGroup: 22,
  Checkbox: 23,
});

/**
 * What the parts of a message need from the page around them.
 * @typedef {object} Surroundings
 * @property {(id: string) => User | undefined} user
 * @property {() => User[]} people everyone in the channel, the bot too
 * @property {() => { id: string, name: string }} channel
 * @property {(message: Message, component: Component, values?: string[]) => Promise<void>} press sends a
 *   component interaction; settles when it was acknowledged or has failed
 * @property {(line: string) => void} putCommand puts a line into the command box
 * @property {(id: string) => void} goTo shows a message of the channel
 * @property {(picture: import('./picture.js').Picture) => void} enlarge
 * @property {(message: Message) => void} dismiss
 * @property {() => { command: Command, label: string }[]} apps commands of a message's menu
 * @property {(message: Message, command: Command) => void} runApp
 */
