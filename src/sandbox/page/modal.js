// @ts-check
// A form that a bot opens: labels around text inputs, selects, checkboxes, radio buttons and uploads.

import { selectItems } from './components.js';
import { h, icon } from './dom.js';
import { chooseFrom } from './listbox.js';
import { fileSize, markdown } from './text.js';
import { Kind } from './types.js';

/** @typedef {import('./types.js').Component} Component */
/** @typedef {import('./types.js').Surroundings} Surroundings */
/** @typedef {string | string[] | boolean} Answer */
/**
 * @typedef {object} Field
 * @property {HTMLElement} element
 * @property {HTMLElement} control takes the focus
 * @property {() => Answer} answer
 * @property {() => string} problem one sentence, or '' when the answer may be sent
 */

let serial = 0;

/**
 * Shows the form and settles when it is closed. `send` gets the answers by custom id and
 * returns one sentence when they were not taken: the form then stays open.
 * @param {object} settings
 * @param {import('./types.js').Modal} settings.modal
 * @param {string} settings.from name of the bot
 * @param {Surroundings} settings.around
 * @param {(file: File) => Promise<string>} settings.upload resolves with the id of the attachment
 * @param {(answers: Record<string, Answer>) => Promise<string | null>} settings.send
 * @returns {Promise<void>}
 */
export function showModal({ modal, from, around, upload, send }) {
  /** @type {{ field: Field & { customId: string }, warn: (text: string) => void }[]} */
  const fields = [];
  const rows = modal.components.map((component) => {
    const inner = component.component ?? component.components?.[0];
    if (component.type === Kind.TextDisplay) {
      const text = h('div', { class: 'text', attrs: { dir: 'auto' } });
      text.append(markdown(component.content ?? '', around));
      return text;
    }
    if (!inner) return null;
    const field = { ...makeField(inner, around, upload), customId: inner.custom_id ?? '' };
    serial += 1;
    const id = `field-${serial}`;
    field.control.id = id;
    const error = h('p', { class: 'field-error', attrs: { id: `${id}-error`, hidden: true } });
    const hint = component.description;
    const warn = (/** @type {string} */ text) => {
      error.textContent = text;
      error.hidden = text === '';
      field.control.setAttribute('aria-invalid', String(text !== ''));
    };
    field.control.setAttribute('aria-describedby', `${id}-error`);
    field.element.addEventListener('input', () => warn(''));
    fields.push({ field, warn });
    const required = inner.required !== false && inner.type !== Kind.Checkbox;
    return h(
      'div',
      { class: 'modal-field' },
      h(
        'label',
        { attrs: { for: id } },
        component.label ?? inner.label ?? '',
        required
          ? h('span', { class: 'required', text: ' *', attrs: { 'aria-hidden': 'true' } })
          : null,
      ),
      hint ? h('p', { class: 'modal-hint', text: hint }) : null,
      field.element,
      error,
    );
  });
  const problem = h('p', { class: 'field-error', attrs: { role: 'alert', hidden: true } });
  const submit = h('button', {
    class: 'button primary',
    text: 'Submit',
    attrs: { type: 'submit' },
  });
  const form = h(
    'form',
    { attrs: { method: 'dialog', novalidate: true } },
    h(
      'header',
      {},
      h('h2', { text: modal.title, attrs: { id: 'modal-title' } }),
      h(
        'button',
        {
          class: 'icon-button',
          attrs: { type: 'button', 'aria-label': 'Close' },
          on: { click: () => dialog.close() },
        },
        icon('close'),
      ),
    ),
    h('p', {
      class: 'modal-from',
      text: `This form is from ${from}. Do not put passwords into it.`,
    }),
    h('div', { class: 'modal-fields' }, ...rows),
    problem,
    h(
      'footer',
      {},
      h('button', {
        class: 'button secondary',
        text: 'Cancel',
        attrs: { type: 'button' },
        on: { click: () => dialog.close() },
      }),
      submit,
    ),
  );
  const dialog = h('dialog', { class: 'modal', attrs: { 'aria-labelledby': 'modal-title' } }, form);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    let first = true;
    for (const { field, warn } of fields) {
      const text = field.problem();
      warn(text);
      if (text && first) {
        field.control.focus();
        first = false;
      }
    }
    if (!first) return;
    submit.disabled = true;
    submit.classList.add('busy');
    send(Object.fromEntries(fields.map(({ field }) => [field.customId, field.answer()]))).then(
      (refusal) => {
        if (refusal === null) {
          dialog.close();
          return;
        }
        submit.disabled = false;
        submit.classList.remove('busy');
        problem.textContent = refusal;
        problem.hidden = false;
      },
    );
  });
  document.body.append(dialog);
  const before = document.activeElement;
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => {
      dialog.remove();
      if (before instanceof HTMLElement && before.isConnected) before.focus();
      resolve();
    });
    dialog.showModal();
    fields[0]?.field.control.focus();
  });
}

/**
 * @param {Component} data
 * @param {Surroundings} around
 * @param {(file: File) => Promise<string>} upload
 * @returns {Field}
 */
function makeField(data, around, upload) {
  const required = data.required !== false;
  switch (data.type) {
    case Kind.TextInput:
      return textField(data, required);
    case Kind.Checkbox: {
      const box = h('input', { attrs: { type: 'checkbox' } });
      box.checked = data.default === true;
      return {
        element: h('div', { class: 'checks' }, box),
        control: box,
        answer: () => box.checked,
        problem: () => '',
      };
    }
    case Kind.RadioGroup:
    case Kind.CheckboxGroup:
      return checksField(data, required);
    case Kind.FileUpload:
      return uploadField(data, required, upload);
    default:
      return selectField(data, required, around);
  }
}

/**
 * @param {Component} data
 * @param {boolean} required
 * @returns {Field}
 */
function textField(data, required) {
  const long = data.style === 2;
  const attrs = {
    placeholder: data.placeholder,
    maxlength: data.max_length ?? 4000,
    dir: 'auto',
    spellcheck: 'true',
  };
  const control = long
    ? h('textarea', { class: 'input', attrs: { ...attrs, rows: 4 } })
    : h('input', { class: 'input', attrs: { ...attrs, type: 'text' } });
  control.value = data.value ?? '';
  const least = data.min_length ?? 0;
  return {
    element: control,
    control,
    answer: () => control.value,
    problem() {
      const { length } = control.value;
      if (length === 0) return required ? 'This is required.' : '';
      return length < least ? `At least ${least} characters, please.` : '';
    },
  };
}

/**
 * @param {Component} data
 * @param {boolean} required
 * @returns {Field}
 */
function checksField(data, required) {
  const radio = data.type === Kind.RadioGroup;
  serial += 1;
  const name = `group-${serial}`;
  const boxes = (data.options ?? []).map((option) => {
    const box = h('input', {
      attrs: { type: radio ? 'radio' : 'checkbox', name, value: option.value },
    });
    box.checked = option.default === true;
    return {
      box,
      row: h(
        'label',
        { class: 'check' },
        box,
        h(
          'span',
          {},
          option.label,
          option.description ? h('small', { text: option.description }) : null,
        ),
      ),
    };
  });
  const element = h(
    'div',
    { class: 'checks', attrs: { role: radio ? 'radiogroup' : 'group', tabindex: -1 } },
    ...boxes.map((one) => one.row),
  );
  const chosen = () => boxes.filter((one) => one.box.checked).map((one) => one.box.value);
  return {
    element,
    control: element,
    answer: () => (radio ? (chosen()[0] ?? '') : chosen()),
    problem: () =>
      countProblem(
        chosen().length,
        required ? (data.min_values ?? 1) : 0,
        radio ? 1 : (data.max_values ?? boxes.length),
      ),
  };
}

/**
 * @param {number} count
 * @param {number} min
 * @param {number} max
 */
function countProblem(count, min, max) {
  if (count < min) return min === 1 ? 'This is required.' : `Choose at least ${min}.`;
  return count > max ? `Choose at most ${max}.` : '';
}

/**
 * @param {Component} data
 * @param {boolean} required
 * @param {Surroundings} around
 * @returns {Field}
 */
function selectField(data, required, around) {
  const items = selectItems(data, around);
  const max = data.max_values ?? 1;
  const min = required ? (data.min_values ?? 1) : 0;
  const label = h('span', { class: 'select-label' });
  const show = () => {
    const chosen = items.filter((item) => item.selected);
    label.textContent =
      chosen.map((item) => item.label).join(', ') || (data.placeholder ?? 'Choose ...');
    label.classList.toggle('empty', chosen.length === 0);
  };
  const control = h(
    'button',
    {
      class: 'select',
      attrs: { type: 'button', 'aria-haspopup': 'listbox', 'aria-expanded': 'false' },
      on: {
        async click() {
          if (control.getAttribute('aria-expanded') === 'true') return;
          const values = await chooseFrom({
            anchor: control,
            label: data.placeholder ?? 'Options',
            items,
            min,
            max,
          });
          if (values === null) return;
          for (const item of items) item.selected = values.includes(item.value);
          show();
          control.dispatchEvent(new Event('input', { bubbles: true }));
        },
      },
    },
    label,
    icon('down'),
  );
  show();
  const chosen = () => items.filter((item) => item.selected).map((item) => item.value);
  return {
    element: control,
    control,
    answer: () => chosen(),
    problem: () => countProblem(chosen().length, min, max),
  };
}

/**
 * @param {Component} data
 * @param {boolean} required
 * @param {(file: File) => Promise<string>} upload
 * @returns {Field}
 */
function uploadField(data, required, upload) {
  const max = data.max_values ?? 1;
  /** @type {string[]} */
  let ids = [];
  let state = '';
  const note = h('p', { class: 'modal-hint', attrs: { 'aria-live': 'polite' } });
  const control = h('input', { class: 'input', attrs: { type: 'file', multiple: max > 1 } });
  control.addEventListener('change', async () => {
    const files = [...(control.files ?? [])];
    ids = [];
    if (files.length > max) {
      state = `Choose at most ${max}.`;
      note.textContent = state;
      return;
    }
    state = 'The upload is still under way.';
    note.textContent = 'Uploading ...';
    try {
      ids = await Promise.all(files.map(upload));
      state = '';
      note.textContent = files.map((file) => `${file.name} (${fileSize(file.size)})`).join(', ');
    } catch (error) {
      state = error instanceof Error ? error.message : 'The upload failed.';
      note.textContent = state;
    }
  });
  return {
    element: h('div', {}, control, note),
    control,
    answer: () => ids,
    problem: () => state || countProblem(ids.length, required ? (data.min_values ?? 1) : 0, max),
  };
}
