// Checks the components of messages and modals as Discord does: which may stand where, how many,
// how long. Gives each a number (`id`), as Discord does.

import { isObject, type JsonObject, type Problems } from './errors.js';

type Path = readonly (string | number)[];

const Kind = {
  ActionRow: 1,
  Button: 2,
  StringSelect: 3,
  TextInput: 4,
  UserSelect: 5,
  RoleSelect: 6,
  MentionableSelect: 7,
  ChannelSelect: 8,
  Section: 9,
  TextDisplay: 10,
  Thumbnail: 11,
  MediaGallery: 12,
  File: 13,
  Separator: 14,
  Container: 17,
  Label: 18,
  FileUpload: 19,
  RadioGroup: 21,
  CheckboxGroup: 22,
  Checkbox: 23,
} as const;

const SELECTS: readonly unknown[] = [3, 5, 6, 7, 8];
const IN_CONTAINER: readonly unknown[] = [1, 9, 10, 12, 13, 14];
const TOP_V2: readonly unknown[] = [...IN_CONTAINER, Kind.Container];
const IN_LABEL: readonly unknown[] = [...SELECTS, Kind.TextInput, 19, 21, 22, 23];

/** Components in a V2 message, nested ones counted. */
const V2_COUNT = 40;
/** Characters of all texts in a V2 message. */
const V2_TEXT = 4000;

interface Walk {
  readonly problems: Problems;
  readonly v2: boolean;
  readonly files: ReadonlySet<string>;
  readonly ids: Map<string, Path>;
  readonly numbers: Set<number>;
  /** true inside a modal */
  readonly modal: boolean;
  count: number;
  text: number;
}

/**
 * Checks a message's components.
 * @param files names that `attachment://` may point to
 * @returns the components with their numbers
 */
export function checkComponents(
  value: unknown,
  problems: Problems,
  options: { readonly v2: boolean; readonly files: ReadonlySet<string> },
): JsonObject[] {
  const walk: Walk = {
    problems,
    ...options,
    ids: new Map(),
    numbers: new Set(),
    modal: false,
    count: 0,
    text: 0,
  };
  const path = ['components'];
  const list = problems.list(value, path, options.v2 ? V2_COUNT : 5);
  list.forEach((one, index) => {
    visit(one, [...path, index], options.v2 ? TOP_V2 : [Kind.ActionRow], walk);
  });
  if (walk.count > V2_COUNT) {
    problems.add(
      path,
      'COMPONENT_MAX_TOTAL_COMPONENTS_EXCEEDED',
      `Total number of components cannot exceed ${V2_COUNT}`,
    );
  }
  if (walk.text > V2_TEXT) {
    problems.add(
      path,
      'COMPONENT_DISPLAYABLE_TEXT_SIZE_EXCEEDED',
      `The size of the displayable text exceeds the maximum of ${V2_TEXT}`,
    );
  }
  return number(list);
}

/** Checks a modal's data (title, custom id, rows or labels). */
export function checkModal(data: JsonObject, problems: Problems): JsonObject {
  problems.text(data.title, ['data', 'title'], 45, 1);
  problems.text(data.custom_id, ['data', 'custom_id'], 100, 1);
  const path = ['data', 'components'];
  const walk: Walk = {
    problems,
    v2: true,
    files: new Set(),
    ids: new Map(),
    numbers: new Set(),
    modal: true,
    count: 0,
    text: 0,
  };
  const list = problems.list(data.components, path, 5, 1);
  list.forEach((one, index) => {
    visit(one, [...path, index], [Kind.ActionRow, Kind.Label, Kind.TextDisplay], walk);
  });
  return { custom_id: data.custom_id, title: data.title, components: number(list) };
}

function number(list: readonly unknown[]): JsonObject[] {
  let next = 1;
  const visitOne = (one: unknown): unknown => {
    if (!isObject(one)) return one;
    const copy: JsonObject = { ...one };
    copy.id = typeof one.id === 'number' && one.id > 0 ? one.id : next;
    next += 1;
    if (Array.isArray(one.components)) copy.components = one.components.map(visitOne);
    if (isObject(one.component)) copy.component = visitOne(one.component);
    if (isObject(one.accessory)) copy.accessory = visitOne(one.accessory);
    return copy;
  };
  return list.map(visitOne) as JsonObject[];
}

function visit(value: unknown, path: Path, allowed: readonly unknown[], walk: Walk): void {
  const { problems } = walk;
  const one = problems.object(value, path);
  if (!one) return;
  walk.count += 1;
  if (!allowed.includes(one.type)) {
    problems.choice(one.type, [...path, 'type']);
    return;
  }
  if (
    one.id !== undefined &&
    problems.integer(one.id, [...path, 'id'], 0, 2 ** 31 - 1) &&
    one.id > 0
  ) {
    if (walk.numbers.has(one.id)) {
      problems.add([...path, 'id'], 'COMPONENT_ID_DUPLICATED', 'Component ids must be unique');
    }
    walk.numbers.add(one.id);
  }
  switch (one.type) {
    case Kind.ActionRow:
      row(one, path, walk);
      return;
    case Kind.Button:
      button(one, path, walk);
      return;
    case Kind.TextInput:
      textInput(one, path, walk);
      return;
    case Kind.Section: {
      const list = problems.list(one.components, [...path, 'components'], 3, 1);
      list.forEach((child, index) => {
        visit(child, [...path, 'components', index], [Kind.TextDisplay], walk);
      });
      visit(one.accessory, [...path, 'accessory'], [Kind.Button, Kind.Thumbnail], walk);
      return;
    }
    case Kind.TextDisplay:
      if (problems.text(one.content, [...path, 'content'], V2_TEXT, 1))
        walk.text += [...one.content].length;
      return;
    case Kind.Thumbnail:
      media(one.media, [...path, 'media'], walk);
      problems.text(one.description, [...path, 'description'], 1024);
      return;
    case Kind.MediaGallery: {
      const items = problems.list(one.items, [...path, 'items'], 10, 1);
      items.forEach((item, index) => {
        const at = [...path, 'items', index];
        const found = problems.object(item, at);
        if (!found) return;
        media(found.media, [...at, 'media'], walk);
        problems.text(found.description, [...at, 'description'], 1024);
      });
      return;
    }
    case Kind.File:
      media(one.file, [...path, 'file'], walk, true);
      return;
    case Kind.Separator:
      problems.integer(one.spacing, [...path, 'spacing'], 1, 2);
      return;
    case Kind.Container: {
      problems.integer(one.accent_color, [...path, 'accent_color'], 0, 0xffffff);
      const list = problems.list(one.components, [...path, 'components'], V2_COUNT, 1);
      list.forEach((child, index) => {
        visit(child, [...path, 'components', index], IN_CONTAINER, walk);
      });
      return;
    }
    case Kind.Label:
      problems.text(one.label, [...path, 'label'], 45, 1);
      problems.text(one.description, [...path, 'description'], 100);
      visit(one.component, [...path, 'component'], IN_LABEL, walk);
      return;
    case Kind.RadioGroup:
    case Kind.CheckboxGroup:
      customId(one, path, walk);
      options(one, path, walk, one.type === Kind.RadioGroup ? 2 : 1, 10);
      return;
    case Kind.FileUpload:
    case Kind.Checkbox:
      customId(one, path, walk);
      return;
    default:
      select(one, path, walk);
      return;
  }
}

function row(one: JsonObject, path: Path, walk: Walk): void {
  const children = walk.problems.list(one.components, [...path, 'components'], 5, 1);
  const first = children[0];
  const type = isObject(first) ? first.type : undefined;
  const only = walk.modal ? [Kind.TextInput] : type === Kind.Button ? [Kind.Button] : SELECTS;
  if (only !== SELECTS || children.length > 1) {
    const room = type === Kind.Button ? 5 : 1;
    if (children.length > room) {
      walk.problems.add(
        [...path, 'components'],
        'COMPONENT_LAYOUT_WIDTH_EXCEEDED',
        `The total width of components in this row cannot exceed ${room === 5 ? 5 : 1}`,
      );
    }
  }
  children.forEach((child, index) => {
    visit(
      child,
      [...path, 'components', index],
      type === Kind.Button || walk.modal ? only : [Kind.Button, ...SELECTS],
      walk,
    );
  });
}

function customId(one: JsonObject, path: Path, walk: Walk): void {
  const at = [...path, 'custom_id'];
  if (!walk.problems.text(one.custom_id, at, 100, 1)) return;
  if (walk.ids.has(one.custom_id)) {
    walk.problems.add(
      at,
      'COMPONENT_CUSTOM_ID_DUPLICATED',
      'Component custom id cannot be duplicated',
    );
  }
  walk.ids.set(one.custom_id, path);
}

function button(one: JsonObject, path: Path, walk: Walk): void {
  const { problems } = walk;
  if (!problems.integer(one.style, [...path, 'style'], 1, 6) && one.style === undefined) {
    problems.required([...path, 'style']);
  }
  problems.text(one.label, [...path, 'label'], 80);
  if (one.style === 5) {
    if (problems.text(one.url, [...path, 'url'], 512, 1)) address(one.url, [...path, 'url'], walk);
    if (one.custom_id !== undefined) {
      problems.add(
        [...path, 'custom_id'],
        'BUTTON_COMPONENT_CUSTOM_ID_URL_MUTUALLY_EXCLUSIVE',
        'A custom id and url cannot both be specified',
      );
    }
  } else if (one.style !== 6) {
    customId(one, path, walk);
    if (one.url !== undefined) {
      problems.add(
        [...path, 'url'],
        'BUTTON_COMPONENT_INVALID_URL',
        'Only link buttons have a url',
      );
    }
    if (!one.label && !one.emoji) {
      problems.add(
        path,
        'BUTTON_COMPONENT_LABEL_OR_EMOJI_REQUIRED',
        'A label or an emoji is required',
      );
    }
  }
}

function textInput(one: JsonObject, path: Path, walk: Walk): void {
  const { problems } = walk;
  customId(one, path, walk);
  if (!problems.integer(one.style, [...path, 'style'], 1, 2) && one.style === undefined) {
    problems.required([...path, 'style']);
  }
  problems.text(one.label, [...path, 'label'], 45);
  problems.text(one.placeholder, [...path, 'placeholder'], 100);
  problems.integer(one.min_length, [...path, 'min_length'], 0, 4000);
  problems.integer(one.max_length, [...path, 'max_length'], 1, 4000);
  const longest = typeof one.max_length === 'number' ? one.max_length : 4000;
  problems.text(one.value, [...path, 'value'], longest);
}

function select(one: JsonObject, path: Path, walk: Walk): void {
  const { problems } = walk;
  customId(one, path, walk);
  problems.text(one.placeholder, [...path, 'placeholder'], 150);
  problems.integer(one.min_values, [...path, 'min_values'], 0, 25);
  problems.integer(one.max_values, [...path, 'max_values'], 1, 25);
  if (one.type === Kind.StringSelect) options(one, path, walk, 1, 25);
}

function options(one: JsonObject, path: Path, walk: Walk, min: number, max: number): void {
  const { problems } = walk;
  const list = problems.list(one.options, [...path, 'options'], max, min);
  const values = new Set<unknown>();
  list.forEach((value, index) => {
    const at = [...path, 'options', index];
    const option = problems.object(value, at);
    if (!option) return;
    problems.text(option.label, [...at, 'label'], 100, 1);
    problems.text(option.value, [...at, 'value'], 100, 1);
    problems.text(option.description, [...at, 'description'], 100);
    if (values.has(option.value)) {
      problems.add(
        [...at, 'value'],
        'SELECT_COMPONENT_OPTION_VALUE_DUPLICATED',
        'The specified option value is already used',
      );
    }
    values.add(option.value);
  });
  const chosen = list.filter((option) => isObject(option) && option.default === true).length;
  const most =
    typeof one.max_values === 'number' ? one.max_values : one.type === Kind.CheckboxGroup ? 10 : 1;
  if (chosen > most) {
    problems.add(
      [...path, 'options'],
      'SELECT_COMPONENT_TOO_MANY_DEFAULT_VALUES',
      'Too many default values for this select',
    );
  }
}

/** An item of media: an http address or a file that comes with the message. */
export function media(
  value: unknown,
  path: Path,
  walk: Pick<Walk, 'problems' | 'files'>,
  onlyFile = false,
): void {
  const item = walk.problems.object(value, path);
  if (!item) return;
  const at = [...path, 'url'];
  if (!walk.problems.text(item.url, at, 2048, 1)) return;
  if (item.url.startsWith('attachment://')) {
    if (!walk.files.has(item.url.slice('attachment://'.length))) {
      walk.problems.add(
        at,
        'UNFURLED_MEDIA_ITEM_REFERENCED_ATTACHMENT_NOT_FOUND',
        'The referenced attachment was not found',
      );
    }
  } else if (onlyFile) {
    walk.problems.add(at, 'UNFURLED_MEDIA_ITEM_INVALID_URL', 'Only attachment:// is allowed here');
  } else address(item.url, at, walk);
}

export function address(value: string, path: Path, walk: Pick<Walk, 'problems'>): void {
  if (!/^(https?|discord):\/\/\S+$/i.test(value)) {
    walk.problems.add(path, 'URL_TYPE_INVALID_URL', 'Not a well formed URL.');
  }
}

/** All texts in a message's components, for mentions. */
export function displayedTexts(components: readonly JsonObject[]): string[] {
  return components.flatMap((one) => [
    ...(one.type === Kind.TextDisplay && typeof one.content === 'string' ? [one.content] : []),
    ...(Array.isArray(one.components) ? displayedTexts(one.components.filter(isObject)) : []),
  ]);
}

/** Every component, nested ones too, from the outside in. */
export function* everyComponent(components: readonly unknown[]): Generator<JsonObject> {
  for (const one of components) {
    if (!isObject(one)) continue;
    yield one;
    if (Array.isArray(one.components)) yield* everyComponent(one.components);
    if (isObject(one.component)) yield* everyComponent([one.component]);
    if (isObject(one.accessory)) yield* everyComponent([one.accessory]);
  }
}
