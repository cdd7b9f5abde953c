// What is tried out in a child process: it may crash, hang or take memory, and then only it is gone.

/** One trial and what it gives. */
export type Trial =
  | { readonly kind: 'provider'; readonly provider: string }
  /** how many threads the CPU provider is to use; also whether onnxruntime loads at all */
  | { readonly kind: 'threads' }
  | { readonly kind: 'images' }
  /** loads a model with the first provider that takes it and makes one step of a picture */
  | {
      readonly kind: 'model';
      readonly directory: string;
      readonly providers: readonly string[];
      readonly threads?: number;
    };

export interface ThreadsTrial {
  readonly threads: number;
}

export interface ImagesTrial {
  /** versions */
  readonly sharp: string;
  readonly vips: string;
}

export interface ModelTrial {
  readonly provider: string;
  readonly providersTried: readonly { readonly name: string; readonly reason: string }[];
  /** ms */
  readonly load: number;
  readonly encode: number;
  readonly step: number;
  readonly decode: number;
  /** px */
  readonly width: number;
  readonly height: number;
  /** bytes of the process: after loading, and at most */
  readonly loadedBytes: number;
  readonly peakBytes: number;
  /** bytes of the process before */
  readonly baseBytes: number;
}
