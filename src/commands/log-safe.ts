// Errors as they may stand in a log: what people wrote does not.

/** An error fit for the log: its name, message, code and stack, without the request's body. */
export function withoutRequest(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { name, message, stack } = error;
  return { type: name, message, stack, ...('code' in error ? { code: error.code } : {}) };
}
