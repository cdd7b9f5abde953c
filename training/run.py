"""What both trainers share: the clock, the learning rate, the average, checkpoints, the log."""

from __future__ import annotations

import json
import math
import os
import time
from pathlib import Path

import torch


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


class Run:
    """One bounded piece of training. `minutes` is wall-clock; the rate warms up, holds, and decays over the last part."""

    def __init__(self, directory: Path, minutes: float, rate: float, warmup: int = 200, decay: float = 0.4, every: float = 240):
        self.directory, self.minutes, self.rate, self.warmup, self.decay, self.every = directory, minutes, rate, warmup, decay, every
        directory.mkdir(parents=True, exist_ok=True)
        self.start = self.saved = self.logged = time.monotonic()
        self.steps = 0

    @property
    def progress(self) -> float:
        return (time.monotonic() - self.start) / (60 * self.minutes)

    def learning_rate(self) -> float:
        warm = min(1.0, (self.steps + 1) / self.warmup)
        left = max(0.0, 1 - self.progress) / self.decay if self.decay else 1.0
        return self.rate * warm * (0.5 - 0.5 * math.cos(math.pi * min(1.0, left)))

    def log(self, **values) -> None:
        line = {"time": round(time.time()), **{k: round(v, 6) if isinstance(v, float) else v for k, v in values.items()}}
        with open(self.directory / "log.jsonl", "a") as file:
            file.write(json.dumps(line) + "\n")
        print(line, flush=True)

    def due(self, seconds: float = 30) -> bool:
        if time.monotonic() - self.logged < seconds:
            return False
        self.logged = time.monotonic()
        return True

    def save(self, state: dict, name: str = "checkpoint.pt") -> None:
        write(state, self.directory / name)
        self.saved = time.monotonic()

    def save_due(self) -> bool:
        return time.monotonic() - self.saved > self.every


def write(state: dict, path: Path) -> None:
    """Written aside, then renamed: a reader never sees half a file."""
    aside = path.with_suffix(".part")
    torch.save(state, aside)
    os.replace(aside, path)
