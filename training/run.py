"""What the trainers share: options, the clock, the learning rate, the average, the optimizer, checkpoints, the log, the loop."""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from .muon import Muon


class Average:
    """Exponential moving average of some modules' parameters, with a horizon that grows at the start."""

    def __init__(self, modules: dict[str, torch.nn.Module], decay: float = 0.999):
        self.decay, self.steps = decay, 0
        self.shadow = {n: {k: v.detach().clone().float() for k, v in m.state_dict().items()} for n, m in modules.items()}

    @torch.no_grad()
    def update(self, modules: dict[str, torch.nn.Module]) -> None:
        self.steps += 1
        keep = min(self.decay, (1 + self.steps) / (10 + self.steps))
        for name, module in modules.items():
            shadow, live = self.shadow[name], module.state_dict()
            keys = [k for k, v in live.items() if v.is_floating_point()]
            torch._foreach_lerp_([shadow[k] for k in keys], [live[k].float() for k in keys], 1 - keep)


def options(description: str, *, batch: int, rate: float, decay: float, things: int, seed: int = 0, minutes: float = 60) -> argparse.ArgumentParser:
    """What every trainer can be told, with this one's own defaults."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--out", type=Path, required=True, help="directory of checkpoints and the log")
    parser.add_argument("--minutes", type=float, default=minutes)
    parser.add_argument("--batch", type=int, default=batch)
    parser.add_argument("--rate", type=float, default=rate)
    parser.add_argument("--decay", type=float, default=decay, help="share of the run over which the rate falls to zero")
    parser.add_argument("--things", type=int, default=things, help="see only the first so many things")
    parser.add_argument("--weights", type=Path, nargs="+", default=[], help="start from these files of earlier runs with a fresh optimizer; a later one's parts replace an earlier one's")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=seed)
    return parser


def prepared(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """The options given, with torch's threads and its generator as they say."""
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    return args


def averaged(state: dict) -> dict:
    """The averaged weights of a loaded checkpoint by part; of a file that `training.export --weights` wrote, its only ones."""
    return state.get("average", state)


class Run:
    """One bounded piece of training. `minutes` is wall-clock; the rate warms up, holds, and decays over the last part.

    `modules`, the main one first, are saved whole; the parameters among them that require gradients are trained. A checkpoint in
    `directory` is resumed, optimizer, average and all; else `weights`, if given, are the start: of several files a later
    one's averaged or plain weights replace an earlier one's, and modules that none of them has start fresh. `muon`: that optimizer in place of AdamW. `device` is where
    all of it lives.
    """

    def __init__(self, directory: Path, modules: dict[str, torch.nn.Module], minutes: float, rate: float, *, weights: Sequence[Path] = (),
                 device: str | torch.device = "cpu", warmup: int = 200, decay: float = 0.4, average: float = 0.999, muon: bool = False,
                 every: float = 240, memory_format: torch.memory_format = torch.channels_last):
        self.directory, self.modules, self.minutes, self.rate, self.warmup, self.decay, self.every = directory, modules, minutes, rate, warmup, decay, every
        self.images = self.steps = 0
        directory.mkdir(parents=True, exist_ok=True)
        checkpoint = directory / "checkpoint.pt"
        state = torch.load(checkpoint, map_location="cpu", weights_only=True) if checkpoint.exists() else None
        start = state or {}
        for path in () if state else weights:
            loaded = torch.load(path, map_location="cpu", weights_only=True)
            start |= {name: part for name, part in averaged(loaded).items() if name in modules}
            if next(iter(modules)) in loaded:  # what the other parts alone have seen does not count here
                start["images"] = loaded.get("images", 0)
        for name, module in modules.items():
            if name in start:
                module.load_state_dict(start[name])
            module.to(device, memory_format=memory_format).train()
        self.parameters = [p for m in modules.values() for p in m.parameters() if p.requires_grad]
        self.optimizer = Muon(list(modules.values()), rate) if muon else torch.optim.AdamW(self.parameters, lr=rate, betas=(0.9, 0.99), weight_decay=0.0, fused=True)
        self.average = Average(modules, average)
        self.images = start.get("images", 0)
        if state:
            self.optimizer.load_state_dict(state["optimizer"])
            self.average.steps = state["average_steps"]
            self.average.shadow = {n: {k: v.to(device) for k, v in s.items()} for n, s in state["average"].items()}
        self.start = self.saved = self.logged = time.monotonic()

    @property
    def progress(self) -> float:
        return (time.monotonic() - self.start) / (60 * self.minutes)

    def learning_rate(self) -> float:
        warm = min(1.0, (self.steps + 1) / self.warmup)
        left = max(0.0, 1 - self.progress) / self.decay if self.decay else 1.0
        return self.rate * warm * (0.5 - 0.5 * math.cos(math.pi * min(1.0, left)))

    def train(self, step: Callable[[], tuple[torch.Tensor, int, dict[str, torch.Tensor]]]) -> None:
        """Takes steps until the time is up. `step` gives a loss, how many pictures it saw, and further values for the log."""
        values: dict[str, list[torch.Tensor]] = {}
        began, seen = time.monotonic(), 0
        while self.progress < 1:
            loss, count, further = step()
            loss.backward()
            for group in self.optimizer.param_groups:
                group["lr"] = self.learning_rate()
            torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)
            self.average.update(self.modules)
            self.steps += 1
            self.images += count
            seen += count
            for name, value in {"loss": loss, **further}.items():
                values.setdefault(name, []).append(value.detach())
            if time.monotonic() - self.logged >= 30:
                self.logged = time.monotonic()
                means = {name: torch.stack(v).mean().item() for name, v in values.items()}
                self.log(images=self.images, **means, rate=seen / (time.monotonic() - began), lr=self.learning_rate())
                values, began, seen = {}, time.monotonic(), 0
            if time.monotonic() - self.saved > self.every:
                self.save()
        self.save()

    def log(self, **values: float) -> None:
        line = {"time": round(time.time()), **{k: round(v, 6) if isinstance(v, float) else v for k, v in values.items()}}
        with open(self.directory / "log.jsonl", "a") as file:
            file.write(json.dumps(line) + "\n")
        print(line, flush=True)

    def save(self) -> None:
        """Written aside, then renamed: a reader never sees half a file."""
        state = {**{n: m.state_dict() for n, m in self.modules.items()}, "optimizer": self.optimizer.state_dict(),
                 "average": self.average.shadow, "average_steps": self.average.steps, "images": self.images}
        aside = self.directory / "checkpoint.part"
        torch.save(state, aside)
        os.replace(aside, self.directory / "checkpoint.pt")
        self.saved = time.monotonic()
