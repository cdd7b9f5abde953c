// The picture of a message that a command of its menu is meant for.

import type { Attachment, Message } from 'discord.js';
import { UserError } from '../../errors.js';
import { looksLikePicture } from '../attachments.js';

export function noPicture(): UserError {
  return new UserError('no-picture', 'This message has no picture that I could take.');
}

/** @throws UserError 'no-picture' */
export function firstPicture(message: Message): Attachment {
  const file = message.attachments.find(looksLikePicture);
  if (file === undefined) throw noPicture();
  return file;
}
