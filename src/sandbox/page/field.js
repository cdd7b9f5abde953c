// @ts-check
// One option of a command in the command box: a labelled field that grows with its text, offers its
// choices, asks the bot for more, or takes a file.
import { h, icon, setAttribute } from './dom.js';
import { convert, OptionType } from './invocation.js';
import { displayName, fileSize } from './text.js';

/** @typedef {import('./invocation.js').Option} Option */
/** @typedef {{ name: string, value: string | number }} Pick */
/**
 * A file that was given to a field; it may still be on its way to the sandbox.
 * @typedef {object} Upload
 * @property {File} file
 * @property {Promise<import('./types.js').Attachment>} attachment
 * @property {string | null} id
 * @property {string} error
 */
/** What a field holds, to open it again as it was. @typedef {{ text: string, picked: Pick | null, upload: Upload | null }} Held */
/**
 * @typedef {object} FieldHost
 * @property {import('./listbox.js').Suggestions} suggestions
 * @property {() => import('./types.js').User[]} people
 * @property {(field: Field) => Promise<Pick[] | null>} complete asks the bot; null when overtaken or failed
 * @property {(file: File) => Promise<import('./types.js').Attachment>} upload
 * @property {() => number} limit bytes that a file may have
 * @property {(field: Field) => void} focused
 * @property {(field: Field) => void} remove
 * @property {(field: Field, event: KeyboardEvent) => void} key keys that the field itself has no use for
 * @property {(field: Field) => void} typed
 */

/** How long the typing must rest before the bot is asked for completions, in ms. */
const REST = 180;

let serial = 0;

export class Field {
  /** Whether someone asked for it: it is then not left out when it is empty. */
  wanted = true;
  /** The choice that the text stands for, as long as the text is its name. @type {Pick | null} */
  #picked = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** @type {Upload | null} */
  #upload = null;
  /** @type {string | null} */
  #preview = null;

  /**
   * @param {Option} option
   * @param {FieldHost} host
   */
  constructor(option, host) {
    this.option = option;
    this.host = host;
    serial += 1;
    this.id = `option-${serial}`;
    this.isFile = option.raw.type === OptionType.Attachment;
    const name = h('label', { class: 'field-name', text: option.label, attrs: { for: this.id } });
    const remove = option.raw.required
      ? null
      : h(
          'button',
          {
            class: 'field-remove',
            attrs: {
              type: 'button',
              'aria-label': `Remove ${option.label}`,
              title: `Remove ${option.label}`,
            },
            on: { click: () => host.remove(this) },
          },
          icon('close'),
        );
    this.grow = h('span', { class: 'grow' });
    this.element = h(
      'div',
      { class: this.#multiline ? 'option words' : 'option' },
      name,
      this.isFile ? null : this.grow,
      remove,
    );
    const numeric = option.raw.type === OptionType.Integer || option.raw.type === OptionType.Number;
    const common = {
      id: this.id,
      autocomplete: 'off',
      'aria-required': option.raw.required ? 'true' : null,
      'aria-describedby': 'composer-hint composer-error',
    };
    if (this.isFile) {
      this.fileInput = h('input', {
        attrs: { type: 'file', class: 'visually-hidden', tabindex: -1, 'aria-hidden': 'true' },
      });
      this.input = h('button', {
        class: 'file-button',
        attrs: { ...common, type: 'button' },
        on: { click: () => this.fileInput?.click() },
      });
      this.fileInput.addEventListener('change', () => {
        const file = this.fileInput?.files?.[0];
        if (file) this.setFile(file);
        // Choosing the same file again is a change too: it may be another one by now.
        if (this.fileInput) this.fileInput.value = '';
      });
      name.after(this.input, this.fileInput);
      this.#showFile('Choose, paste or drop a file');
    } else {
      this.input = h('textarea', {
        class: 'field-input',
        attrs: {
          ...common,
          rows: 1,
          cols: 1,
          role: this.#suggests ? 'combobox' : null,
          'aria-expanded': this.#suggests ? 'false' : null,
          'aria-autocomplete': this.#suggests ? 'list' : null,
          inputmode: numeric ? 'decimal' : null,
          dir: 'auto',
          spellcheck: option.raw.type === OptionType.String && !option.choices ? 'true' : 'false',
        },
      });
      this.grow.append(this.input);
      this.input.addEventListener('input', () => this.#typed());
      this.input.addEventListener('blur', () => this.#left());
    }
    this.input.addEventListener('focus', () => {
      host.focused(this);
      this.#suggest(true);
    });
    this.element.addEventListener('keydown', (event) => {
      if (event.target === this.input) this.#key(event);
    });
    this.element.addEventListener('pointerdown', (event) => {
      // A click anywhere in the pill goes to its field.
      if (event.target === this.element || event.target === this.grow) {
        event.preventDefault();
        this.focus();
      }
    });
  }

  get #suggests() {
    const { type, autocomplete } = this.option.raw;
    return (
      this.option.choices !== null ||
      autocomplete === true ||
      type === OptionType.User ||
      type === OptionType.Mentionable
    );
  }

  /** Whether it takes text of any length. */
  get #multiline() {
    const { raw, choices } = this.option;
    return raw.type === OptionType.String && choices === null;
  }

  /** What was typed, in one line: Discord's clients send no line breaks. */
  get text() {
    return this.input instanceof HTMLTextAreaElement
      ? this.input.value.replace(/\s*\n\s*/g, ' ')
      : '';
  }

  set text(text) {
    if (!(this.input instanceof HTMLTextAreaElement)) return;
    this.input.value = text;
    this.grow.dataset.value = text;
    this.#picked = null;
  }

  /** The text that stands for the value in a typed line. */
  get line() {
    const picked = this.#current();
    if (picked) return String(picked.value);
    return this.input instanceof HTMLTextAreaElement ? this.input.value.trim() : '';
  }

  get empty() {
    return this.isFile ? this.#upload === null : this.text.trim() === '';
  }

  /** @type {Held} */
  get held() {
    const text = this.input instanceof HTMLTextAreaElement ? this.input.value : '';
    return { text, picked: this.#current(), upload: this.#upload };
  }

  set held({ text, picked, upload }) {
    this.text = text;
    this.#picked = picked;
    if (upload && this.isFile) this.#take(upload);
  }

  #current() {
    return this.#picked && this.#picked.name === this.text ? this.#picked : null;
  }

  focus() {
    this.input.focus();
  }

  /**
   * The value to send, an error, or null when there is nothing in it. Waits for an upload under way.
   * @returns {Promise<{ value: string | number | boolean } | { error: string } | null>}
   */
  async value() {
    const { label, raw } = this.option;
    if (this.empty) {
      if (raw.required) return { error: `${label} is required.` };
      if (!this.wanted) return null;
      const verb = this.isFile || this.option.choices ? 'choose' : 'enter';
      const what = this.isFile ? 'file' : 'value';
      return { error: `${label} is empty: ${verb} a ${what} or remove it.` };
    }
    if (this.#upload) {
      await this.#upload.attachment.catch(() => undefined);
      const { id, error } = this.#upload;
      return id === null ? { error: `${label}: ${error}` } : { value: id };
    }
    return this.valueNow();
  }

  /** The same for what is typed, at once; null for files. */
  valueNow() {
    if (this.isFile || this.empty) return null;
    const picked = this.#current();
    if (picked && this.option.raw.type !== OptionType.Boolean) return { value: picked.value };
    return convert(
      this.option,
      this.option.raw.type === OptionType.String ? this.text : this.text.trim(),
      this.host.people(),
    );
  }

  /** Goes to the field after it was refused; an empty one opens its list again. */
  correct() {
    this.focus();
    if (this.empty) this.#suggest(true);
    else this.host.suggestions.hide();
  }

  /** @param {string} error one sentence, or '' */
  warn(error) {
    this.element.classList.toggle('wrong', error !== '');
    setAttribute(this.input, 'aria-invalid', error === '' ? null : 'true');
  }

  /** @param {File} file */
  setFile(file) {
    const attachment =
      file.size > this.host.limit()
        ? Promise.reject(
            new Error(
              `${file.name} is ${fileSize(file.size)}; at most ${fileSize(this.host.limit())} can be sent.`,
            ),
          )
        : this.host.upload(file);
    this.warn('');
    this.#take({ file, attachment, id: null, error: '' });
    this.host.typed(this);
  }

  /** Shows an upload and what becomes of it. @param {Upload} upload */
  #take(upload) {
    const { file } = upload;
    this.#upload = upload;
    if (upload.id === null) this.#showFile(`${file.name} · uploading ...`, file);
    const done = () => this.#showFile(`${file.name} · ${fileSize(file.size)}`, file);
    if (upload.id !== null) done();
    upload.attachment.then(
      (uploaded) => {
        const known = upload.id !== null;
        upload.id = uploaded.id;
        if (this.#upload === upload && !known) done();
      },
      (/** @type {unknown} */ reason) => {
        upload.error = reason instanceof Error ? reason.message : 'The upload failed.';
        if (this.#upload !== upload) return;
        this.#showFile(upload.error);
        this.warn(upload.error);
      },
    );
  }

  /**
   * @param {string} text
   * @param {File} [file]
   */
  #showFile(text, file) {
    this.#forgetPreview();
    this.input.replaceChildren();
    if (file?.type.startsWith('image/')) {
      this.#preview = URL.createObjectURL(file);
      this.input.append(h('img', { class: 'file-thumb', attrs: { src: this.#preview, alt: '' } }));
    } else this.input.append(icon('clip'));
    this.input.append(h('span', { text }));
  }

  #forgetPreview() {
    if (this.#preview) URL.revokeObjectURL(this.#preview);
    this.#preview = null;
  }

  dispose() {
    clearTimeout(this.#timer);
    this.#forgetPreview();
  }

  #typed() {
    if (this.input instanceof HTMLTextAreaElement) this.grow.dataset.value = this.input.value;
    this.warn('');
    this.host.typed(this);
    this.#suggest(false);
  }

  #left() {
    clearTimeout(this.#timer);
    this.host.suggestions.hide();
    const result = this.valueNow();
    if (result && 'error' in result) this.warn(result.error);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const { suggestions } = this.host;
    if (event.isComposing) return;
    if (suggestions.key(event)) return;
    // A line break, which a text of any length may need to be read.
    if (event.key === 'Enter' && event.shiftKey && this.#multiline) return;
    // A list that was left with Esc, or by a choice, comes back.
    if (this.#suggests && (event.key === 'ArrowDown' || event.key === 'ArrowUp')) {
      event.preventDefault();
      this.#suggest(true);
      return;
    }
    const takes = event.key === 'Enter' || (event.key === 'Tab' && !event.shiftKey);
    if (suggestions.open && suggestions.active && takes) {
      suggestions.take();
      if (event.key === 'Enter') event.preventDefault();
      return;
    }
    this.host.key(this, event);
  }

  /**
   * What must be one of its choices has the first preselected while it is empty, so that Enter takes it.
   * @param {boolean} fresh the field was just entered: everything is offered
   */
  #suggest(fresh) {
    clearTimeout(this.#timer);
    const { suggestions } = this.host;
    if (!this.#suggests) {
      suggestions.hide();
      return;
    }
    if (this.option.raw.autocomplete) {
      this.#timer = setTimeout(
        async () => {
          const choices = await this.host.complete(this);
          if (choices && document.activeElement === this.input) this.#offer(choices, false);
        },
        fresh ? 0 : REST,
      );
      return;
    }
    const all =
      this.option.choices ??
      this.host.people().map((user) => ({ name: displayName(user), value: user.id }));
    const wanted = this.text.trim().toLowerCase();
    const exact = all.some((choice) => choice.name.toLowerCase() === wanted);
    this.#offer(
      fresh || exact ? all : all.filter((choice) => choice.name.toLowerCase().includes(wanted)),
      wanted === '' ? this.option.choices !== null : !fresh && !exact,
    );
  }

  /**
   * @param {Pick[]} choices
   * @param {boolean} preselect
   */
  #offer(choices, preselect) {
    this.host.suggestions.show({
      field: this.input,
      title: this.option.label,
      items: choices.map((choice) => ({ value: String(choice.value), label: choice.name })),
      preselect,
      pick: (item) => {
        const choice = choices.find(
          (one) => String(one.value) === item.value && one.name === item.label,
        );
        if (!choice) return;
        this.text = choice.name;
        this.#picked = choice;
        this.warn('');
        this.host.suggestions.hide();
        this.host.typed(this);
      },
    });
  }
}
