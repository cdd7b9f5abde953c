// @ts-check
// One embed of a message.
import { h, link, whenChanged } from './dom.js';
import { Picture } from './picture.js';
import { markdown, messageTime } from './text.js';

/** @typedef {import('./types.js').Embed} Embed */
/** @typedef {import('./types.js').Surroundings} Surroundings */

/** @param {number | null | undefined} color red in the highest byte */
export function cssColor(color) {
  return color === null || color === undefined ? '' : `#${color.toString(16).padStart(6, '0')}`;
}

/**
 * A view of a picture that may be absent.
 * @param {string} place class of its place
 * @param {Surroundings} around
 */
function optionalPicture(place, around) {
  const slot = h('div', { class: place, attrs: { hidden: true } });
  /** @type {Picture | null} */
  let picture = null;
  return {
    slot,
    /**
     * @param {import('./types.js').Media | undefined} media
     * @param {string} alt
     */
    update(media, alt) {
      slot.hidden = !media?.url;
      if (!media?.url) {
        picture?.dispose();
        picture?.element.remove();
        picture = null;
        return;
      }
      if (!picture) {
        picture = new Picture(around.enlarge);
        slot.append(picture.element);
      }
      picture.update({
        url: media.url,
        name: fileName(media.url),
        alt,
        width: media.width ?? null,
        height: media.height ?? null,
        spoiler: false,
      });
    },
    dispose: () => picture?.dispose(),
  };
}

/** The last part of an address, as a file name. @param {string} address */
export function fileName(address) {
  const last = address.split(/[?#]/)[0]?.split('/').at(-1) ?? '';
  try {
    return decodeURIComponent(last) || 'picture';
  } catch {
    return last || 'picture';
  }
}

/**
 * @param {Surroundings} around
 * @returns {import('./dom.js').View<Embed>}
 */
export function embedView(around) {
  const author = h('p', { class: 'embed-author' });
  const title = h('p', { class: 'embed-title' });
  const description = h('div', { class: 'embed-description' });
  const fields = h('dl', { class: 'embed-fields' });
  const footer = h('p', { class: 'embed-footer' });
  const image = optionalPicture('embed-image', around);
  const thumbnail = optionalPicture('embed-thumbnail', around);
  const element = h(
    'section',
    { class: 'embed' },
    h('div', { class: 'embed-text' }, author, title, description, fields),
    thumbnail.slot,
    image.slot,
    footer,
  );
  const words = whenChanged((/** @type {Embed} */ embed) => {
    author.replaceChildren();
    if (embed.author)
      author.append(
        embed.author.url ? link(embed.author.url, {}, embed.author.name) : embed.author.name,
      );
    author.hidden = !embed.author;
    title.replaceChildren();
    if (embed.title) {
      const text = markdown(embed.title, around);
      if (embed.url) {
        const anchor = link(embed.url, {});
        // A link in a link would fall out of it.
        for (const inner of text.querySelectorAll('a')) inner.replaceWith(...inner.childNodes);
        anchor.append(text);
        title.append(anchor);
      } else title.append(text);
    }
    title.hidden = !embed.title;
    description.replaceChildren(markdown(embed.description ?? '', around));
    description.hidden = !embed.description;
    fields.replaceChildren(
      ...(embed.fields ?? []).map((field) => {
        const value = h('dd');
        value.append(markdown(field.value, around));
        const name = h('dt');
        name.append(markdown(field.name, around));
        return h('div', { class: field.inline ? 'field inline' : 'field' }, name, value);
      }),
    );
    fields.hidden = !embed.fields?.length;
    footer.replaceChildren();
    if (embed.footer?.text) footer.append(embed.footer.text);
    if (embed.footer?.text && embed.timestamp) footer.append(' · ');
    if (embed.timestamp) footer.append(messageTime(embed.timestamp));
    footer.hidden = footer.childNodes.length === 0;
  });
  return {
    kind: 'embed',
    element,
    update(embed) {
      element.style.setProperty('--stripe', cssColor(embed.color) || 'var(--line-strong)');
      const { image: _image, thumbnail: _thumbnail, ...rest } = embed;
      words(rest);
      const alt = embed.title ?? embed.description ?? '';
      image.update(embed.image, alt);
      thumbnail.update(embed.thumbnail, alt);
    },
    dispose() {
      image.dispose();
      thumbnail.dispose();
    },
  };
}
