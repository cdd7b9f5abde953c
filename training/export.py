"""Writes the model out, twice: as diffusers safetensors, and as the ONNX directory that the bot runs.

`python -m training.export --diffusion runs/a/checkpoint.pt --vae runs/vae/checkpoint.pt --safetensors DIR --onnx models/hydrogen`
Both hold the same numbers: weights are rounded to fp16 first; the graphs compute in fp32 behind a Cast.
`--shipped models/hydrogen` in place of checkpoints goes the other way, from the shipped files back to
safetensors, or with `--weights FILE.pt` to what the trainers' own `--weights` reads.
Files are written aside and renamed, so that a reader never finds half a model.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
import warnings
from pathlib import Path
from unittest import mock

import numpy as np
import onnx
import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel
from onnx import AttributeProto, TensorProto, helper, numpy_helper
from transformers import CLIPTextModel, CLIPTokenizer

from . import model
from .codec import CHANNELS, Codec, autoencoder
from .gpu import join
from .plainer import plainer
from .run import averaged

WORDS = {"tokenizer_class": "CLIPTokenizer", "model_max_length": model.LENGTH, "bos_token": model.START, "eos_token": model.END,
         "pad_token": model.END, "unk_token": model.END, "do_lower_case": True, "errors": "replace", "add_prefix_space": False}


def weights_in(path: Path, stage: str) -> dict[str, dict[str, torch.Tensor]]:
    """The averaged weights of a checkpoint, or what `--weights` wrote, or the shards that gpu.py left in a directory."""
    return join(path, stage) if path.is_dir() else averaged(torch.load(path, map_location="cpu", weights_only=True))


def load(diffusion: Path, vae: Path | None) -> dict[str, torch.nn.Module]:
    """The averaged weights of two checkpoints (or directories of shards), rounded to fp16 and held in fp32."""
    parts = {"unet": model.unet(), "text_encoder": model.text_encoder(), "vae": autoencoder()}
    state = weights_in(diffusion, "diffusion")
    for name in ("unet", "text_encoder"):
        parts[name].load_state_dict(state[name])
    if vae:
        parts["vae"].load_state_dict(weights_in(vae, "vae")["vae"])
    return {name: part.half().float().eval() for name, part in parts.items()}


def tokenizer_files(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    shutil.copy(model.TOKENIZER, directory / "tokenizer.json")
    (directory / "tokenizer_config.json").write_text(json.dumps(WORDS, indent=2) + "\n")


def safetensors(parts: dict[str, torch.nn.Module], directory: Path) -> StableDiffusionPipeline:
    """A directory for `StableDiffusionPipeline.from_pretrained`, weights in fp16."""
    with tempfile.TemporaryDirectory() as words:
        tokenizer_files(Path(words))
        tokenizer = CLIPTokenizer.from_pretrained(words)
    pipeline = StableDiffusionPipeline(
        vae=parts["vae"], text_encoder=parts["text_encoder"], tokenizer=tokenizer, unet=parts["unet"], scheduler=model.scheduler(),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False)
    for part in parts.values():
        part.half()
    pipeline.save_pretrained(directory, safe_serialization=True)
    for part in parts.values():
        part.float()
    tokenizer_files(directory / "tokenizer")
    return pipeline


class _Text(torch.nn.Module):
    def __init__(self, part):
        super().__init__()
        self.part = part

    def forward(self, input_ids):
        out = self.part(input_ids=input_ids)
        return out.last_hidden_state, out.pooler_output


class _Unet(torch.nn.Module):
    """Gives the same bits for a sample alone and in a batch, so that guidance may run as one batch of two.

    ONNX Runtime adds up the mean of a single row of words in another order than that of several. So their rows are doubled
    for it, and the doubles dropped.
    """

    def __init__(self, part):
        super().__init__()
        self.part = part

    def forward(self, sample, timestep, encoder_hidden_states):
        mean = torch.Tensor.mean
        with mock.patch.object(torch.Tensor, "mean", lambda x, *dims, **more: mean(torch.cat((x, x)), *dims, **more)[: x.shape[0]]):
            return self.part(sample, timestep, encoder_hidden_states, return_dict=False)[0]


class _Decode(torch.nn.Module):
    def __init__(self, part):
        super().__init__()
        self.part = part

    def forward(self, latent_sample):
        return self.part.decode(latent_sample, return_dict=False)[0]


class _Encode(torch.nn.Module):
    """The encoder. While it is the closed form (all its residual branches are zero), as the one convolution that it is."""

    def __init__(self, part: AutoencoderKL, codec: Codec):
        super().__init__()
        blocks = [r for block in [*part.encoder.down_blocks, part.encoder.mid_block] for r in block.resnets]
        self.part = part.encoder if any(r.conv2.weight.any() for r in blocks) else torch.nn.Sequential(
            torch.nn.AvgPool2d(2), torch.nn.Conv2d(3, 2 * CHANNELS, 8, stride=8))
        if self.part is not part.encoder:
            with torch.no_grad():  # means, then log-variances of -20: the encoding is exact
                self.part[1].weight.copy_(torch.cat((codec.matrix, torch.zeros_like(codec.matrix))))
                self.part[1].bias.copy_(torch.cat((codec.bias, torch.full((CHANNELS,), -20.0))))

    def forward(self, sample):
        return self.part(sample)


class Preview(torch.nn.Module):
    """The closed-form inverse of the encoder: latents [B, C, h, w] to [B, 3, 8h, 8w] in [0,1]."""

    def __init__(self, codec: Codec):
        super().__init__()
        self.up = torch.nn.ConvTranspose2d(CHANNELS, 12, 4, stride=4)
        self.shuffle = torch.nn.PixelShuffle(2)
        with torch.no_grad():  # [C, 3, 8, 8] as 2x2 phases of a 4x4 kernel
            self.up.weight.copy_(codec.inverse.view(CHANNELS, 3, 4, 2, 4, 2).permute(0, 1, 3, 5, 2, 4).reshape(CHANNELS, 12, 4, 4) / 2)
            self.up.bias.copy_((codec.mean.mean((1, 2)) / 2 + 0.5).repeat_interleave(4))

    def forward(self, latent_sample):
        return self.shuffle(self.up(latent_sample)).clamp(0, 1)


def graph(module: torch.nn.Module, runs: list[tuple], inputs: list[str], outputs: list[str], axes: dict, path: Path, state: dict | None = None) -> None:
    """
    runs: arguments; the first are traced, the last are a check, and in those before it every free dimension has several sizes
    state: the weights to be noted in the file
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(module, runs[0], str(path), input_names=inputs, output_names=outputs, dynamic_axes=axes, opset_version=17, dynamo=False)
    feeds = [{name: value.numpy() for name, value in zip(inputs, args, strict=True)} for args in runs]
    graph_model = shorten(halve(plainer(onnx.load(str(path)), feeds[:-1], feeds[-1:])))
    if state:
        note_names(graph_model, state)
    onnx.save(graph_model, str(path))


def halve(graph_model: onnx.ModelProto) -> onnx.ModelProto:
    """Stores every large fp32 initializer in fp16, with a Cast back to fp32 under its old name."""
    g = graph_model.graph
    casts = []
    for tensor in g.initializer:
        if tensor.data_type != TensorProto.FLOAT or int(np.prod(tensor.dims)) < 64:
            continue
        name = tensor.name
        values = numpy_helper.to_array(tensor).astype(np.float16)
        tensor.CopyFrom(numpy_helper.from_array(values, name + "_fp16"))
        casts.append(helper.make_node("Cast", [name + "_fp16"], [name], name=name + "_cast", to=TensorProto.FLOAT))
    nodes = [*casts, *g.node]
    del g.node[:]
    g.node.extend(nodes)
    return graph_model


def shorten(graph_model: onnx.ModelProto) -> onnx.ModelProto:
    """Gives everything inside the graph a short name: the exporter's names are 0.7 MB of the UNet's file."""
    g = graph_model.graph
    if any(a.type in (AttributeProto.GRAPH, AttributeProto.GRAPHS) for node in g.node for a in node.attribute):
        raise ValueError("graphs within graphs are not expected here")
    short = {v.name: v.name for v in (*g.input, *g.output)} | {"": ""}
    rename = lambda name: short.setdefault(name, f"{len(short):x}")  # noqa: E731
    for tensor in g.initializer:
        tensor.name = rename(tensor.name)
    for node in g.node:
        node.name = node.doc_string = ""
        node.input[:] = [rename(name) for name in node.input]
        node.output[:] = [rename(name) for name in node.output]
    del g.value_info[:]
    return graph_model


def linear_factors(codec: Codec) -> dict:
    """A latent's mean colour, as the bot's cheapest preview uses it."""
    return {
        "latent_rgb_factors": [[round(v, 6) for v in row] for row in codec.inverse.mean((2, 3)).tolist()],
        "latent_rgb_bias": [round(v, 6) for v in codec.mean.mean((1, 2)).tolist()],
        "scale": "scaled latents, as the UNet sees them; RGB in [-1,1]",
    }


def onnx_directory(parts: dict[str, torch.nn.Module], directory: Path) -> None:
    codec = Codec()
    work = Path(tempfile.mkdtemp(dir=directory.parent, prefix="." + directory.name))
    try:
        hw = {0: "batch", 2: "height", 3: "width"}
        ids = model.Words()(["a fox", "", "two blue cups"])
        sentences = [(ids[:2],), (ids[:1],), (ids[:, :7],), (ids[:2, :20],)]
        graph(_Text(parts["text_encoder"]), sentences, ["input_ids"], ["last_hidden_state", "pooler_output"],
              {"input_ids": {0: "batch", 1: "sequence"}, "last_hidden_state": {0: "batch", 1: "sequence"}, "pooler_output": {0: "batch"}},
              work / "text_encoder" / "model.onnx", parts["text_encoder"].state_dict())
        sizes = [(2, 16, 16), (1, 16, 16), (2, 16, 20), (2, 12, 16), (3, 24, 8)]
        latents = [torch.randn(batch, CHANNELS, height, width) for batch, height, width in sizes]
        times, lengths = [500.0, 1.0, 999.0, 20.0, 760.0], [model.LENGTH, model.LENGTH, 64, model.LENGTH, 40]
        denoising = [(x, torch.tensor(t), torch.randn(len(x), n, 256)) for x, t, n in zip(latents, times, lengths, strict=True)]
        graph(_Unet(parts["unet"]), denoising,
              ["sample", "timestep", "encoder_hidden_states"], ["out_sample"],
              {"sample": hw, "encoder_hidden_states": {0: "batch", 1: "sequence"}, "out_sample": hw}, work / "unet" / "model.onnx",
              parts["unet"].state_dict())
        graph(_Decode(parts["vae"]), [(x,) for x in latents], ["latent_sample"], ["sample"], {"latent_sample": hw, "sample": hw}, work / "vae_decoder" / "model.onnx",
              {k: v for k, v in parts["vae"].state_dict().items() if k.startswith("decoder.")})
        graph(_Encode(parts["vae"], codec), [(torch.rand(len(x), 3, 16 * x.shape[2], 16 * x.shape[3]) * 2 - 1,) for x in latents], ["sample"], ["latent_parameters"],
              {"sample": hw, "latent_parameters": hw}, work / "vae_encoder" / "model.onnx")
        graph(Preview(codec), [(x,) for x in latents], ["latent_sample"], ["sample"], {"latent_sample": hw, "sample": hw}, work / "preview_decoder" / "model.onnx")
        for name in ("unet", "text_encoder"):
            parts[name].config.save_pretrained(work / name) if name == "text_encoder" else parts[name].save_config(work / name)
        for name in ("vae_decoder", "vae_encoder"):
            parts["vae"].save_config(work / name)
        (work / "preview_decoder" / "config.json").write_text(json.dumps({
            "_class_name": "PreviewDecoder", "latent_channels": CHANNELS, "scale_factor": 8,
            "input": "latent_sample [B,C,h,w], scaled latents as the UNet sees them", "output": "sample [B,3,8h,8w], RGB in [0,1]",
            "output_range": [0, 1]}, indent=2) + "\n")
        (work / "preview.json").write_text(json.dumps(linear_factors(codec), indent=1) + "\n")
        (work / "ylem.json").write_text("{ " + json.dumps(model.OWN)[1:-1] + " }\n")
        model.scheduler().save_pretrained(work / "scheduler")
        tokenizer_files(work / "tokenizer")
        import diffusers
        (work / "model_index.json").write_text(json.dumps({
            "_class_name": "StableDiffusionPipeline", "_diffusers_version": diffusers.__version__, "feature_extractor": [None, None],
            "requires_safety_checker": False, "safety_checker": [None, None], "scheduler": ["diffusers", "DDIMScheduler"],
            "text_encoder": ["diffusers", "OnnxRuntimeModel"], "tokenizer": ["transformers", "CLIPTokenizer"],
            "unet": ["diffusers", "OnnxRuntimeModel"], "vae_decoder": ["diffusers", "OnnxRuntimeModel"],
            "vae_encoder": ["diffusers", "OnnxRuntimeModel"]}, indent=2) + "\n")
        for file in sorted(p for p in work.rglob("*") if p.is_file()):
            target = directory / file.relative_to(work)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(file, target)
    finally:
        shutil.rmtree(work)


def note_names(graph_model: onnx.ModelProto, state: dict[str, torch.Tensor]) -> None:
    """Notes in the graph which initializer holds which weight, so that training can go on from it.

    The exporter renames and transposes the matrices of linear layers, so weights are found by value.
    """
    found: dict[bytes, str] = {}
    for tensor in graph_model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype in (np.float16, np.float32):
            values = values.astype(np.float16)
            found.setdefault(values.tobytes(), tensor.name)
            if values.ndim == 2:
                found.setdefault(values.T.tobytes(), tensor.name + "^T")
    names = {}
    for key, value in state.items():
        if value.is_floating_point():
            half = value.numpy().astype(np.float16)
            names[key] = found[half.tobytes()]
    helper.set_model_props(graph_model, {"weights": json.dumps(names, separators=(",", ":"))})


def shipped(directory: Path) -> dict[str, torch.nn.Module]:
    """The modules with the weights of a shipped ONNX directory."""
    parts = {"unet": model.unet(), "text_encoder": model.text_encoder(), "vae": autoencoder()}
    for name, part in (("unet", parts["unet"]), ("text_encoder", parts["text_encoder"]), ("vae_decoder", parts["vae"])):
        graph_model = onnx.load(str(directory / name / "model.onnx"))
        names = json.loads({p.key: p.value for p in graph_model.metadata_props}["weights"])
        data = {t.name: t for t in graph_model.graph.initializer}
        state, shapes = {}, {k: v.shape for k, v in part.state_dict().items()}
        for key, source in names.items():
            values = numpy_helper.to_array(data[source.removesuffix("^T")]).astype(np.float32)
            state[key] = torch.from_numpy(np.ascontiguousarray(values.T if source.endswith("^T") else values)).view(shapes[key])
        missing, unexpected = part.load_state_dict(state, strict=False)
        if unexpected or any(not k.startswith("encoder.") and "position_ids" not in k for k in missing):
            raise ValueError(f"{directory / name}: {missing + unexpected}")
    return {name: part.half().float().eval() for name, part in parts.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--diffusion", type=Path)
    parser.add_argument("--shipped", type=Path, help="read the weights from this ONNX directory")
    parser.add_argument("--weights", type=Path, help="write the weights for a trainer to start from")
    parser.add_argument("--vae", type=Path)
    parser.add_argument("--safetensors", type=Path)
    parser.add_argument("--onnx", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    if bool(args.diffusion) == bool(args.shipped):
        parser.error("give one of --diffusion and --shipped")
    parts = shipped(args.shipped) if args.shipped else load(args.diffusion, args.vae)
    if args.weights:
        torch.save({name: part.state_dict() for name, part in parts.items()}, args.weights)
    if args.safetensors:
        safetensors(parts, args.safetensors)
    if args.onnx:
        onnx_directory(parts, args.onnx)


if __name__ == "__main__":
    main()
