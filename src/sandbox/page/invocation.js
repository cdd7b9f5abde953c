// @ts-check
// Slash commands as data: which there are, what a typed line means, whether a value fits its option,
// and the interaction payload that follows. Nothing here touches the DOM.

/** @typedef {import('./types.js').Command} Command */
/** @typedef {import('./types.js').CommandOption} CommandOption */
/** @typedef {import('./types.js').Choice} Choice */

/** Option types of the slash commands. */
export const OptionType = /** @type {const} */ ({
  Subcommand: 1,
  Group: 2,
  String: 3,
  Integer: 4,
  Boolean: 5,
  User: 6,
  Channel: 7,
  Role: 8,
  Mentionable: 9,
  Number: 10,
  Attachment: 11,
});

/**
 * One thing that can be called: a command, or a subcommand of one.
 * @typedef {object} Callable
 * @property {Command} command
 * @property {string[]} path names below the command: [] or [subcommand] or [group, subcommand]
 * @property {string} name as sent, words joined by spaces: `settings model`
 * @property {string} label as shown in the user's language
 * @property {string} description in the user's language
 * @property {Option[]} options required ones first
 */
/**
 * @typedef {object} Option
 * @property {CommandOption} raw
 * @property {string} name as sent
 * @property {string} label as shown in the user's language
 * @property {string} description in the user's language
 * @property {{ name: string, value: string | number }[] | null} choices in the user's language
 */

/**
 * The entry for a locale: the exact one, else one of the same language.
 * @param {Partial<Record<string, string | null>> | null | undefined} table
 * @param {string} locale such as `de-AT`
 * @returns {string | null}
 */
export function localized(table, locale) {
  if (!table) return null;
  if (table[locale]) return table[locale] ?? null;
  const language = locale.split('-')[0]?.toLowerCase();
  for (const [key, text] of Object.entries(table)) {
    if (text && key.split('-')[0]?.toLowerCase() === language) return text;
  }
  return null;
}

/**
 * @param {CommandOption} raw
 * @param {string} locale
 * @returns {Option}
 */
function makeOption(raw, locale) {
  const boolean = [
    { name: 'True', value: 'true' },
    { name: 'False', value: 'false' },
  ];
  return {
    raw,
    name: raw.name,
    label: localized(raw.name_localizations, locale) ?? raw.name,
    description: localized(raw.description_localizations, locale) ?? raw.description,
    choices:
      raw.type === OptionType.Boolean
        ? boolean
        : raw.choices && raw.choices.length > 0
          ? raw.choices.map((choice) => ({
              name: localized(choice.name_localizations, locale) ?? choice.name,
              value: choice.value,
            }))
          : null,
  };
}

/**
 * What a message's menu offers, in the user's language, sorted by name.
 * @param {readonly Command[]} commands
 * @param {string} locale
 * @returns {{ command: Command, label: string }[]}
 */
export function messageCommands(commands, locale) {
  return commands
    .filter((command) => command.type === 3)
    .map((command) => ({
      command,
      label: localized(command.name_localizations, locale) ?? command.name,
    }))
    .sort((a, b) => a.label.localeCompare(b.label));
}

/**
 * Everything that can be typed after the slash, in the bot's own order: what it is for comes first.
 * @param {readonly Command[]} commands
 * @param {string} locale
 * @returns {Callable[]}
 */
export function callables(commands, locale) {
  /** @type {Callable[]} */
  const out = [];
  for (const command of commands) {
    if ((command.type ?? 1) !== 1) continue;
    const label = localized(command.name_localizations, locale) ?? command.name;
    /**
     * @param {Command | CommandOption} level
     * @param {string[]} path
     * @param {string[]} labels
     */
    const walk = (level, path, labels) => {
      const options = level.options ?? [];
      const below = options.filter(
        (option) => option.type === OptionType.Subcommand || option.type === OptionType.Group,
      );
      for (const option of below) {
        const name = localized(option.name_localizations, locale) ?? option.name;
        walk(option, [...path, option.name], [...labels, name]);
      }
      if (below.length > 0) return;
      const made = options.map((option) => makeOption(option, locale));
      out.push({
        command,
        path,
        name: [command.name, ...path].join(' '),
        label: labels.join(' '),
        description: localized(level.description_localizations, locale) ?? level.description ?? '',
        options: [
          ...made.filter((option) => option.raw.required),
          ...made.filter((option) => !option.raw.required),
        ],
      });
    };
    walk(command, [], [label]);
  }
  return out;
}

/**
 * Commands whose name begins with, or else holds, the words after the slash.
 * @param {readonly Callable[]} all
 * @param {string} text begins with a slash
 */
export function matching(all, text) {
  const wanted = text.slice(1).trim().toLowerCase();
  const begins = all.filter((one) => [one.label, one.name].some((name) => name.startsWith(wanted)));
  const holds = all.filter(
    (one) => !begins.includes(one) && [one.label, one.name].some((name) => name.includes(wanted)),
  );
  return [...begins, ...holds];
}

/**
 * @typedef {object} Line
 * @property {Callable} callable
 * @property {Map<string, string>} values typed text by option name
 * @property {string | null} last the option that the end of the line belongs to
 */

/**
 * Reads a line such as `/imagine prompt: a red fox steps: 20`. A value goes on to the next known
 * `option:` or the end; an option that stands there already is text. Words before any option belong
 * to the first option. Null when the line names no command.
 * @param {string} text
 * @param {readonly Callable[]} all
 * @returns {Line | null}
 */
export function parseLine(text, all) {
  const line = text.replace(/^\s+/, '');
  if (!line.startsWith('/')) return null;
  const lower = line.toLowerCase();
  /** @type {{ callable: Callable, length: number } | null} */
  let best = null;
  for (const callable of all) {
    for (const name of [callable.label, callable.name]) {
      const whole = `/${name.toLowerCase()}`;
      const after = line[whole.length];
      if (lower.startsWith(whole) && (after === undefined || /\s/.test(after))) {
        if (best === null || whole.length > best.length) best = { callable, length: whole.length };
      }
    }
  }
  if (best === null) return null;
  const { callable } = best;
  const rest = line.slice(best.length);
  /** @type {Map<string, string>} */
  const values = new Map();
  /** @type {{ name: string, start: number, valueStart: number }[]} */
  const marks = [];
  for (const match of rest.matchAll(/(^|\s)([^\s:]+):/g)) {
    const word = (match[2] ?? '').toLowerCase();
    const option = callable.options.find(
      (one) => one.name === word || one.label.toLowerCase() === word,
    );
    if (option && !marks.some((mark) => mark.name === option.name)) {
      marks.push({
        name: option.name,
        start: match.index,
        valueStart: match.index + match[0].length,
      });
    }
  }
  const lead = rest.slice(0, marks[0]?.start ?? rest.length).trim();
  const first = callable.options[0];
  marks.forEach((mark, index) => {
    values.set(
      mark.name,
      rest.slice(mark.valueStart, marks[index + 1]?.start ?? rest.length).trim(),
    );
  });
  let last = marks.at(-1)?.name ?? null;
  if (lead !== '' && first) {
    const own = values.get(first.name);
    values.set(first.name, own ? `${lead} ${own}` : lead);
    last ??= first.name;
  }
  return { callable, values, last };
}

/**
 * The line that parseLine reads back; attachments are left out.
 * @param {Callable} callable
 * @param {ReadonlyMap<string, string>} values
 */
export function formatLine(callable, values) {
  const parts = [`/${callable.label}`];
  for (const option of callable.options) {
    const value = values.get(option.name);
    if (value !== undefined && option.raw.type !== OptionType.Attachment) {
      parts.push(`${option.label}: ${value}`);
    }
  }
  return parts.join(' ');
}

/**
 * Whether the line of these values means them again: a prompt that says `size:` itself is one whose
 * line does not.
 * @param {Callable} callable
 * @param {ReadonlyMap<string, string>} values without attachments
 * @param {readonly Callable[]} all
 */
export function readsBack(callable, values, all) {
  const line = parseLine(formatLine(callable, values), all);
  return (
    line?.callable === callable &&
    line.values.size === values.size &&
    [...values].every(([name, value]) => line.values.get(name) === value)
  );
}

/** @typedef {{ id: string, username: string, global_name?: string | null }} Person */

/**
 * The value of an option as Discord sends it, or one sentence on what is wrong with it.
 * @param {Option} option
 * @param {string} typed
 * @param {readonly Person[]} people
 * @returns {{ value: string | number | boolean } | { error: string }}
 */
export function convert(option, typed, people) {
  const { raw, label } = option;
  const text = typed.trim();
  if (option.choices) {
    const wanted = text.toLowerCase();
    const choice =
      option.choices.find((one) => String(one.value).toLowerCase() === wanted) ??
      option.choices.find((one) => one.name.toLowerCase() === wanted);
    const known = raw.type === OptionType.Boolean ? truth(wanted) : undefined;
    if (known !== undefined) return { value: known };
    if (choice) return { value: choice.value };
    const names = option.choices.slice(0, 8).map((one) => one.name);
    const more = option.choices.length > names.length ? ', ...' : '';
    return { error: `${label} must be one of: ${names.join(', ')}${more}.` };
  }
  switch (raw.type) {
    case OptionType.Integer:
    case OptionType.Number: {
      const integer = raw.type === OptionType.Integer;
      const shape = integer ? /^[+-]?\d+$/ : /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
      const value = Number(text);
      if (
        !shape.test(text) ||
        (integer && !Number.isSafeInteger(value)) ||
        !Number.isFinite(value)
      ) {
        return { error: `${label} must be a ${integer ? 'whole number' : 'number'}.` };
      }
      const { min_value: min, max_value: max } = raw;
      if ((min !== undefined && value < min) || (max !== undefined && value > max)) {
        return { error: `${label} must be ${range(min, max)}.` };
      }
      return { value };
    }
    case OptionType.User:
    case OptionType.Mentionable: {
      const wanted = text.replace(/^<?@!?|>$/g, '').toLowerCase();
      const person = people.find((one) =>
        [one.id, one.username, one.global_name ?? ''].some((name) => name.toLowerCase() === wanted),
      );
      return person ? { value: person.id } : { error: `${label} must be someone in this channel.` };
    }
    case OptionType.Channel:
    case OptionType.Role: {
      const id = /\d{1,20}/.exec(text)?.[0];
      return id ? { value: id } : { error: `${label} must be an id.` };
    }
    default: {
      const { min_length: min, max_length: max } = raw;
      if ((min !== undefined && typed.length < min) || (max !== undefined && typed.length > max)) {
        return { error: `${label} must be ${range(min, max)} characters long.` };
      }
      // Discord's own ceiling for a string option.
      if (typed.length > 6000) return { error: `${label} must be at most 6000 characters long.` };
      return { value: typed };
    }
  }
}

/**
 * @param {number | undefined} min
 * @param {number | undefined} max
 */
function range(min, max) {
  if (min !== undefined && max !== undefined) return `between ${min} and ${max}`;
  return min !== undefined ? `at least ${min}` : `at most ${max}`;
}

/** @param {string} text */
function truth(text) {
  if (['true', 'yes', 'on', '1'].includes(text)) return true;
  if (['false', 'no', 'off', '0'].includes(text)) return false;
  return undefined;
}

/** @typedef {import('./types.js').InvocationOption} InvocationOption */

/**
 * The `data` of a command or autocomplete interaction.
 * @param {Callable} callable
 * @param {InvocationOption[]} options
 * @returns {import('./types.js').InvocationData}
 */
export function invocationData(callable, options) {
  let inner = options;
  const kinds =
    callable.path.length === 2
      ? [OptionType.Subcommand, OptionType.Group]
      : [OptionType.Subcommand];
  [...callable.path].reverse().forEach((name, index) => {
    inner = [{ name, type: kinds[index] ?? OptionType.Group, options: inner }];
  });
  return { id: callable.command.id, name: callable.command.name, type: 1, options: inner };
}
