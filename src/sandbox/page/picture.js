// @ts-check
// A picture that changes while it is looked at. Its box keeps its size, and the old image stays until
// the new one is loaded and decoded, then the two cross-fade: no flicker, no jump.
import { h, icon, safeAddress, setAttribute } from './dom.js';

/**
 * @typedef {object} Image
 * @property {string} url
 * @property {string} name file name
 * @property {string} alt
 * @property {number | null} width px
 * @property {number | null} height px
 * @property {boolean} spoiler
 */

/**
 * What stays the same when an address is signed anew: everything before the query.
 * @param {string | undefined} url
 */
const keyOf = (url) => url?.split('?')[0];

/** Whether the reader wants nothing to move that they did not set in motion. */
const calm = matchMedia('(prefers-reduced-motion: reduce)');

/**
 * An animation that has to wait until it is asked for: the bot's are known by their file name.
 * @param {Image} image
 */
const isHeld = (image) => calm.matches && image.name.startsWith('animation-');

/** Longest side of a picture on the page, in px, whatever its pixels: previews may be smaller. */
const SIDE = 400;
const WIDE_SIDE = 520;

/** @type {WeakMap<Element, Picture>} */
const byElement = new WeakMap();

/** Tells each picture when the reader is within two screens of it. @type {IntersectionObserver | undefined} */
let nearness;

/** @param {Picture} picture */
function observe(picture) {
  nearness ??= new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries)
        byElement.get(target)?.approach(isIntersecting);
    },
    // The root is what scrolls: the margin does not reach beyond any other.
    { root: document.getElementById('scroller'), rootMargin: '200% 0px' },
  );
  nearness.observe(picture.element);
}

/**
 * All pictures on the page, in reading order.
 * @returns {Picture[]}
 */
export function allPictures() {
  return [...document.querySelectorAll('.picture')].flatMap(
    (element) => byElement.get(element) ?? [],
  );
}

/** Fires `change` when another image is shown and `gone` when it left the page. */
export class Picture extends EventTarget {
  kind = 'picture';
  /** The image on show. @type {Image | null} */
  current = null;
  /** The newest image asked for. @type {Image | null} */
  #wanted = null;
  /** True while an image is loading; only the newest of those that arrive meanwhile comes next. */
  #loading = false;
  /** Only what may be seen soon is loaded. */
  #near = false;
  #revealed = false;

  /** @param {(picture: Picture) => void} enlarge */
  constructor(enlarge) {
    super();
    this.frames = h('span', { class: 'frames' });
    this.note = h('span', { class: 'picture-note', attrs: { hidden: true } });
    this.element = h(
      'button',
      {
        class: 'picture',
        attrs: { type: 'button' },
        on: {
          click: () => {
            if (this.element.classList.contains('covered')) this.#reveal();
            else if (this.current) enlarge(this);
          },
        },
      },
      this.frames,
      h('span', { class: 'picture-play' }, icon('play')),
      this.note,
    );
    byElement.set(this.element, this);
    observe(this);
  }

  /** What there is to be seen at full size: the image on show, or the one that is loaded later. */
  get image() {
    return this.current ?? (this.note.hidden ? this.#wanted : null);
  }

  /** @param {boolean} near */
  approach(near) {
    this.#near = near;
    this.#refresh();
  }

  /** @param {Image} image */
  update(image) {
    const last = this.#wanted;
    this.#wanted = image;
    const covered = image.spoiler && !this.#revealed;
    this.element.classList.toggle('covered', covered);
    setAttribute(
      this.element,
      'aria-label',
      covered
        ? 'Spoiler, press to show the picture'
        : `${isHeld(image) ? 'Play' : 'Enlarge'}: ${image.alt || image.name}`,
    );
    if (image.width && image.height) this.#reserve(image.width, image.height);
    if (last && keyOf(last.url) === keyOf(image.url)) {
      const shown = this.frames.lastElementChild;
      if (shown instanceof HTMLImageElement) shown.alt = image.alt;
      if (keyOf(this.current?.url) === keyOf(image.url)) this.current = image;
    }
    this.#refresh();
  }

  /** Loads what is wanted and not on show, also when that failed before. */
  #refresh() {
    if (!this.#near || this.#loading || !this.#wanted) return;
    if (keyOf(this.#wanted.url) !== keyOf(this.current?.url)) void this.#load();
  }

  dispose() {
    this.#wanted = null;
    nearness?.unobserve(this.element);
    this.dispatchEvent(new Event('gone'));
  }

  #reveal() {
    this.#revealed = true;
    if (this.#wanted) this.update({ ...this.#wanted });
  }

  /**
   * @param {number} width
   * @param {number} height
   */
  #reserve(width, height) {
    const ratio = width / height;
    const side = ratio > 1.4 ? WIDE_SIDE : SIDE;
    // Icons stay icons.
    const scale = Math.max(width, height) < 48 ? 1 : side / Math.max(width, height);
    this.element.style.setProperty('--box', `${Math.round(width * scale)}px`);
    this.element.style.setProperty('--ratio', String(ratio));
  }

  async #load() {
    this.#loading = true;
    while (this.#wanted && keyOf(this.#wanted.url) !== keyOf(this.current?.url)) {
      const image = this.#wanted;
      const source = safeAddress(image.url);
      const element = h('img', { attrs: { alt: image.alt, draggable: 'false' } });
      element.decoding = 'async';
      try {
        if (source === null) throw new TypeError('not an http address');
        element.src = source;
        await element.decode();
      } catch {
        if (keyOf(this.#wanted?.url) !== keyOf(image.url)) continue;
        this.#fail(image);
        break;
      }
      // Once removed from the page nothing is wanted any more.
      if (this.#wanted === null) break;
      this.#show(element, image);
    }
    this.#loading = false;
  }

  /** @param {Image} image */
  #fail(image) {
    // What was good before stays; only an empty box says that there is nothing.
    if (this.current) return;
    this.note.textContent = `${image.name || 'The picture'} could not be loaded`;
    this.note.hidden = false;
  }

  /**
   * @param {HTMLImageElement} element
   * @param {Image} image
   */
  #show(element, image) {
    if (!image.width || !image.height) this.#reserve(element.naturalWidth, element.naturalHeight);
    const old = [...this.frames.children];
    // What is held plays at full size, until it is closed there.
    const held = isHeld(image);
    const fresh = held ? firstFrame(element) : element;
    this.element.classList.toggle('still', held);
    fresh.classList.add('entering');
    this.frames.append(fresh);
    this.note.hidden = true;
    this.current = image;
    const settle = () => {
      for (const frame of old) frame.remove();
      fresh.classList.remove('entering');
    };
    const [animation] = fresh.getAnimations();
    if (animation) animation.finished.then(settle, settle);
    else settle();
    this.dispatchEvent(new Event('change'));
  }
}

/**
 * A canvas is given the first frame of what moves, and keeps it.
 * @param {HTMLImageElement} image loaded
 */
function firstFrame(image) {
  const canvas = h('canvas', { attrs: { width: image.naturalWidth, height: image.naturalHeight } });
  canvas.getContext('2d')?.drawImage(image, 0, 0);
  return canvas;
}

/** @param {{ content_type?: string | null, filename?: string, url?: string }} file */
export function isPicture(file) {
  if (file.content_type) return file.content_type.startsWith('image/');
  return /\.(png|jpe?g|webp|gif|avif)$/i.test(
    file.filename ?? (file.url ?? '').split('?')[0] ?? '',
  );
}

/**
 * A card for a file that is no picture.
 * @param {{ name: string, url: string, size: string }} file
 */
export function fileCard(file) {
  const href = safeAddress(file.url);
  return h(
    'div',
    { class: 'file' },
    icon('file'),
    h('span', { class: 'file-name', text: file.name }),
    h('span', { class: 'file-size', text: file.size }),
    href
      ? h(
          'a',
          {
            class: 'icon-button',
            attrs: { href, download: file.name, 'aria-label': `Download ${file.name}` },
          },
          icon('download'),
        )
      : null,
  );
}
