// @ts-check
// Light or dark: as the system has it until the user says otherwise.
import { icon } from './dom.js';
import { keep, recall } from './keep.js';

/** @param {HTMLButtonElement} button */
export function themeButton(button) {
  const system = matchMedia('(prefers-color-scheme: dark)');
  const stored = recall('theme');
  /** @type {'light' | 'dark' | null} */
  let chosen = stored === 'light' || stored === 'dark' ? stored : null;
  const apply = () => {
    const dark = (chosen ?? (system.matches ? 'dark' : 'light')) === 'dark';
    document.documentElement.dataset.theme = dark ? 'dark' : 'light';
    button.replaceChildren(icon(dark ? 'sun' : 'moon'));
    const label = dark ? 'Light colours' : 'Dark colours';
    button.setAttribute('aria-label', label);
    button.title = label;
  };
  button.addEventListener('click', () => {
    chosen = document.documentElement.dataset.theme === 'dark' ? 'light' : 'dark';
    keep('theme', chosen);
    apply();
  });
  system.addEventListener('change', apply);
  apply();
}
