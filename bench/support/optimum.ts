// Optimum's ONNX Runtime pipelines, in a Python process that stays while pictures are asked for.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const CLASSES: Readonly<Record<string, string>> = {
  sd: 'ORTStableDiffusionPipeline',
  sdxl: 'ORTStableDiffusionXLPipeline',
  lcm: 'ORTLatentConsistencyModelPipeline',
  sd3: 'ORTStableDiffusion3Pipeline',
  flux: 'ORTFluxPipeline',
};

export interface OptimumPicture {
  readonly prompt: string;
  readonly num_inference_steps: number;
  readonly guidance_scale: number;
  readonly width: number;
  readonly height: number;
  readonly seed: number;
  /** a file that the picture is written to, after its time was taken */
  readonly save?: string;
}

export interface Optimum {
  readonly className: string;
  readonly versions: string;
  /**
   * @returns ms from the call of the pipeline to its picture as a PNG file, in parts: up to the first
   *   step's end, each further step, the rest
   */
  paint(picture: OptimumPicture): Promise<readonly number[]>;
  close(): void;
}

export const MODULES = 'diffusers, optimum.onnxruntime';
/** What to do where no Python has them. */
export const HOW_TO_HAVE_IT =
  'python3 -m venv optimum && optimum/bin/pip install "optimum-onnx[onnxruntime]" diffusers sentencepiece, then PYTHON=optimum/bin/python npm run bench -- families';

/** @throws Error with its last words when the pipeline cannot be loaded or fails */
export async function openOptimum(
  python: string,
  family: string,
  directory: string,
  threads: number,
): Promise<Optimum> {
  const className = CLASSES[family]!;
  const script = fileURLToPath(new URL('./optimum_pipeline.py', import.meta.url));
  const asked = JSON.stringify({ directory, className, threads });
  const child = spawn(python, [script, asked], { stdio: ['pipe', 'pipe', 'pipe'] });
  let words = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    words = (words + text).slice(-2000);
  });
  child.stdin.on('error', () => {}); // told by the end of its answers
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async (): Promise<Record<string, unknown>> => {
    const { value, done } = await lines.next();
    if (!done) return JSON.parse(value) as Record<string, unknown>;
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    throw new Error(words.trim().split('\n').at(-1) ?? 'it ended');
  };
  const { versions } = await answer();
  return {
    className,
    versions: String(versions),
    async paint(picture) {
      child.stdin.write(`${JSON.stringify(picture)}\n`);
      return (await answer()).ms as number[];
    },
    close() {
      child.kill();
    },
  };
}
