// What an engine is made with.

import type { Logger } from 'pino';

export interface EngineSettings {
  /** a diffusers ONNX directory: the model of jobs that name none */
  readonly modelDirectory: string;
  /** its sub-directories that are models are offered as well; absent: the default alone */
  readonly modelsDirectory?: string;
  /** bytes that loaded models may take; absent: a share of the machine's memory */
  readonly memoryBytes?: number;
  /**
   * Bytes that unloaded models may leave behind before the process is replaced at the next load;
   * absent: a quarter of `memoryBytes`, at least 512 MB.
   */
  readonly slackBytes?: number;
  /** what becomes of a picture that its model's own safety checker flags; absent: 'blur' */
  readonly safety?: Safety;
  /** such as 'cuda' and 'cpu', tried in this order */
  readonly providers: readonly string[];
  /** CPU threads of a model call; absent: probed or left to onnxruntime */
  readonly threads?: number;
  readonly logger?: Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>;
  /**
   * ms that the process may keep silent before it is killed, 120 000 unless given. Calls that were
   * seen to take long extend it: it is a lower bound. The first run may be silent five times as long.
   */
  readonly stallMs?: number;
  /** ms that loading a model may take, 600 000 unless given */
  readonly loadMs?: number;
  /** ms before the first restart, doubled with each further death, 100 unless given */
  readonly backOffMs?: number;
}

/** blurred, refused with a sentence, or never asked */
export type Safety = 'blur' | 'refuse' | 'off';
