// @ts-check
// What the browser remembers for this page. Where it may not remember anything the page works all the
// same, only forgetfully.

/**
 * @param {string} name
 * @returns {string | null}
 */
export function recall(name) {
  try {
    return localStorage.getItem(`ylem.${name}`);
  } catch {
    return null;
  }
}

/**
 * @param {string} name
 * @param {string} value
 */
export function keep(name, value) {
  try {
    localStorage.setItem(`ylem.${name}`, value);
  } catch {
    // Private windows and full disks.
  }
}
