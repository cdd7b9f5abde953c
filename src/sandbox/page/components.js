// @ts-check
// The components of a message, both generations: rows of buttons and selects, and the layout ones
// (containers, sections, text, galleries, files, separators). Each is a view that updates in place.
import { Children, h, icon, safeAddress, setAttribute, whenChanged } from './dom.js';
import { cssColor, fileName } from './embed.js';
import { chooseFrom } from './listbox.js';
import { fileCard, isPicture, Picture } from './picture.js';
import { displayName, emojiText, fileSize, markdown } from './text.js';
import { Kind } from './types.js';

/** @typedef {import('./types.js').Component} Component */
/** @typedef {import('./types.js').Message} Message */
/** @typedef {import('./types.js').Surroundings} Surroundings */
/** @typedef {import('./dom.js').View<Component>} ComponentView */
/** @typedef {() => Message} Current gives the message as it is now */

/**
 * @param {HTMLElement} element
 * @param {Current} message
 * @param {Surroundings} around
 */
export function componentList(element, message, around) {
  return new Children(element, kindOf, (/** @type {Component} */ data) => {
    const view = create(data, message, around);
    view.update(data);
    return view;
  });
}

/** @param {Component} data */
function kindOf(data) {
  // A link is an <a>, any other button a <button>.
  return data.type === Kind.Button && data.style === 5 ? 'link' : String(data.type);
}

/**
 * @param {Component} data
 * @param {Current} message
 * @param {Surroundings} around
 * @returns {ComponentView}
 */
function create(data, message, around) {
  const kind = kindOf(data);
  switch (data.type) {
    case Kind.ActionRow:
      return group(kind, h('div', { class: 'row' }), message, around);
    case Kind.Container:
      return container(kind, message, around);
    case Kind.Section:
      return section(kind, message, around);
    case Kind.Button:
      return data.style === 5 ? linkButton(kind) : button(kind, message, around);
    case Kind.StringSelect:
    case Kind.UserSelect:
    case Kind.RoleSelect:
    case Kind.MentionableSelect:
    case Kind.ChannelSelect:
      return select(kind, message, around);
    case Kind.TextDisplay:
      return text(kind, around);
    case Kind.Thumbnail:
      return thumbnail(kind, around);
    case Kind.Gallery:
      return gallery(kind, around);
    case Kind.File:
      return file(kind);
    case Kind.Separator:
      return separator(kind);
    default:
      return {
        kind,
        element: h('p', {
          class: 'unknown',
          text: 'This part of the message cannot be shown here.',
        }),
        update() {},
      };
  }
}

/**
 * @param {string} kind
 * @param {HTMLElement} element
 * @param {Current} message
 * @param {Surroundings} around
 * @returns {ComponentView}
 */
function group(kind, element, message, around) {
  const list = componentList(element, message, around);
  return {
    kind,
    element,
    update: (data) => list.update(data.components ?? []),
    dispose: () => list.update([]),
  };
}

/**
 * @param {string} kind
 * @param {Current} message
 * @param {Surroundings} around
 * @returns {ComponentView}
 */
function container(kind, message, around) {
  const element = h('section', { class: 'container' });
  const inner = group(kind, element, message, around);
  return {
    ...inner,
    update(data) {
      const color = cssColor(data.accent_color);
      element.classList.toggle('accented', color !== '');
      if (color) element.style.setProperty('--stripe', color);
      inner.update(data);
    },
  };
}

/**
 * @param {string} kind
 * @param {Current} message
 * @param {Surroundings} around
 * @returns {ComponentView}
 */
function section(kind, message, around) {
  const texts = h('div', { class: 'section-text' });
  const side = h('div', { class: 'section-side' });
  const left = componentList(texts, message, around);
  const right = componentList(side, message, around);
  return {
    kind,
    element: h('div', { class: 'section' }, texts, side),
    update(data) {
      left.update(data.components ?? []);
      right.update(data.accessory ? [data.accessory] : []);
    },
    dispose() {
      left.update([]);
      right.update([]);
    },
  };
}

const STYLES = ['', 'primary', 'secondary', 'success', 'danger'];

/**
 * @param {HTMLElement} element
 * @param {Component} data
 */
function fillButton(element, data) {
  const emoji = emojiText(data.emoji);
  element.replaceChildren();
  if (emoji) element.append(h('span', { class: 'button-emoji', text: emoji }));
  if (data.label) element.append(h('span', { text: data.label }));
}

/**
 * @param {string} kind
 * @param {Current} message
 * @param {Surroundings} around
 * @returns {ComponentView}
 */
function button(kind, message, around) {
  /** @type {Component} */
  let current = { type: Kind.Button };
  let busy = false;
  const element = h('button', {
    attrs: { type: 'button' },
    on: {
      async click() {
        if (busy || current.disabled) return;
        busy = true;
        element.classList.add('busy');
        element.setAttribute('aria-busy', 'true');
        await around.press(message(), current);
        busy = false;
        element.classList.remove('busy');
        element.removeAttribute('aria-busy');
      },
    },
  });
  const look = whenChanged((/** @type {Component} */ data) => {
    element.classList.remove(...STYLES.filter(Boolean));
    element.classList.add('button', STYLES[Number(data.style ?? 2)] || 'secondary');
    fillButton(element, data);
    setAttribute(element, 'aria-label', data.label ? null : (data.emoji?.name ?? 'Button'));
    // A button that has the focus keeps it while it is off for a moment.
    setAttribute(element, 'aria-disabled', data.disabled ? 'true' : null);
    element.classList.toggle('off', data.disabled === true);
  });
  return {
    kind,
    element,
    update(data) {
      current = data;
      const { custom_id: _id, ...rest } = data;
      look(rest);
    },
  };
}

/** @param {string} kind @returns {ComponentView} */
function linkButton(kind) {
  const element = h('a', {
    class: 'button secondary',
    attrs: { target: '_blank', rel: 'noopener noreferrer' },
  });
  return {
    kind,
    element,
    update(data) {
      setAttribute(element, 'href', data.disabled ? null : safeAddress(data.url));
      fillButton(element, data);
      element.append(icon('open'));
      element.classList.toggle('off', data.disabled === true);
    },
  };
}

/**
 * What a select offers: its own options, or the people or the channel.
 * @param {Component} data
 * @param {Surroundings} around
 * @returns {import('./listbox.js').Item[]}
 */
export function selectItems(data, around) {
  const chosen = new Set((data.default_values ?? []).map((one) => one.id));
  switch (data.type) {
    case Kind.StringSelect:
      return (data.options ?? []).map((option) => ({
        value: option.value,
        label: option.label,
        detail: option.description ?? '',
        emoji: emojiText(option.emoji),
        selected: option.default === true,
      }));
    case Kind.UserSelect:
    case Kind.MentionableSelect:
      return around.people().map((user) => ({
        value: user.id,
        label: displayName(user),
        detail: user.username,
        selected: chosen.has(user.id),
      }));
    case Kind.ChannelSelect: {
      const { id, name } = around.channel();
      return [{ value: id, label: `#${name}`, selected: chosen.has(id) }];
    }
    default:
      return [];
  }
}

/**
 * @param {string} kind
 * @param {Current} message
 * @param {Surroundings} around
 * @returns {ComponentView}
 */
function select(kind, message, around) {
  /** @type {Component} */
  let current = { type: Kind.StringSelect };
  let busy = false;
  const label = h('span', { class: 'select-label' });
  const element = h(
    'button',
    {
      class: 'select',
      attrs: { type: 'button', 'aria-haspopup': 'listbox', 'aria-expanded': 'false' },
      on: {
        async click() {
          if (busy || current.disabled || element.getAttribute('aria-expanded') === 'true') return;
          const items = selectItems(current, around);
          const values = await chooseFrom({
            anchor: element,
            label: current.placeholder ?? 'Options',
            items,
            min: current.min_values ?? 1,
            max: current.max_values ?? 1,
          });
          if (values === null) return;
          const before = items.filter((item) => item.selected).map((item) => item.value);
          if ((current.max_values ?? 1) > 1 && before.join('\n') === values.join('\n')) return;
          show(items.filter((item) => values.includes(item.value)));
          busy = true;
          element.classList.add('busy');
          await around.press(message(), current, values);
          busy = false;
          element.classList.remove('busy');
        },
      },
    },
    label,
    icon('down'),
  );
  const show = (/** @type {import('./listbox.js').Item[]} */ chosen) => {
    label.textContent =
      chosen.length > 0
        ? chosen.map((item) => `${item.emoji ? `${item.emoji} ` : ''}${item.label}`).join(', ')
        : (current.placeholder ?? 'Choose ...');
    label.classList.toggle('empty', chosen.length === 0);
  };
  const look = whenChanged((/** @type {Component} */ data) => {
    show(selectItems(data, around).filter((item) => item.selected));
    setAttribute(element, 'aria-disabled', data.disabled ? 'true' : null);
    element.classList.toggle('off', data.disabled === true);
  });
  return {
    kind,
    element,
    update(data) {
      current = data;
      look(data);
    },
  };
}

/**
 * @param {string} kind
 * @param {Surroundings} around
 * @returns {ComponentView}
 */
function text(kind, around) {
  const element = h('div', { class: 'text', attrs: { dir: 'auto' } });
  const fill = whenChanged((/** @type {string} */ content) =>
    element.replaceChildren(markdown(content, around)),
  );
  return { kind, element, update: (data) => fill(data.content ?? '') };
}

/**
 * @param {import('./types.js').Media | undefined} media
 * @param {string | null | undefined} description
 * @param {boolean | undefined} spoiler
 * @returns {import('./picture.js').Image}
 */
function imageOf(media, description, spoiler) {
  const url = media?.url ?? '';
  return {
    url,
    name: fileName(url),
    alt: description ?? '',
    width: media?.width ?? null,
    height: media?.height ?? null,
    spoiler: spoiler === true,
  };
}

/**
 * @param {string} kind
 * @param {Surroundings} around
 * @returns {ComponentView}
 */
function thumbnail(kind, around) {
  const picture = new Picture(around.enlarge);
  picture.element.classList.add('thumbnail');
  return {
    kind,
    element: picture.element,
    update: (data) => picture.update(imageOf(data.media, data.description, data.spoiler)),
    dispose: () => picture.dispose(),
  };
}

/**
 * Pictures side by side; anything else as a file. Serves galleries and attachments.
 * @param {Surroundings} around
 */
export function pictureGrid(around) {
  const element = h('div', { class: 'gallery' });
  const list = new Children(
    element,
    () => 'picture',
    (/** @type {import('./picture.js').Image} */ image) => {
      const picture = new Picture(around.enlarge);
      picture.update(image);
      return picture;
    },
  );
  return {
    element,
    /** @param {import('./picture.js').Image[]} images */
    update(images) {
      element.dataset.columns =
        images.length < 2 ? '1' : images.length === 2 || images.length === 4 ? '2' : '3';
      list.update(images);
    },
  };
}

/**
 * @param {string} kind
 * @param {Surroundings} around
 * @returns {ComponentView}
 */
function gallery(kind, around) {
  const grid = pictureGrid(around);
  return {
    kind,
    element: grid.element,
    update: (data) =>
      grid.update(
        (data.items ?? []).map((item) => imageOf(item.media, item.description, item.spoiler)),
      ),
    dispose: () => grid.update([]),
  };
}

/** @param {string} kind @returns {ComponentView} */
function file(kind) {
  const element = h('div');
  const fill = whenChanged((/** @type {Component} */ data) => {
    const url = data.file?.url ?? '';
    const size = data.size ?? data.file?.size;
    element.replaceChildren(
      fileCard({
        name: data.name ?? data.file?.name ?? fileName(url),
        url,
        size: size === undefined ? '' : fileSize(size),
      }),
    );
  });
  return { kind, element, update: fill };
}

/** @param {string} kind @returns {ComponentView} */
function separator(kind) {
  const element = h('div', { class: 'separator', attrs: { role: 'separator' } });
  return {
    kind,
    element,
    update(data) {
      element.classList.toggle('line', data.divider !== false);
      element.classList.toggle('wide', data.spacing === 2);
    },
  };
}

export { isPicture };
