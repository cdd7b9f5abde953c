// @ts-check
// The keyboard's way through the messages: from one to its neighbours with the arrow keys, to the
// controls of one with Tab, and back to the command box with Escape or below the newest.

/**
 * @param {HTMLElement} list of messages, oldest first
 * @param {() => void} leave gives the focus back to the command box
 * @returns {() => void} gives the focus to the newest message; where there is none it stays
 */
export function messageKeys(list, leave) {
  /** @param {Element | null} message */
  const focus = (message) => {
    if (!(message instanceof HTMLElement)) return;
    // Browsers do not count a key pressed with Alt as a reason to show where the focus is.
    message.classList.add('reached');
    message.addEventListener('blur', () => message.classList.remove('reached'), { once: true });
    message.focus();
  };
  list.addEventListener('keydown', (event) => {
    const { key, target } = event;
    if (event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey) return;
    // Arrow keys at the controls of a message are theirs, or scroll.
    const message = target instanceof Element && target.parentElement === list ? target : null;
    if (key === 'Escape' || (key === 'ArrowDown' && message === list.lastElementChild)) leave();
    else if (key === 'ArrowDown' && message) focus(message.nextElementSibling);
    else if (key === 'ArrowUp' && message) focus(message.previousElementSibling);
    else return;
    event.preventDefault();
  });
  return () => focus(list.lastElementChild);
}
