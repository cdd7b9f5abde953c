// Errors in Discord's shape: a status, a code and, for bad bodies, where in the body each fault is.

type Path = readonly (string | number)[];

/** Ends a REST call; `toJSON` is the body of the answer. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: number;
  readonly errors: unknown;

  constructor(status: number, code: number, message: string, errors?: unknown) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
    this.code = code;
    this.errors = errors;
  }

  toJSON(): object {
    return {
      message: this.message,
      code: this.code,
      ...(this.errors === undefined ? {} : { errors: this.errors }),
    };
  }
}

export const unauthorized = () => new ApiError(401, 0, '401: Unauthorized');
export const notFound = () => new ApiError(404, 0, '404: Not Found');
export const methodNotAllowed = () => new ApiError(405, 0, '405: Method Not Allowed');
export const missingAccess = () => new ApiError(403, 50001, 'Missing Access');
export const unknownChannel = () => new ApiError(404, 10003, 'Unknown Channel');
export const unknownGuild = () => new ApiError(404, 10004, 'Unknown Guild');
export const unknownMember = () => new ApiError(404, 10007, 'Unknown Member');
export const unknownMessage = () => new ApiError(404, 10008, 'Unknown Message');
export const unknownUser = () => new ApiError(404, 10013, 'Unknown User');
export const unknownWebhook = () => new ApiError(404, 10015, 'Unknown Webhook');
export const unknownInteraction = () => new ApiError(404, 10062, 'Unknown interaction');
export const unknownCommand = () => new ApiError(404, 10063, 'Unknown application command');
export const tooLarge = () => new ApiError(413, 40005, 'Request entity too large');
export const alreadyAcknowledged = () =>
  new ApiError(400, 40060, 'Interaction has already been acknowledged.');
export const cannotEditOthers = () =>
  new ApiError(403, 50005, 'Cannot edit a message authored by another user');
export const emptyMessage = () => new ApiError(400, 50006, 'Cannot send an empty message');
export const invalidWebhookToken = () => new ApiError(401, 50027, 'Invalid Webhook Token');
export const malformedJson = () =>
  new ApiError(400, 50109, 'The request body contains invalid JSON.');

/** Collects what is wrong with a body and throws it all at once, as Discord does. */
export class Problems {
  readonly #tree: Record<string, unknown> = {};
  #count = 0;

  add(path: Path, code: string, message: string): void {
    let node = this.#tree;
    for (const key of path) {
      node[key] ??= {};
      node = node[key] as Record<string, unknown>;
    }
    node._errors ??= [];
    (node._errors as object[]).push({ code, message });
    this.#count += 1;
  }

  required(path: Path): void {
    this.add(path, 'BASE_TYPE_REQUIRED', 'This field is required');
  }

  /** @throws ApiError 400, code 50035 */
  check(): void {
    if (this.#count > 0) throw new ApiError(400, 50035, 'Invalid Form Body', this.#tree);
  }

  /** A text of `min` to `max` characters; undefined and null pass unless `min` is given above 0. */
  text(value: unknown, path: Path, max: number, min = 0): value is string {
    if (value === undefined || value === null) {
      if (min > 0) this.required(path);
      return false;
    }
    if (typeof value !== 'string') {
      this.add(path, 'STRING_TYPE_CONVERT', `Could not interpret "${String(value)}" as string.`);
      return false;
    }
    const length = [...value].length;
    if (length < min) {
      if (length === 0) this.required(path);
      else this.add(path, 'BASE_TYPE_MIN_LENGTH', `Must be ${min} or more in length.`);
      return false;
    }
    if (length > max) {
      this.add(path, 'BASE_TYPE_MAX_LENGTH', `Must be ${max} or fewer in length.`);
      return false;
    }
    return true;
  }

  /** A list of `min` to `max` entries; undefined and null pass as an empty one unless `min` > 0. */
  list(value: unknown, path: Path, max: number, min = 0): readonly unknown[] {
    if (value === undefined || value === null) {
      if (min > 0) this.required(path);
      return [];
    }
    if (!Array.isArray(value)) {
      this.add(path, 'LIST_TYPE_CONVERT', 'Only iterables may be used in a ListType.');
      return [];
    }
    if (value.length < min || value.length > max) {
      this.add(path, 'BASE_TYPE_BAD_LENGTH', `Must be between ${min} and ${max} in length.`);
    }
    return value;
  }

  /** A whole number in a range; undefined passes. */
  integer(value: unknown, path: Path, min: number, max: number): value is number {
    if (value === undefined || value === null) return false;
    if (typeof value !== 'number' || !Number.isInteger(value)) {
      this.add(path, 'NUMBER_TYPE_COERCE', `Value "${String(value)}" is not int.`);
      return false;
    }
    if (value < min) {
      this.add(path, 'NUMBER_TYPE_MIN', `int value should be greater than or equal to ${min}.`);
      return false;
    }
    if (value > max) {
      this.add(path, 'NUMBER_TYPE_MAX', `int value should be less than or equal to ${max}.`);
      return false;
    }
    return true;
  }

  choice(value: unknown, path: Path): void {
    this.add(
      path,
      'BASE_TYPE_CHOICES',
      `Value ${JSON.stringify(value)} must be one of those allowed.`,
    );
  }

  /** An object, or undefined after noting that it is none. */
  object(value: unknown, path: Path): JsonObject | undefined {
    if (isObject(value)) return value;
    this.add(path, 'MODEL_TYPE_CONVERT', 'Only dictionaries may be used in a ModelType.');
    return undefined;
  }
}

export type JsonObject = Record<string, unknown>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
