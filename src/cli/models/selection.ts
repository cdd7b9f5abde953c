// Which files of a repository the pipeline needs: graphs, their weights and the configurations; not
// the same weights for other frameworks, nor the same graphs in other precisions.

import { UserError } from '../../errors.js';
import type { RemoteFile } from './hub.js';
import { checkedPath } from './names.js';

export interface Wishes {
  /** where in the repository the model lies; absent: found */
  readonly folder?: string;
  /** also the safety checker, which is 1.2 GB for Stable Diffusion 1.x */
  readonly safetyChecker: boolean;
}

/** A file of the repository and where it belongs in the model's directory. */
export interface Wanted {
  readonly file: RemoteFile;
  /** relative to the model's directory, with slashes */
  readonly path: string;
}

export interface Selection {
  /** '' or the folder of the repository that the model lies in */
  readonly folder: string;
  /** configurations, tokenizers and graphs: the graphs name what else is needed */
  readonly first: readonly Wanted[];
  /** files that look like weights of those graphs, until the graphs are there to say */
  readonly weights: readonly Wanted[];
}

/** Parts that are graphs, in the layout of diffusers. */
const GRAPHS = [
  ...['text_encoder', 'text_encoder_2', 'text_encoder_3', 'unet', 'transformer'],
  ...['vae_decoder', 'vae_encoder', 'preview_decoder', 'taesd_decoder', 'vae_decoder_tiny'],
];
const TOKENIZERS = ['tokenizer', 'tokenizer_2', 'tokenizer_3'];
/** The size of anything that is no graph and no weights: more is not taken. Bytes. */
const MOST_TEXT = 64e6;
const ROOT_FILES =
  /^(?:model_index\.json|ylem\.json|preview\.json|README\.md|LICEN[CS]E(?:\.\w+)?)$/i;
const TOKENIZER_FILES = /^[\w.-]+\.(?:json|txt|model)$/;

/**
 * @param repository for the sentences
 * @throws UserError 'hub-no-onnx' or 'hub-many-models'
 */
export function selectFiles(
  repository: string,
  listing: readonly RemoteFile[],
  wishes: Wishes,
): Selection {
  const files = new Map(listing.map((file) => [file.path, file]));
  const folder = wishes.folder ?? findFolder(repository, files);
  const prefix = folder === '' ? '' : `${folder}/`;
  if (!denoiserIn(files, folder)) throw noOnnx(repository, files, folder);
  const graphs = [...GRAPHS, ...(wishes.safetyChecker ? ['safety_checker'] : [])].filter((part) =>
    files.has(`${prefix}${part}/model.onnx`),
  );
  const first: Wanted[] = [];
  const weights: Wanted[] = [];
  for (const file of listing) {
    if (!file.path.startsWith(prefix)) continue;
    const path = file.path.slice(prefix.length);
    const [part = '', name, ...deeper] = path.split('/');
    const small = file.size <= MOST_TEXT;
    if (deeper.length > 0) continue;
    if (name === undefined) {
      if (small && ROOT_FILES.test(part)) first.push({ file, path });
    } else if (graphs.includes(part)) {
      if (name === 'model.onnx' || (small && name === 'config.json')) first.push({ file, path });
      else if (/^model\.onnx[._]data|^weights\.pb$|^[^.]+$/.test(name))
        weights.push({ file, path });
    } else if (
      small &&
      ((part === 'scheduler' && name === 'scheduler_config.json') ||
        // An export keeps the factors of the whole VAE here in some versions.
        (part === 'vae' && name === 'config.json') ||
        (TOKENIZERS.includes(part) && TOKENIZER_FILES.test(name)) ||
        (wishes.safetyChecker &&
          part === 'feature_extractor' &&
          name === 'preprocessor_config.json'))
    ) {
      first.push({ file, path });
    }
  }
  const missing = [
    ...(files.has(`${prefix}vae_decoder/model.onnx`) ? [] : ['vae_decoder/model.onnx']),
    ...(graphs.some((part) => part.startsWith('text_encoder')) ? [] : ['text_encoder/model.onnx']),
    ...(files.has(`${prefix}scheduler/scheduler_config.json`)
      ? []
      : ['scheduler/scheduler_config.json']),
    ...(first.some(({ path }) => path.startsWith('tokenizer')) ? [] : ['tokenizer/']),
  ];
  if (missing.length > 0) {
    throw new UserError(
      'hub-no-onnx',
      `${repository} is not complete: it lacks ${missing.join(', ')}. ${exportHint(repository)}`,
    );
  }
  return { folder, first, weights };
}

/** What a folder of the repository holds, by paths in the model's directory. */
export function offeredIn(listing: readonly RemoteFile[], folder: string): Map<string, RemoteFile> {
  const prefix = folder === '' ? '' : `${folder}/`;
  const inside = listing.filter(({ path }) => path.startsWith(prefix));
  return new Map(inside.map((file) => [file.path.slice(prefix.length), file]));
}

/**
 * Where weights that a graph names lie in the repository.
 * @param graph path of the graph in the model's directory, such as unet/model.onnx
 * @param location as the graph names it, relative to its own directory
 * @throws UserError where the repository has no such file, or the path leads elsewhere
 */
export function weightsOf(
  repository: string,
  listing: readonly RemoteFile[],
  folder: string,
  graph: string,
  location: string,
): Wanted {
  const path = checkedPath(
    `${graph.slice(0, graph.lastIndexOf('/') + 1)}${location.replace(/^\.\//, '')}`,
  );
  const remote = folder === '' ? path : `${folder}/${path}`;
  const file = listing.find((each) => each.path === remote);
  if (file === undefined) {
    throw new UserError(
      'hub-no-file',
      `${repository} is not complete: ${graph} keeps its weights in ${location}, which is not there.`,
    );
  }
  return { file, path };
}

const denoiserIn = (files: ReadonlyMap<string, RemoteFile>, folder: string): boolean => {
  const prefix = folder === '' ? '' : `${folder}/`;
  return (
    files.has(`${prefix}model_index.json`) &&
    ['unet', 'transformer'].some((part) => files.has(`${prefix}${part}/model.onnx`))
  );
};

/** The repository itself, or the only folder of it that is a model. */
function findFolder(repository: string, files: ReadonlyMap<string, RemoteFile>): string {
  if (denoiserIn(files, '')) return '';
  const found = [...files.keys()]
    .flatMap((path) => (path.endsWith('/model_index.json') ? [path.slice(0, -17)] : []))
    .filter((folder) => denoiserIn(files, folder))
    .sort();
  if (found.length > 1) {
    throw new UserError(
      'hub-many-models',
      `${repository} holds several models: choose one with --folder ${found.slice(0, 12).join(' or --folder ')}.`,
    );
  }
  return found[0] ?? '';
}

function noOnnx(
  repository: string,
  files: ReadonlyMap<string, RemoteFile>,
  folder: string,
): UserError {
  const paths = [...files.keys()];
  const where = folder === '' ? repository : `${folder} in ${repository}`;
  const denoisers = paths.filter((path) => /(?:^|\/)(?:unet|transformer)\/[^/]+\.onnx$/.test(path));
  if (!paths.some((path) => /(?:^|\/)model_index\.json$/.test(path))) {
    return new UserError(
      'hub-no-onnx',
      `${where} has no model_index.json: it is no diffusers pipeline.`,
    );
  }
  if (denoisers.length > 0) {
    return new UserError(
      'hub-no-onnx',
      `${where} has ${denoisers.slice(0, 3).join(', ')}, but Ylem reads unet/model.onnx or transformer/model.onnx beside a model_index.json.`,
    );
  }
  const weights = paths.some((path) => /\.(?:safetensors|bin|ckpt)$/.test(path))
    ? ', only weights for other frameworks'
    : '';
  return new UserError(
    'hub-no-onnx',
    `${where} has no ONNX graphs${weights}. ${exportHint(repository)}`,
  );
}

/** The command that turns a PyTorch pipeline into a directory that Ylem reads. */
export function exportHint(repository: string): string {
  const folder = repository.replace('/', '--');
  return `Export it where you have Python: optimum-cli export onnx --model ${repository} models/${folder} (pip install "optimum-onnx[onnxruntime]" diffusers; see README.md).`;
}
