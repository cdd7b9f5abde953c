// @ts-check
// The menu of a message: what apps offer to do with it. Opened by its button, by the right mouse
// button or by the menu key; gone through with the arrow keys.
import { h, icon } from './dom.js';

/** @typedef {import('./types.js').Command} Command */
/** @typedef {{ command: Command, label: string }} Item */

/** Only one is open at a time. @type {(() => void) | null} */
let closeOpen = null;

/**
 * @param {() => Item[]} items what there is now; without any there is no menu
 * @param {(command: Command) => void} run
 * @returns {{ element: HTMLElement, open: (at?: { x: number, y: number }) => boolean, refresh: () => void }}
 */
export function messageMenu(items, run) {
  const toggle = h(
    'button',
    {
      class: 'more',
      attrs: {
        type: 'button',
        'aria-label': 'Apps',
        title: 'Apps',
        'aria-haspopup': 'menu',
        'aria-expanded': 'false',
      },
      on: { click: () => (menu.hidden ? open() : close(true)) },
    },
    icon('more'),
  );
  const menu = h('div', {
    class: 'menu',
    attrs: { role: 'menu', 'aria-label': 'Apps', hidden: true },
    on: {
      keydown: (event) => key(event),
      // Some browsers would give the focus to the message before they press the item.
      mousedown: (event) => event.preventDefault(),
    },
  });
  const element = h('div', { class: 'message-menu' }, toggle, menu);
  // Who goes on elsewhere, such as by typing, is done with it.
  element.addEventListener('focusout', ({ relatedTarget }) => {
    if (relatedTarget instanceof Node && !element.contains(relatedTarget)) close(false);
  });

  /** @param {boolean} back whether the keyboard goes back to the button */
  function close(back) {
    if (menu.hidden) return;
    menu.hidden = true;
    element.classList.remove('open');
    toggle.setAttribute('aria-expanded', 'false');
    document.removeEventListener('pointerdown', outside, true);
    closeOpen = null;
    if (back) toggle.focus();
  }

  /** @param {Event} event */
  function outside(event) {
    if (!(event.target instanceof Node && element.contains(event.target))) close(false);
  }

  function open() {
    const all = items();
    if (all.length === 0) return false;
    closeOpen?.();
    menu.replaceChildren(
      ...all.map(({ command, label }) =>
        h('button', {
          text: label,
          attrs: { type: 'button', role: 'menuitem', tabindex: -1 },
          on: {
            click: () => {
              close(true);
              run(command);
            },
          },
        }),
      ),
    );
    menu.hidden = false;
    element.classList.add('open');
    toggle.setAttribute('aria-expanded', 'true');
    document.addEventListener('pointerdown', outside, true);
    closeOpen = () => close(false);
    // Upwards where there is no room below.
    const scroller = element.closest('.scroller');
    const room = (scroller?.getBoundingClientRect().bottom ?? innerHeight) - 8;
    menu.classList.remove('above');
    menu.classList.toggle('above', menu.getBoundingClientRect().bottom > room);
    focusItem(0);
    return true;
  }

  /** @param {number} index counted around the end */
  function focusItem(index) {
    const all = [...menu.children];
    const item = all[(index + all.length) % all.length];
    if (item instanceof HTMLElement) item.focus();
  }

  /** @param {KeyboardEvent} event */
  function key(event) {
    const at = [...menu.children].indexOf(/** @type {Element} */ (document.activeElement));
    switch (event.key) {
      case 'ArrowDown':
        focusItem(at + 1);
        break;
      case 'ArrowUp':
        focusItem(at - 1);
        break;
      case 'Home':
        focusItem(0);
        break;
      case 'End':
        focusItem(-1);
        break;
      case 'Escape':
        close(true);
        break;
      case 'Tab':
        close(false);
        return;
      default:
        return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  return {
    element,
    open,
    refresh() {
      element.hidden = items().length === 0;
      if (element.hidden) close(false);
    },
  };
}
