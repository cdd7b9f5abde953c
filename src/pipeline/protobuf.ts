// Protocol buffers on the wire, as far as ONNX files need them: fields of a message in memory, and
// messages put together from fields. (protobuf.dev, "Encoding".)

/** Thrown for bytes that are no message; `message` continues 'the file ...'. */
export class NotProtobuf extends Error {}

export interface Field {
  readonly number: number;
  /** 0 varint, 1 eight bytes, 2 bytes, 5 four bytes */
  readonly wire: number;
  /** of a varint, as signed 64 bits; 0n for all others */
  readonly value: bigint;
  /** the bytes of wire types 1, 2 and 5; empty for a varint */
  readonly bytes: Uint8Array;
  /** the whole field, as it stands in the message */
  readonly raw: Uint8Array;
}

const NOTHING = new Uint8Array();

/** Views into `message`, nothing is copied. @throws NotProtobuf */
export function* fields(message: Uint8Array): Generator<Field> {
  let at = 0;
  const varint = (): bigint => {
    let result = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = message[at++];
      if (byte === undefined) throw new NotProtobuf('is cut off');
      result |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asIntN(64, result);
    }
    throw new NotProtobuf('is no ONNX graph');
  };
  while (at < message.length) {
    const from = at;
    const tag = Number(varint());
    const wire = tag & 7;
    let value = 0n;
    let bytes: Uint8Array = NOTHING;
    if (wire === 0) value = varint();
    else {
      const length = wire === 2 ? Number(varint()) : wire === 1 ? 8 : wire === 5 ? 4 : -1;
      if (length < 0) throw new NotProtobuf('is no ONNX graph');
      if (at + length > message.length) throw new NotProtobuf('is cut off');
      bytes = message.subarray(at, at + length);
      at += length;
    }
    yield { number: tag >>> 3, wire, value, bytes, raw: message.subarray(from, at) };
  }
}

/** All fields by their number, in their order. @throws NotProtobuf */
export function fieldsByNumber(message: Uint8Array): Map<number, Field[]> {
  const found = new Map<number, Field[]>();
  for (const field of fields(message)) {
    const list = found.get(field.number);
    if (list === undefined) found.set(field.number, [field]);
    else list.push(field);
  }
  return found;
}

export const text = (field: Field | undefined): string =>
  field === undefined ? '' : Buffer.from(field.bytes).toString('utf8');

function varint(value: number | bigint): Uint8Array {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  while (rest > 0x7fn) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return Uint8Array.from(bytes);
}

/** A field of wire type 0. */
export function whole(number: number, value: number | bigint): Uint8Array {
  return Buffer.concat([varint(number << 3), varint(value)]);
}

/** A field of wire type 2, in parts: large ones are put together once, at the end. */
export function message(number: number, parts: readonly Uint8Array[]): Uint8Array[] {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return [varint((number << 3) | 2), varint(length), ...parts];
}
