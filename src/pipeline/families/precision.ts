// More exact ways to run a graph whose half precision gave no numbers: single precision on the same
// provider where it can, else on the CPU.

import { join } from 'node:path';
import { type Graph, openBytes, openGraph, type SessionOptions } from '../session.js';
import { upcast } from '../upcast.js';
import { type FamilySource, sessionOf } from './family.js';

/** Opens the graph in one way; undefined where it has no halves, or the provider cannot run it so. */
export type ExactWay = () => Promise<Graph | undefined>;

/** The ways for a part of the directory such as 'vae_decoder', the quicker first. */
export function exactWays(source: FamilySource, part: string): ExactWay[] {
  const path = join(source.root, part, 'model.onnx');
  const session = sessionOf(source, part);
  const cpu = { ...session, provider: 'cpu' };
  const single = async (options: SessionOptions) => {
    const bytes = await upcast(path).catch(() => undefined); // too large for one file, say
    return bytes && opened(openBytes(bytes, options, `${part}/model.onnx`));
  };
  const opened = async (opening: Promise<Graph>) => {
    const graph = await opening.catch(() => undefined);
    if (graph !== undefined) source.opened.push(graph);
    return graph;
  };
  return [
    () => single(session),
    ...(session.provider === 'cpu'
      ? []
      : [() => single(cpu), () => opened(openGraph(source.root, path, cpu))]),
  ];
}

/** Releases a graph now, and so not with the model once more. */
export async function closeEarly(source: FamilySource, graph: Graph): Promise<void> {
  const at = source.opened.indexOf(graph);
  if (at >= 0) source.opened.splice(at, 1);
  await graph.release();
}
