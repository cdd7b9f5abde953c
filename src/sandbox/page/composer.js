// @ts-check
// The command box. It begins as a line of text; a command chosen from the list turns it into fields,
// one per option. A line typed in full is read and sent as it stands, and opens the fields only when
// something in it is wrong.
import { h, icon, setAttribute } from './dom.js';
import { Field } from './field.js';
import {
  formatLine,
  invocationData,
  matching,
  OptionType,
  parseLine,
  readsBack,
} from './invocation.js';
import { Suggestions } from './listbox.js';

/** @typedef {import('./invocation.js').Callable} Callable */
/** @typedef {import('./invocation.js').Option} Option */
/** @typedef {import('./field.js').Held} Held */
/** @typedef {import('./types.js').InvocationData} InvocationData */
/** @typedef {import('./types.js').InvocationOption} InvocationOption */
/**
 * A line that was sent. Only where the line does not say all of it, the rest stands beside it.
 * @typedef {object} Sent
 * @property {string} line
 * @property {string} [command] its name
 * @property {Record<string, string>} [values] by option name
 * @property {string[]} [files] options that had a file
 */
/**
 * A command as it was put together.
 * @typedef {object} Draft
 * @property {string} line
 * @property {string} command its name
 * @property {Map<string, Held>} held by option name; neither text nor upload: a file that is gone
 */
/**
 * @typedef {object} Outside what the box needs from the page
 * @property {() => import('./types.js').User[]} people
 * @property {(data: InvocationData) => Promise<import('./field.js').Pick[]>} complete
 * @property {(file: File) => Promise<import('./types.js').Attachment>} upload
 * @property {(data: InvocationData) => Promise<string | null>} invoke settles when it is on its
 *   way; one sentence when it was refused
 * @property {() => Sent[]} history lines sent before, oldest first
 * @property {(sent: Sent) => void} remember
 * @property {() => number} limit bytes that a file may have
 * @property {() => void} toMessages gives the focus to the newest message
 */

const PLACEHOLDER = 'Type / for commands';
/** What else an empty box can do, where there is a keyboard. */
const keys = () =>
  matchMedia('(hover: hover)').matches ? '↑ what was sent before · Alt ↑ to the messages' : '';
/** Drafts kept for arrow-up. */
const DRAFTS = 50;

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
  /** What the line in the box stands for, where it was fields before. @type {Draft | null} */
  #draft = null;
  /** Drafts of this visit by line: unlike the history's they still have their files. @type {Map<string, Draft>} */
  #drafts = new Map();

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
        'aria-keyshortcuts': 'Alt+ArrowUp',
        placeholder: PLACEHOLDER,
        enterkeyhint: 'send',
        dir: 'auto',
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
      // Whoever begins anew, such as by typing over all of it, does not mean its files.
      const named = parseLine(this.input.value, this.#all)?.callable.name;
      if (named !== this.#draft?.command) this.#draft = null;
      this.#lineChanged();
    });
    this.input.addEventListener('keydown', (event) => this.#lineKey(event));
    this.input.addEventListener('blur', () => this.suggestions.hide());
    this.input.addEventListener('focus', () => this.#refreshLine());
    form.addEventListener('paste', (event) => {
      const file = event.clipboardData?.files[0];
      // A spreadsheet gives its cells as text and as a picture; the text is what is meant.
      if (!file || event.clipboardData?.types.includes('text/plain')) return;
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
    } else if (document.activeElement === this.input) this.#refreshLine();
  }

  /** Puts a line into the box and the cursor behind it. @param {string} line */
  put(line) {
    this.#closeFields();
    this.#setLine(line, null);
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
      const meant = this.#read();
      if (!meant) {
        this.focus();
        this.#fail('Choose a command that takes a file first, then add the file.');
        return;
      }
      this.#openFields(meant.callable, meant.held);
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

  /**
   * @param {string} text
   * @param {Draft | null} [draft] what it stands for; not given: what it did before
   */
  #setLine(text, draft = this.#draft) {
    this.#draft = draft;
    this.input.value = text;
    this.lineBox.dataset.value = text;
    this.#refreshSend();
  }

  /** What the line means: what it was made of as long as it is unchanged, else what it says. */
  #read() {
    const draft = this.#draft;
    const same = draft && this.#all.find((one) => one.name === draft.command);
    if (draft && same && draft.line.trim() === this.input.value.trim())
      return { callable: same, held: draft.held };
    const line = parseLine(this.input.value, this.#all);
    if (!line) return null;
    /** @type {Map<string, Held>} */
    const held = new Map(
      [...line.values].map(([name, text]) => [name, { text, picked: null, upload: null }]),
    );
    // Files cannot be typed: they stay with their command.
    if (draft?.command === line.callable.name) {
      for (const [name, one] of draft.held) if (one.text === '') held.set(name, one);
    }
    return { callable: line.callable, held };
  }

  /** The files that go with the line, which it cannot show itself. */
  #fileNote() {
    const meant = this.#draft && this.#read();
    if (!meant) return '';
    const notes = meant.callable.options
      .filter((option) => option.raw.type === OptionType.Attachment)
      .map((option) => {
        const held = meant.held.get(option.name);
        if (held?.upload) return `${held.upload.file.name} stays attached.`;
        return held ? `The file for ${option.label} has to be chosen again.` : '';
      });
    return notes.filter(Boolean).join(' ');
  }

  /** What goes with the line, or what an empty box can do. */
  #idleHint() {
    this.#say(this.#fileNote() || (this.input.value === '' ? keys() : ''));
  }

  #lineChanged() {
    this.#fail('');
    this.#refreshLine();
  }

  /** Shows what goes with the line; an error stays until something is typed. */
  #refreshLine() {
    const text = this.input.value;
    this.lineBox.dataset.value = text;
    this.#refreshSend();
    const note = this.#fileNote();
    this.#idleHint();
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
    this.#lineOptions(line, note);
  }

  /**
   * Offers what may come next in a typed line: option names, or the choices of the one being typed.
   * @param {import('./invocation.js').Line} line
   * @param {string} note on its files
   */
  #lineOptions({ callable, values, last }, note) {
    const option = callable.options.find((one) => one.name === last);
    const typed = last === null ? '' : (values.get(last) ?? '');
    this.#say(`${note} ${option ? describe(option) : callable.description}`.trim());
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
    if (event.altKey || (event.key !== 'ArrowUp' && event.key !== 'ArrowDown')) return false;
    if (this.input.value !== '' && this.#recall === null) return false;
    const sent = this.outside.history();
    const at = (this.#recall ?? sent.length) + (event.key === 'ArrowUp' ? -1 : 1);
    if (at < 0 || (this.#recall === null && event.key === 'ArrowDown'))
      return this.#recall !== null;
    const one = sent[at];
    if (one === undefined && event.key === 'ArrowUp') return false;
    event.preventDefault();
    this.#setLine(one?.line ?? '', one ? (this.#drafts.get(one.line) ?? draftOf(one)) : null);
    this.suggestions.hide();
    this.#idleHint();
    this.#recall = one === undefined ? null : at;
    return true;
  }

  // --- Fields ---

  /** @param {Callable} callable */
  #choose(callable) {
    const meant = this.#read();
    this.#openFields(callable, meant?.callable === callable ? meant.held : new Map());
  }

  /**
   * @param {Callable} callable
   * @param {ReadonlyMap<string, Held>} held by option name
   */
  #openFields(callable, held) {
    this.#closeFields();
    this.#draft = null;
    this.#callable = callable;
    this.lineBox.hidden = true;
    this.fields.hidden = false;
    this.name.textContent = `/${callable.label}`;
    this.name.setAttribute('aria-label', `/${callable.label}, back to text`);
    for (const option of callable.options) {
      const one = held.get(option.name);
      if (!option.raw.required && !one) continue;
      const field = this.#field(option);
      if (one) field.held = one;
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
    const draft = this.#draftNow(callable);
    this.#closeFields();
    this.#setLine(draft.line, draft);
    this.input.focus();
    this.input.setSelectionRange(draft.line.length, draft.line.length);
  }

  /** The options that were filled in, as text; files are left out. */
  #values() {
    const filled = this.#fields.filter((field) => !field.empty && !field.isFile);
    return new Map(filled.map((field) => [field.option.name, field.line]));
  }

  /** @param {Callable} callable @returns {Draft} */
  #draftNow(callable) {
    const filled = this.#fields.filter((field) => !field.empty);
    return {
      line: formatLine(callable, this.#values()),
      command: callable.name,
      held: new Map(filled.map((field) => [field.option.name, field.held])),
    };
  }

  /**
   * Keeps what is being sent for arrow-up.
   * @param {Callable} callable
   * @param {Draft} draft
   */
  #remember(callable, draft) {
    this.#drafts.delete(draft.line);
    this.#drafts.set(draft.line, draft);
    for (const line of this.#drafts.keys()) {
      if (this.#drafts.size <= DRAFTS) break;
      this.#drafts.delete(line);
    }
    const { line, command } = draft;
    const values = this.#values();
    const files = [...draft.held.keys()].filter((name) => !values.has(name));
    const plain = files.length === 0 && readsBack(callable, values, this.#all);
    this.outside.remember(
      plain ? { line } : { line, command, values: Object.fromEntries(values), files },
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
   * Escape leaves the command, from its fields as from the buttons around them; Alt and arrow-up
   * leave the box for the messages, where no list has taken the key.
   * @param {KeyboardEvent} event
   */
  #boxKey(event) {
    if (event.isComposing || event.defaultPrevented) return;
    if (event.key === 'Escape' && this.#callable) this.#toText();
    else if (event.key === 'ArrowUp' && event.altKey) this.outside.toMessages();
    else return;
    event.preventDefault();
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
    const { text } = field.held;
    const match = /(^|\s)([^\s:]+):$/.exec(text);
    const word = match?.[2]?.toLowerCase();
    if (!match || !word) return;
    const option = callable.options.find(
      (one) => one.name === word || one.label.toLowerCase() === word,
    );
    if (!option) return;
    const known = this.#fields.find((one) => one.option === option);
    if (known && known !== field && !known.empty) return;
    if (known === field && match.index > 0) return;
    field.text = text.slice(0, match.index);
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
      const meant = this.#read();
      if (!meant) {
        const word = text.split(/\s/)[0] ?? '';
        this.#fail(
          text.startsWith('/')
            ? `There is no command ${word}. Type / to see those there are.`
            : 'Only slash commands can be sent here. Type / to see them.',
        );
        return;
      }
      // The fields check and send; they come to light only when something is wrong, or when a file
      // that goes with the line may still be on its way.
      const files = [...meant.held.values()].some((one) => one.upload !== null);
      this.form.classList.toggle('reading', !files);
      this.#openFields(meant.callable, meant.held);
    }
    await this.#sendFields();
  }

  async #sendFields() {
    const callable = this.#callable;
    if (!callable) return;
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
    if (this.#callable !== callable) return;
    this.form.classList.remove('reading');
    if (errors.length > 0) {
      errors[0]?.field.correct();
      this.#fail(errors.map((one) => one.error).join(' '));
      this.#refreshSend();
      return;
    }
    const draft = this.#draftNow(callable);
    this.#remember(callable, draft);
    // Free for the next command at once; a refusal brings the fields back as they were.
    this.#closeFields();
    this.#setLine('', null);
    this.#idleHint();
    this.#recall = null;
    this.input.focus();
    const refusal = await this.outside.invoke(invocationData(callable, options));
    if (refusal === null) return;
    if (!this.#callable && this.input.value === '') {
      const known = this.#all.find((one) => one.name === draft.command);
      if (known) this.#openFields(known, draft.held);
      else this.#setLine(draft.line, draft);
      this.suggestions.hide();
    }
    this.#fail(refusal);
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
 * A line of the history as a draft; its files are gone.
 * @param {Sent} sent
 * @returns {Draft | null}
 */
function draftOf({ line, command, values = {}, files = [] }) {
  if (command === undefined) return null;
  /** @param {string} text @returns {Held} */
  const held = (text) => ({ text, picked: null, upload: null });
  const texts = Object.entries(values).map(([name, text]) => [name, held(text)]);
  const gone = files.map((name) => [name, held('')]);
  return { line, command, held: new Map(/** @type {[string, Held][]} */ ([...texts, ...gone])) };
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
