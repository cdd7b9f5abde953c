// An fp16 graph as an fp32 one: every half in it, and every cast to halves, made a single. What
// overflows in half precision (65504 and above) has room in the result.
// Field numbers are those of the ONNX repository's onnx/onnx.proto.

import { readFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { fromHalf } from './fp16.js';
import { type Field, fields, fieldsByNumber, message, text, whole } from './protobuf.js';
import { weightFile } from './weights.js';

/** TensorProto.DataType */
const FLOAT = 1;
const FLOAT16 = 10;
/** Attributes that name a type of output: those of Cast, and of nodes that make values. */
const TYPE_ATTRIBUTES = new Set(['to', 'dtype']);
/** TensorProto.raw_data and .data_location */
const RAW_DATA = 9;
/** The fields of a tensor that hold values or say where they lie. */
const VALUES = new Set([4, 5, 7, RAW_DATA, 10, 11, 13, 14]);

type Parts = Uint8Array[];
interface Context {
  /** the bytes of a tensor that lie in a file beside the graph */
  read(location: string, offset: number, length: number | undefined): Uint8Array;
  /** whether there was a half so far */
  halves: boolean;
}

/**
 * The graph of a file in single precision, with its weights inside: at most 2 GB in all, as much as
 * a message may have.
 * @returns undefined where there are no halves in it
 * @throws NotProtobuf; UserError for weights that are missing or outside; whatever reading the files throws
 */
export async function upcast(path: string): Promise<Uint8Array | undefined> {
  const model = await readFile(path);
  const files = new Map<string, Uint8Array>();
  for (const location of locations(model)) {
    const file = await weightFile(dirname(path), basename(path), location);
    files.set(location, await readFile(file.path));
  }
  const context: Context = {
    halves: false,
    read(location, offset, length) {
      const file = files.get(location) ?? new Uint8Array();
      return file.subarray(offset, length === undefined ? undefined : offset + length);
    },
  };
  const parts = rewrite(model, (field) => {
    if (field.number === 7) return message(7, graph(field.bytes, context));
    if (field.number === 25) return message(25, functionBody(field.bytes, context));
    return undefined;
  });
  return context.halves ? Buffer.concat(parts) : undefined;
}

/** The files that the graph's weights lie in. */
function locations(model: Uint8Array): Set<string> {
  const found = new Set<string>();
  for (const { bytes } of fieldsByNumber(model).get(7) ?? []) {
    for (const { bytes: tensor } of fieldsByNumber(bytes).get(5) ?? []) {
      const { location } = externalData(tensor);
      if (location !== undefined) found.add(location);
    }
  }
  return found;
}

/** A message with the fields that `change` has something for replaced by that. */
function rewrite(bytes: Uint8Array, change: (field: Field) => Parts | undefined): Parts {
  const parts: Parts = [];
  for (const field of fields(bytes)) parts.push(...(change(field) ?? [field.raw]));
  return parts;
}

/** GraphProto: nodes 1, weights 5, inputs 11, outputs 12, values between 13 */
function graph(bytes: Uint8Array, context: Context): Parts {
  return rewrite(bytes, (field) => {
    switch (field.number) {
      case 1:
        return message(1, node(field.bytes, context));
      case 5:
        return message(5, tensor(field.bytes, context));
      case 11:
      case 12:
      case 13:
        return message(
          field.number,
          nested(field.bytes, [2], (type) => typeProto(type, context)),
        );
      default:
        return undefined;
    }
  });
}

/** FunctionProto: nodes 7 */
function functionBody(bytes: Uint8Array, context: Context): Parts {
  return nested(bytes, [7], (body) => node(body, context));
}

/** NodeProto: attributes 5 */
function node(bytes: Uint8Array, context: Context): Parts {
  return nested(bytes, [5], (body) => attribute(body, context));
}

/** AttributeProto: name 1, i 3, t 5, g 6, tensors 10, graphs 11 */
function attribute(bytes: Uint8Array, context: Context): Parts {
  const namesType = TYPE_ATTRIBUTES.has(text(fieldsByNumber(bytes).get(1)?.[0]));
  return rewrite(bytes, (field) => {
    switch (field.number) {
      case 3:
        return namesType ? single(3, field.value, context) : undefined;
      case 5:
      case 10:
        return message(field.number, tensor(field.bytes, context));
      case 6:
      case 11:
        return message(field.number, graph(field.bytes, context));
      default:
        return undefined;
    }
  });
}

/** TypeProto: tensor_type 1 { elem_type 1 }, sequence_type 4 { 1 }, optional_type 9 { 1 } */
function typeProto(bytes: Uint8Array, context: Context): Parts {
  return rewrite(bytes, (field) => {
    switch (field.number) {
      case 1:
        return message(
          1,
          rewrite(field.bytes, ({ number, value }) =>
            number === 1 ? single(1, value, context) : undefined,
          ),
        );
      case 4:
      case 9:
        return message(
          field.number,
          nested(field.bytes, [1], (type) => typeProto(type, context)),
        );
      default:
        return undefined;
    }
  });
}

/** A data type, made single if it is half. */
function single(number: number, type: bigint, context: Context): Parts | undefined {
  if (type !== BigInt(FLOAT16)) return undefined;
  context.halves = true;
  return [whole(number, FLOAT)];
}

function nested(
  bytes: Uint8Array,
  numbers: readonly number[],
  change: (body: Uint8Array) => Parts,
): Parts {
  return rewrite(bytes, ({ number, wire, bytes: body }) =>
    wire === 2 && numbers.includes(number) ? message(number, change(body)) : undefined,
  );
}

/** TensorProto with its values inside: type 2, int32_data 5, raw_data 9, external_data 13 */
function tensor(bytes: Uint8Array, context: Context): Parts {
  const known = fieldsByNumber(bytes);
  const { location, offset, length } = externalData(bytes);
  const half = known.get(2)?.[0]?.value === BigInt(FLOAT16);
  if (!half && location === undefined) return [bytes];
  const raw =
    location === undefined
      ? known.get(RAW_DATA)?.[0]?.bytes
      : context.read(location, offset, length);
  const values = half ? singles(raw, known.get(5)) : raw;
  const rest = rewrite(bytes, ({ number, value }) => {
    if (VALUES.has(number)) return [];
    return number === 2 ? single(2, value, context) : undefined;
  });
  return [...rest, ...message(RAW_DATA, [values ?? new Uint8Array()])];
}

/** Halves lie in raw_data, or one in each number of int32_data. */
function singles(raw: Uint8Array | undefined, int32: readonly Field[] | undefined): Uint8Array {
  const bits =
    raw === undefined
      ? Uint16Array.from((int32 ?? []).flatMap(packed))
      : new Uint16Array(Uint8Array.from(raw).buffer, 0, raw.length >> 1);
  return new Uint8Array(fromHalf(bits).buffer);
}

/** A repeated number: in one field for all (packed), or in a field for each. */
function packed(field: Field): number[] {
  if (field.wire === 0) return [Number(field.value)];
  const values: number[] = [];
  let [value, scale] = [0, 1];
  for (const byte of field.bytes) {
    value += (byte & 0x7f) * scale;
    scale *= 128;
    if (byte < 0x80) {
      values.push(value);
      [value, scale] = [0, 1];
    }
  }
  return values;
}

/** StringStringEntryProto: key 1, value 2 */
function externalData(bytes: Uint8Array) {
  const entries = new Map<string, string>();
  for (const field of fields(bytes)) {
    if (field.number !== 13) continue;
    const pair = fieldsByNumber(field.bytes);
    entries.set(text(pair.get(1)?.[0]), text(pair.get(2)?.[0]));
  }
  const length = entries.get('length');
  return {
    location: entries.get('location'),
    offset: Number(entries.get('offset') ?? 0),
    length: length === undefined ? undefined : Number(length),
  };
}
