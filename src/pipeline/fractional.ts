// Older exports take the timestep as a whole number, but Euler, Heun, LMS and others with Karras
// sigmas or few steps stand between two of them. The UNet itself casts it to a float first thing, so
// such a graph computes what diffusers does once its input is declared as one.
// Field numbers are those of the ONNX repository's onnx/onnx.proto.

import { type Field, fields, fieldsByNumber, text } from './protobuf.js';

/** TensorProto.DataType */
const FLOAT = 1;
const WHOLE = new Set([6n, 7n]); // int32, int64
/** operators that hand their first input on in its own type */
const HANDING_ON = new Set(['Expand', 'Flatten', 'Identity', 'Reshape', 'Squeeze', 'Unsqueeze']);
/** operators after which the type of their input no longer counts */
const ENDING = new Set(['Cast', 'Shape']);

/**
 * Declares the input `timestep` of an ONNX model as float32, in place.
 * @returns false, with nothing changed, where the graph computes with it before it is cast
 * @throws NotProtobuf
 */
export function takeFractions(model: Uint8Array): boolean {
  const graph = fieldsByNumber(model).get(7)?.[0]?.bytes;
  if (graph === undefined) return false;
  const carriers = new Set(['timestep']);
  const declared: Field[] = [];
  for (const field of fields(graph)) {
    if (field.number === 11 || field.number === 13) declared.push(field);
    if (field.number !== 1) continue;
    const node = fieldsByNumber(field.bytes);
    const [inputs, outputs] = [1, 2].map((number) => (node.get(number) ?? []).map(text));
    if (!inputs!.some((name) => carriers.has(name))) continue;
    const operator = text(node.get(4)?.[0]);
    if (ENDING.has(operator)) continue;
    const handsOn = HANDING_ON.has(operator) && carriers.has(inputs![0]!);
    if (!handsOn || inputs!.slice(1).some((name) => carriers.has(name))) return false;
    for (const name of outputs!) carriers.add(name);
  }
  let changed = false;
  for (const { bytes } of declared) {
    // ValueInfoProto: name 1, type 2 { tensor_type 1 { elem_type 1 } }
    const value = fieldsByNumber(bytes);
    if (!carriers.has(text(value.get(1)?.[0]))) continue;
    const type = fieldsByNumber(value.get(2)?.[0]?.bytes ?? new Uint8Array());
    const tensor = fieldsByNumber(type.get(1)?.[0]?.bytes ?? new Uint8Array());
    const element = tensor.get(1)?.[0];
    if (element === undefined || !WHOLE.has(element.value)) continue;
    element.raw[element.raw.length - 1] = FLOAT; // a view into the model
    changed = true;
  }
  return changed;
}
