// @ts-check
// Pictures at full size: Esc closes, arrows go through all pictures of the channel, and one that is
// still forming goes on forming here.
import { h, icon, safeAddress, setAttribute } from './dom.js';
import { allPictures } from './picture.js';

/** @typedef {import('./picture.js').Picture} Picture */

export class Lightbox {
  /** @type {Picture | null} */
  #picture = null;

  constructor() {
    this.image = h('img', { class: 'lightbox-image' });
    this.caption = h('p', { class: 'lightbox-caption', attrs: { dir: 'auto' } });
    this.count = h('span', { class: 'lightbox-count' });
    this.download = h('a', { class: 'bar-button' }, icon('download'), 'Download');
    this.original = h(
      'a',
      { class: 'bar-button', attrs: { target: '_blank', rel: 'noopener noreferrer' } },
      icon('open'),
      'Original',
    );
    this.previous = this.#button('left', 'Previous picture', () => this.#move(-1));
    this.next = this.#button('right', 'Next picture', () => this.#move(1));
    this.element = h(
      'dialog',
      {
        class: 'lightbox',
        attrs: { 'aria-label': 'Picture' },
        on: {
          close: () => this.#leave(),
          click: (/** @type {MouseEvent} */ event) => {
            // A click beside the picture closes.
            if (event.target === this.element || event.target === this.stage) this.element.close();
          },
          keydown: (/** @type {KeyboardEvent} */ event) => {
            if (event.key === 'ArrowLeft') this.#move(-1);
            else if (event.key === 'ArrowRight') this.#move(1);
            else if (event.key === 'Home') this.#move(-Infinity);
            else if (event.key === 'End') this.#move(Infinity);
            else return;
            event.preventDefault();
          },
        },
      },
      h(
        'div',
        { class: 'lightbox-bar' },
        this.count,
        h('span', { class: 'grow' }),
        this.original,
        this.download,
        this.#button('close', 'Close', () => this.element.close()),
      ),
    );
    this.stage = h('div', { class: 'lightbox-stage' }, this.previous, this.image, this.next);
    this.element.append(this.stage, this.caption);
    document.body.append(this.element);
  }

  /** @param {Picture} picture */
  open(picture) {
    this.#take(picture);
    if (!this.element.open) this.element.showModal();
    this.element.focus();
  }

  /**
   * @param {'left' | 'right' | 'close'} name
   * @param {string} label
   * @param {() => void} act
   */
  #button(name, label, act) {
    return h(
      'button',
      {
        class: `icon-button ${name}`,
        attrs: { type: 'button', 'aria-label': label, title: label },
        on: { click: act },
      },
      icon(name),
    );
  }

  #refresh = () => {
    const image = this.#picture?.image;
    if (!image) return;
    const address = safeAddress(image.url);
    if (address === null) return;
    setAttribute(this.image, 'src', address);
    this.image.alt = image.alt;
    if (image.width && image.height) {
      this.image.width = image.width;
      this.image.height = image.height;
    }
    // Small models paint small: their pictures are shown at up to eight times their size.
    const width = image.width ?? this.image.naturalWidth;
    const height = image.height ?? this.image.naturalHeight;
    this.image.style.setProperty('--ratio', String(width && height ? width / height : 1));
    this.image.style.setProperty('--most', `${Math.max(256, width * 8)}px`);
    if (this.caption.textContent !== image.alt) {
      this.caption.textContent = image.alt;
      this.caption.scrollTop = 0;
    }
    this.caption.hidden = image.alt === '';
    this.download.href = address;
    this.download.download = image.name;
    this.original.href = address;
    const all = allPictures().filter((one) => one.image);
    const at = this.#picture ? all.indexOf(this.#picture) : -1;
    this.count.textContent = all.length > 1 ? `${at + 1} of ${all.length}` : '';
    this.previous.disabled = at <= 0;
    this.next.disabled = at >= all.length - 1;
  };

  /** @param {Picture} picture */
  #take(picture) {
    this.#drop();
    this.#picture = picture;
    picture.addEventListener('change', this.#refresh);
    picture.addEventListener('gone', this.#gone);
    this.#refresh();
  }

  #gone = () => this.element.close();

  #drop() {
    this.#picture?.removeEventListener('change', this.#refresh);
    this.#picture?.removeEventListener('gone', this.#gone);
  }

  #leave() {
    const picture = this.#picture;
    this.#drop();
    this.#picture = null;
    // Focus goes to the picture that was last on show, not to the one it began with.
    if (picture?.element.isConnected) picture.element.focus({ preventScroll: false });
  }

  /** @param {number} by */
  #move(by) {
    const all = allPictures().filter((one) => one.image);
    const at = this.#picture ? all.indexOf(this.#picture) : -1;
    const next = all[Math.min(Math.max(at + by, 0), all.length - 1)];
    if (next && next !== this.#picture) this.#take(next);
  }
}
