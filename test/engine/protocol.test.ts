// Errors of the engine process as the bot gets them over the channel between the two.

import { deserialize, serialize } from 'node:v8';
import { describe, expect, it } from 'vitest';
import { EngineFault, fromWire, toWire } from '../../src/engine/protocol.js';
import { UserError } from '../../src/errors.js';

/** What the IPC channel does to a message. */
function travel<T>(value: T): T {
  return deserialize(serialize(value)) as T;
}

describe('errors on their way between the processes', () => {
  it('keeps what a user can mend a UserError, with identifier, sentence and context', () => {
    const error = fromWire(travel(toWire(new UserError('bad-size', 'Too large.', { max: 512 }))));
    expect(error).toBeInstanceOf(UserError);
    expect(error).toMatchObject({
      identifier: 'bad-size',
      message: 'Too large.',
      context: { max: 512 },
    });
  });

  it('keeps a bug a bug, with its name and the stack of where it happened', () => {
    const bug = new TypeError('x is not a function');
    const error = fromWire(travel(toWire(bug)));
    expect(error).toBeInstanceOf(EngineFault);
    expect(error).not.toBeInstanceOf(UserError);
    expect(error.name).toBe('TypeError');
    expect(error.stack).toBe(bug.stack);
  });

  it('carries what is thrown without being an error', () => {
    expect(fromWire(travel(toWire('out of cheese'))).message).toBe('out of cheese');
  });
});
