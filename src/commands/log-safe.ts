// Errors as they may stand in a log: what people wrote does not.

/** An error fit for the log: its name, message, code and stack, without the request's body. */
export function withoutRequest(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { name, message, stack } = error;
  const safe = { message, stack, ...('code' in error ? { code: error.code } : {}) };
  // Of what has no constructor the log tells the name as its type.
  return Object.defineProperty(Object.assign(Object.create(null), safe), 'name', { value: name });
}
