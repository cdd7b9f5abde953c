// @ts-check
// The command box. It begins as a line of text; a command chosen from the list turns it into fields,
// one per option. A line typed in full is read and sent as it stands, and opens the fields only when
// something in it is wrong.
import { h, icon, setAttribute } from './dom.js';
import { Field } from './field.js';
import { formatLine, invocationData, matching, OptionType, parseLine } from './invocation.js';
import { Suggestions } from './listbox.js';

/** @typedef {import('./invocation.js').Callable} Callable */
/** @typedef {import('./invocation.js').Option} Option */
/** @typedef {import('./types.js').InvocationData} InvocationData */
/** @typedef {import('./types.js').InvocationOption} InvocationOption */
/**
 * @typedef {object} Outside what the box needs from the page
 * @property {() => import('./types.js').User[]} people
 * @property {(data: InvocationData) => Promise<import('./field.js').Pick[]>} complete
 * @property {(file: File) => Promise<import('./types.js').Attachment>} upload
 * @property {(data: InvocationData) => Promise<string | null>} invoke one sentence when it was refused
 * @property {() => string[]} history lines sent before, oldest first
 * @property {(line: string) => void} remember
 * @property {() => number} limit bytes that a file may have
 */

const PLACEHOLDER = 'Type / for commands';

export class Composer {
  /** @type {Callable[]} */
  #all = [];
  /** The command whose fields are on show. @type {Callable | null} */
  #callable = null;
  /** @type {Field[]} */
  #fields = [];
  /** Place in the history while arrow-up goes through it; null outside. @type {number | null} */
  #recall = null;
  /** Numbers the requests for completions, so that late answers are dropped. */
  #asked = 0;
  #sending = false;

  /**
   * @param {HTMLFormElement} form
   * @param {Outside} outside
   */
  constructor(form, outside) {
    this.form = form;
    this.outside = outside;
    this.suggestions = new Suggestions();
    this.input = h('textarea', {
      class: 'line-input',
      attrs: {
        rows: 1,
        cols: 1,
        role: 'combobox',
        autocomplete: 'off',
        'aria-autocomplete': 'list',
        'aria-expanded': 'false',
        'aria-label': 'Command',
        'aria-describedby': 'composer-hint composer-error',
        placeholder: PLACEHOLDER,
        enterkeyhint: 'send',
      },
    });
    this.lineBox = h('span', { class: 'grow line-box' }, this.input);
    this.name = h('button', {
      class: 'command-name',
      attrs: { type: 'button', title: 'Back to text' },
      on: { click: () => this.#toText() },
    });
    this.options = h('div', { class: 'options' });
    this.adders = h('div', { class: 'adders', attrs: { role: 'group', 'aria-label': 'Optional' } });
    this.fields = h(
      'div',
      { class: 'invocation', attrs: { hidden: true } },
      h('div', { class: 'options-row' }, this.name, this.options),
      this.adders,
    );
    this.send = h(
      'button',
      { class: 'send', attrs: { type: 'submit', 'aria-label': 'Send', title: 'Send (Enter)' } },
      icon('send'),
    );
    this.error = h('p', {
      class: 'composer-error',
      attrs: { id: 'composer-error', role: 'alert' },
    });
    this.hint = h('p', { class: 'composer-hint', attrs: { id: 'composer-hint' } });
    this.box = h(
      'div',
      { class: 'box', on: { keydown: (event) => this.#boxKey(event) } },
      this.lineBox,
      this.fields,
      this.send,
    );
    form.append(this.suggestions.element, this.error, this.box, this.hint);

    form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#submit();
    });
    this.input.addEventListener('input', () => {
      this.#recall = null;
      this.#lineChanged();
    });
    this.input.addEventListener('keydown', (event) => this.#lineKey(event));
    this.input.addEventListener('blur', () => this.suggestions.hide());
    this.input.addEventListener('focus', () => this.#lineChanged());
    form.addEventListener('paste', (event) => {
      const file = event.clipboardData?.files[0];
      if (!file) return;
      event.preventDefault();
      this.attach(file);
    });
    this.#refreshSend();
  }

  /** @param {Callable[]} all */
  setCommands(all) {
    this.#all = all;
    if (this.#callable) {
      const same = all.find((one) => one.name === this.#callable?.name);
      if (!same) this.#toText();
    } else if (document.activeElement === this.input) this.#lineChanged();
  }

  /** Puts a line into the box and the cursor behind it. @param {string} line */
  put(line) {
    this.#closeFields();
    this.#setLine(line);
    this.input.focus();
    this.input.setSelectionRange(line.length, line.length);
    this.#lineChanged();
  }

  focus() {
    const last = this.#fields.at(-1);
    if (this.#callable && last) last.focus();
    else this.input.focus();
  }

  /**
   * Gives a pasted or dropped file to the first free attachment option.
   * @param {File} file
   */
  attach(file) {
    if (!this.#callable) {
      const line = parseLine(this.input.value, this.#all);
      if (!line) {
        this.#fail('Choose a command that takes a file first, then add the file.');
        this.focus();
        return;
      }
      this.#openFields(line.callable, line.values);
    }
    const callable = this.#callable;
    const free = callable?.options.find(
      (option) =>
        option.raw.type === OptionType.Attachment &&
        !this.#fields.some((field) => field.option === option && !field.empty),
    );
    if (!free) {
      this.#fail(
        `/${callable?.label ?? ''} takes no ${callable?.options.some((option) => option.raw.type === OptionType.Attachment) ? 'further ' : ''}file.`,
      );
      return;
    }
    this.#field(free).setFile(file);
  }

  // --- A line of text ---

  /** @param {string} text */
  #setLine(text) {
    this.input.value = text;
    this.lineBox.dataset.value = text;
    this.#refreshSend();
  }

  #lineChanged() {
    const text = this.input.value;
    this.lineBox.dataset.value = text;
    this.#fail('');
    this.#refreshSend();
    this.#say('');
    if (!text.startsWith('/')) {
      this.suggestions.hide();
      return;
    }
    const line = parseLine(text, this.#all);
    if (!line || !/\s/.test(text.slice(1 + line.callable.label.length)[0] ?? '')) {
      // Nothing to choose from once the only match is written out and takes no options.
      this.suggestions.show({
        field: this.input,
        title: 'Commands',
        items: matching(this.#all, text).map((one) => ({
          value: one.name,
          label: `/${one.label}`,
          detail: one.description,
        })),
        pick: (item) => {
          const callable = this.#all.find((one) => one.name === item.value);
          if (callable) this.#choose(callable);
        },
      });
      return;
    }
    this.#lineOptions(line);
  }

  /**
   * Offers what may come next in a typed line: option names, or the choices of the one being typed.
   * @param {import('./invocation.js').Line} line
   */
  #lineOptions({ callable, values, last }) {
    const option = callable.options.find((one) => one.name === last);
    const typed = last === null ? '' : (values.get(last) ?? '');
    this.#say(option ? describe(option) : callable.description);
    const replace = (/** @type {string} */ text) => {
      this.#setLine(text);
      this.input.setSelectionRange(text.length, text.length);
      this.#lineChanged();
    };
    if (option?.choices) {
      const choices = option.choices.filter(
        (choice) =>
          choice.name.toLowerCase().includes(typed.toLowerCase()) && choice.name !== typed,
      );
      this.suggestions.show({
        field: this.input,
        title: option.label,
        preselect: false,
        items: choices.map((choice) => ({ value: String(choice.value), label: choice.name })),
        pick: (item) =>
          replace(
            `${this.input.value.slice(0, this.input.value.length - typed.length).replace(/:$/, ': ')}${item.label} `,
          ),
      });
      return;
    }
    if (option) {
      this.suggestions.hide();
      return;
    }
    this.suggestions.show({
      field: this.input,
      title: `/${callable.label}`,
      preselect: false,
      items: callable.options.map((one) => ({
        value: one.label,
        label: one.label,
        detail: describe(one),
      })),
      pick: (item) => replace(`${this.input.value.trimEnd()} ${item.value}: `),
    });
  }

  /** @param {KeyboardEvent} event */
  #lineKey(event) {
    if (event.isComposing) return;
    if (this.suggestions.open && this.suggestions.active) {
      const exact = parseLine(this.input.value.trim(), this.#all)?.callable;
      if (event.key === 'Tab' && !event.shiftKey) {
        event.preventDefault();
        this.suggestions.take();
        return;
      }
      // A command written out that takes no options needs no second Enter.
      if (
        event.key === 'Enter' &&
        !event.shiftKey &&
        !(exact && exact.options.length === 0 && `/${exact.label}` === this.input.value.trim())
      ) {
        event.preventDefault();
        this.suggestions.take();
        return;
      }
    } else if (this.suggestions.open && event.key === 'Tab' && !event.shiftKey) {
      event.preventDefault();
      this.suggestions.take(0);
      return;
    }
    if (this.#recallKey(event)) return;
    if (this.suggestions.key(event)) return;
    if (event.key === 'Enter' && !event.shiftKey) {
      event.preventDefault();
      void this.#submit();
    }
  }

  /**
   * Arrow-up in an empty box brings back what was sent before.
   * @param {KeyboardEvent} event
   */
  #recallKey(event) {
    if (event.key !== 'ArrowUp' && event.key !== 'ArrowDown') return false;
    if (this.input.value !== '' && this.#recall === null) return false;
    const lines = this.outside.history();
    const at = (this.#recall ?? lines.length) + (event.key === 'ArrowUp' ? -1 : 1);
    if (at < 0 || (this.#recall === null && event.key === 'ArrowDown'))
      return this.#recall !== null;
    const line = lines[at];
    if (line === undefined && event.key === 'ArrowUp') return false;
    event.preventDefault();
    this.#setLine(line ?? '');
    this.suggestions.hide();
    this.#recall = line === undefined ? null : at;
    return true;
  }

  // --- Fields ---

  /** @param {Callable} callable */
  #choose(callable) {
    const line = parseLine(this.input.value, this.#all);
    this.#openFields(callable, line?.callable === callable ? line.values : new Map());
  }

  /**
   * @param {Callable} callable
   * @param {ReadonlyMap<string, string>} values
   */
  #openFields(callable, values) {
    this.#closeFields();
    this.#callable = callable;
    this.lineBox.hidden = true;
    this.fields.hidden = false;
    this.name.textContent = `/${callable.label}`;
    this.name.setAttribute('aria-label', `/${callable.label}, back to text`);
    for (const option of callable.options) {
      if (option.raw.required || values.has(option.name)) {
        const field = this.#field(option);
        field.text = values.get(option.name) ?? '';
      }
    }
    const first = callable.options[0];
    if (this.#fields.length === 0 && first) this.#field(first).wanted = false;
    this.#refreshAdders();
    this.#refreshSend();
    const target = this.#fields.find((field) => field.empty) ?? this.#fields.at(-1);
    if (target) target.focus();
    else this.send.focus();
    if (!target) this.#say(callable.description);
  }

  #closeFields() {
    for (const field of this.#fields) field.dispose();
    this.#fields = [];
    this.#callable = null;
    this.options.replaceChildren();
    this.fields.hidden = true;
    this.lineBox.hidden = false;
    this.suggestions.hide();
    this.#fail('');
    this.#say('');
  }

  /** Back to text, with what the fields held. */
  #toText() {
    const callable = this.#callable;
    if (!callable) return;
    const line = this.#line(callable);
    this.#closeFields();
    this.#setLine(line);
    this.input.focus();
    this.input.setSelectionRange(line.length, line.length);
  }

  /** @param {Callable} callable */
  #line(callable) {
    return formatLine(
      callable,
      new Map(
        this.#fields
          .filter((field) => !field.empty)
          .map((field) => [field.option.name, field.line]),
      ),
    );
  }

  /**
   * The field of an option; it is made when it is not there yet.
   * @param {Option} option
   * @returns {Field}
   */
  #field(option) {
    const known = this.#fields.find((field) => field.option === option);
    if (known) return known;
    const field = new Field(option, {
      suggestions: this.suggestions,
      people: this.outside.people,
      upload: this.outside.upload,
      limit: this.outside.limit,
      complete: (asking) => this.#complete(asking),
      focused: (focused) => this.#say(describe(focused.option)),
      remove: (removed) => this.#removeField(removed),
      key: (on, event) => this.#fieldKey(on, event),
      typed: (typed) => this.#fieldTyped(typed),
    });
    this.#fields.push(field);
    this.options.append(field.element);
    this.#refreshAdders();
    return field;
  }

  #refreshAdders() {
    const callable = this.#callable;
    const rest =
      callable?.options.filter(
        (option) => !this.#fields.some((field) => field.option === option),
      ) ?? [];
    this.adders.replaceChildren(
      ...rest.map((option) =>
        h(
          'button',
          {
            class: 'adder',
            attrs: { type: 'button', title: option.description },
            on: { click: () => this.#field(option).focus() },
          },
          icon('plus'),
          option.label,
        ),
      ),
    );
    this.adders.hidden = rest.length === 0;
  }

  /** @param {Field} field */
  #removeField(field) {
    const at = this.#fields.indexOf(field);
    this.#fields.splice(at, 1);
    field.element.remove();
    field.dispose();
    this.#refreshAdders();
    this.#fail('');
    const near = this.#fields[Math.max(0, at - 1)];
    if (near) near.focus();
    else this.send.focus();
  }

  /**
   * Escape leaves the command, from its fields as from the buttons around them.
   * @param {KeyboardEvent} event
   */
  #boxKey(event) {
    if (event.key !== 'Escape' || event.isComposing || !this.#callable) return;
    event.preventDefault();
    this.#toText();
  }

  /**
   * @param {Field} field
   * @param {KeyboardEvent} event
   */
  #fieldKey(field, event) {
    if (event.key === 'Backspace' && field.empty) {
      event.preventDefault();
      if (field.option.raw.required || this.#fields.length === 1) this.#toText();
      else this.#removeField(field);
    } else if (event.key === 'Enter' && !(field.isFile && field.empty)) {
      event.preventDefault();
      void this.#submit();
    }
  }

  /**
   * Typing `steps:` in a text goes over to that option, as it does in a line.
   * @param {Field} field
   */
  #fieldTyped(field) {
    this.#fail('');
    this.#refreshSend();
    const callable = this.#callable;
    if (!callable || field.isFile) return;
    const match = /(^|\s)([^\s:]+):$/.exec(field.text);
    const word = match?.[2]?.toLowerCase();
    if (!match || !word) return;
    const option = callable.options.find(
      (one) => one.name === word || one.label.toLowerCase() === word,
    );
    if (!option) return;
    const known = this.#fields.find((one) => one.option === option);
    if (known && known !== field && !known.empty) return;
    if (known === field && match.index > 0) return;
    field.text = field.text.slice(0, match.index);
    if (known !== field) this.#field(option).focus();
  }

  /** @param {Field} field */
  async #complete(field) {
    const callable = this.#callable;
    if (!callable) return null;
    this.#asked += 1;
    const mine = this.#asked;
    /** @type {InvocationOption[]} */
    const options = [];
    for (const one of this.#fields) {
      const { name, raw } = one.option;
      if (one === field) options.push({ name, type: raw.type, value: field.text, focused: true });
      else {
        const result = one.valueNow();
        if (result && 'value' in result)
          options.push({ name, type: raw.type, value: result.value });
      }
    }
    try {
      const choices = await this.outside.complete(invocationData(callable, options));
      return mine === this.#asked && this.#callable === callable ? choices : null;
    } catch {
      if (mine === this.#asked)
        this.#say('Loading the choices failed; you can still type a value.');
      return null;
    }
  }

  // --- Sending ---

  async #submit() {
    if (this.#sending) return;
    if (!this.#callable) {
      const text = this.input.value.trim();
      if (text === '') return;
      const line = parseLine(text, this.#all);
      if (!line) {
        const word = text.split(/\s/)[0] ?? '';
        this.#fail(
          text.startsWith('/')
            ? `There is no command ${word}. Type / to see those there are.`
            : 'Only slash commands can be sent here. Type / to see them.',
        );
        return;
      }
      // The fields check and send; they come to light only when something is wrong.
      this.form.classList.add('reading');
      this.#openFields(line.callable, line.values);
      const sent = await this.#sendFields();
      this.form.classList.remove('reading');
      if (sent) this.input.focus();
      return;
    }
    await this.#sendFields();
  }

  /** @returns {Promise<boolean>} whether it was sent */
  async #sendFields() {
    const callable = this.#callable;
    if (!callable) return false;
    this.#sending = true;
    this.#refreshSend();
    /** @type {InvocationOption[]} */
    const options = [];
    /** @type {{ field: Field, error: string }[]} */
    const errors = [];
    try {
      for (const field of [...this.#fields]) {
        const result = await field.value();
        const { name, raw } = field.option;
        if (result && 'error' in result) errors.push({ field, error: result.error });
        else if (result) options.push({ name, type: raw.type, value: result.value });
        field.warn(result && 'error' in result ? result.error : '');
      }
    } finally {
      this.#sending = false;
    }
    // Left while an upload was waited for.
    if (this.#callable !== callable) return false;
    if (errors.length > 0) {
      this.form.classList.remove('reading');
      errors[0]?.field.correct();
      this.#fail(errors.map((one) => one.error).join(' '));
      this.#refreshSend();
      return false;
    }
    const line = this.#line(callable);
    this.#closeFields();
    this.#setLine('');
    this.#recall = null;
    this.outside.remember(line);
    this.input.focus();
    const refusal = await this.outside.invoke(invocationData(callable, options));
    if (refusal !== null) {
      if (!this.#callable && this.input.value === '') this.#setLine(line);
      this.#fail(refusal);
    }
    return true;
  }

  #refreshSend() {
    const ready = this.#callable !== null || this.input.value.trim() !== '';
    setAttribute(this.send, 'aria-disabled', ready && !this.#sending ? null : 'true');
  }

  /** @param {string} text one or more sentences, or '' */
  #fail(text) {
    if (this.error.textContent !== text) this.error.textContent = text;
    this.box.classList.toggle('wrong', text !== '');
  }

  /** @param {string} text */
  #say(text) {
    if (this.hint.textContent !== text) this.hint.textContent = text;
  }
}

/**
 * What an option is for and what it takes, in one line; the range only where the words do not say it.
 * @param {Option} option
 */
export function describe(option) {
  const { description, min_value: min, max_value: max, required } = option.raw;
  const said = [min, max].every((bound) => bound === undefined || description.includes(`${bound}`));
  const range = said
    ? ''
    : min !== undefined && max !== undefined
      ? ` (${min} to ${max})`
      : min !== undefined
        ? ` (from ${min})`
        : ` (up to ${max})`;
  return `${option.description}${range}${required ? ', required' : ''}`;
}
