"""Scores the shipped model in the manner of GenEval, in its own world: it does not rank against big models.

`python -m training.evaluate --model models/hydrogen --judge runs/judge.pt` paints each prompt with the
shipped ONNX files and settings, looks at the pictures with a detector (judge.py), and prints for every
task the share of right pictures with its 95% Wilson interval, beside the judge's own ceilings (on true
renders, and on those renders through the autoencoder) and its floor (the same pictures, prompts shuffled).
"""

from __future__ import annotations

import argparse
import json
import math
import random
import time
from pathlib import Path

import numpy as np
import torch

from .judge import Judge, right
from .render import Renderer
from .world import THINGS, Sampler, Scene

TASKS = {"single object": "single", "two objects": "two", "counting": "count", "colours": "colour", "position": "position", "binding": "binding", "scene": "staged"}


class Model:
    """The ONNX directory, driven as the bot drives it: DDIM with v-prediction, classifier-free guidance."""

    def __init__(self, directory: Path, steps: int | None = None, guidance: float | None = None, threads: int = 1):
        import onnxruntime as ort
        from diffusers import DDIMScheduler

        from .model import Words

        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        session = lambda name: ort.InferenceSession(str(directory / name / "model.onnx"), options, providers=["CPUExecutionProvider"])  # noqa: E731
        self.text, self.unet, self.decoder, self.encoder = (session(n) for n in ("text_encoder", "unet", "vae_decoder", "vae_encoder"))
        self.words = Words(directory / "tokenizer" / "tokenizer.json")
        self.scheduler = DDIMScheduler.from_pretrained(directory / "scheduler")
        own = json.loads((directory / "ylem.json").read_text())  # what a user gets who asks for nothing else
        self.steps, self.guidance = own["steps"] if steps is None else steps, own["guidanceScale"] if guidance is None else guidance
        self.empty = self.text.run(["last_hidden_state"], {"input_ids": self.words([""]).numpy()})[0]

    def latents(self, captions: list[str], seed: int, start: torch.Tensor | None = None, first: int = 0, keep: list[int] | None = None):
        """Latents [B, C, 16, 16]; with `keep`, also those before each of the named steps."""
        n = len(captions)
        context = self.text.run(["last_hidden_state"], {"input_ids": self.words(captions).numpy()})[0]
        context = np.concatenate((context, np.repeat(self.empty, n, 0)))
        x = start if start is not None else torch.randn(n, 24, 16, 16, generator=torch.Generator().manual_seed(seed))
        self.scheduler.set_timesteps(self.steps)
        kept = {}
        for i, t in enumerate(self.scheduler.timesteps):
            if i < first:
                continue
            if keep and i in keep:
                kept[i] = x.clone()
            pair = torch.cat((x, x)).numpy()
            out = self.unet.run(None, {"sample": pair, "timestep": np.asarray(t, np.float32), "encoder_hidden_states": context})[0]
            worded, plain = torch.from_numpy(out).chunk(2)
            x = self.scheduler.step(plain + self.guidance * (worded - plain), t, x).prev_sample
        return (x, kept) if keep else x

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(self.decoder.run(None, {"latent_sample": latents.numpy()})[0])

    def reconstruct(self, pictures: torch.Tensor) -> torch.Tensor:
        return self.decode(torch.from_numpy(self.encoder.run(None, {"sample": pictures.numpy()})[0][:, :24]))


def wilson(hits: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """The 95% interval of a share (Wilson 1927)."""
    p = hits / n
    centre, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return max(0.0, (centre - half) / (1 + z * z / n)), min(1.0, (centre + half) / (1 + z * z / n))


def prompts(task: str, heldout: bool, count: int, things: int, grid: bool = False, tidy: bool = False) -> list[Scene]:
    """Scenes whose captions are the prompts, and whose renders measure the judge. Counting goes from 1 to 4."""
    rng = random.Random(f"{task} {heldout} evaluation")
    sampler = Sampler(things, heldout="only" if heldout else "skip", plain=0.8, styles=0, empty=0, grid=grid, tidy=tidy)
    scenes = []
    while len(scenes) < count:
        scene = sampler.sample(rng, TASKS[task])
        if task == "counting" and scene.facts["count"] > 4:
            continue
        scenes.append(scene)
    return scenes


def batched(function, items, size: int = 16):
    return torch.cat([function(items[i:i + size]) for i in range(0, len(items), size)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, default=Path("models/hydrogen"))
    parser.add_argument("--judge", type=Path, required=True)
    parser.add_argument("--count", type=int, default=100, help="prompts of each task")
    parser.add_argument("--things", type=int, default=1000)
    parser.add_argument("--tasks", nargs="+", choices=list(TASKS), default=list(TASKS))
    parser.add_argument("--grid", action="store_true", help="the renders that measure the judge stand on the latent grid")
    parser.add_argument("--tidy", action="store_true", help="... or in the one arrangement of each saying")
    parser.add_argument("--steps", type=int, help="else the model's own")
    parser.add_argument("--guidance", type=float, help="else the model's own")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--trained-only", action="store_true", help="leave the held-out combinations out")
    parser.add_argument("--heldout-only", action="store_true", help="leave the trained combinations out")
    parser.add_argument("--out", type=Path, help="write the scores as JSON")
    parser.add_argument("--log", type=Path, help="append them as a line to this file, for training.plot")
    parser.add_argument("--images", type=int, default=0, help="how many images the model was trained on, for the log")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    model, judge, renderer = Model(args.model, args.steps, args.guidance, args.threads), Judge(args.judge), Renderer()
    results = {}
    names = [name for name, _, _ in THINGS]
    print(f"{min(args.things, len(names))} of the world's {len(names)} things, and the shapes; {model.steps} steps, guidance {model.guidance}")
    print(f"{'task':<28}{'score':>7}{'interval':>16}{'renders':>9}{'rebuilt':>9}{'shuffled':>9}")
    began = time.monotonic()
    for heldout in [False] * (not args.heldout_only) + [True] * (not args.trained_only):
        for task in args.tasks:
            if heldout and task == "single object":
                continue  # a thing alone combines nothing
            scenes = prompts(task, heldout, args.count, args.things, args.grid, args.tidy)
            truth = batched(lambda s: renderer(s, 256), scenes)
            painted = batched(lambda s: model.decode(model.latents([c.caption for c in s], seed=s[0].seed)), scenes)
            looks = [judge(painted), judge(truth), judge(batched(model.reconstruct, truth))]
            score, ceiling, rebuilt = (sum(right(s, seen) for s, seen in zip(scenes, look)) for look in looks)
            floor = sum(right(s, seen) for s, seen in zip(scenes, looks[0][1:] + looks[0][:1]))
            low, high = wilson(score, args.count)
            name = task + (", held out" if heldout else "")
            results[name] = {"score": score / args.count, "low": low, "high": high, "renders": ceiling / args.count,
                             "reconstructions": rebuilt / args.count, "shuffled": floor / args.count, "count": args.count}
            print(f"{name:<28}{score / args.count:>7.2f}{f'{low:.2f} to {high:.2f}':>16}{ceiling / args.count:>9.2f}{rebuilt / args.count:>9.2f}{floor / args.count:>9.2f}", flush=True)
    print(f"{time.monotonic() - began:.0f} s")
    report = {"steps": model.steps, "guidance": model.guidance, "things": args.things, "grid": args.grid, "tidy": args.tidy, "tasks": results}
    if args.out:
        args.out.write_text(json.dumps(report, indent=1) + "\n")
    if args.log:
        with open(args.log, "a") as file:
            file.write(json.dumps({"images": args.images, **report}) + "\n")


if __name__ == "__main__":
    main()
