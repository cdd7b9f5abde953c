"""What the diffusion trainer eats: batches of latents and token ids, rendered in the process or in workers beside it.

On a CPU the pictures are painted in between (3% of a step). A GPU would wait for the host, which draws scenes and
small tables in Python, so there `workers` processes paint on the CPU and hand over finished batches.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np
import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from .codec import Codec
from .model import Words
from .reading import layout
from .render import Renderer
from .world import Sampler


class Lessons:
    """Draws scenes by a mix of kinds (name to weight) and makes batches of them."""

    def __init__(self, things: int, mix: dict[str, float], batch: int, **sampler):
        self.mix, self.batch, self.sampler = mix, batch, Sampler(things, **sampler)

    def __call__(self, rng: random.Random, codec: Codec, renderer: Renderer, words: Words) -> tuple[torch.Tensor, torch.Tensor, tuple[torch.Tensor, ...]]:
        """Latents [B, C, 16, 16] on the renderer's device, ids [B, 32] and what stands where (reading.py) on the host."""
        scenes = self.sampler.several(rng, self.mix, self.batch)
        return codec.encode(renderer(scenes, 128)), words([s.caption for s in scenes]), layout(scenes)


class _Stream(IterableDataset):
    def __init__(self, lessons: Lessons, seed: int):
        self.lessons, self.seed = lessons, seed

    def __iter__(self) -> Iterator[tuple[np.ndarray, ...]]:
        torch.set_num_threads(1)
        rng = random.Random(self.seed * 1009 + get_worker_info().id)
        tools = Codec(), Renderer(), Words()
        while True:
            latents, ids, wanted = self.lessons(rng, *tools)
            yield tuple(t.numpy() for t in (latents, ids, *wanted))  # arrays go through a pipe: shared memory may be scarce where this runs


def _as_it_is(batch):
    return batch


def feed(lessons: Lessons, workers: int, seed: int, device: str | torch.device) -> Iterator[tuple[torch.Tensor, torch.Tensor, tuple[torch.Tensor, ...]]]:
    """Batches for ever, latents (channels_last) and ids on `device`, what stands where on the host."""
    if workers:
        source = ((latents, ids, wanted) for latents, ids, *wanted in (map(torch.from_numpy, arrays) for arrays in
                  DataLoader(_Stream(lessons, seed), batch_size=None, num_workers=workers, collate_fn=_as_it_is, prefetch_factor=4)))
    else:
        rng, tools = random.Random(seed), (Codec(device=device), Renderer(device), Words())
        source = (lessons(rng, *tools) for _ in iter(int, 1))
    for latents, ids, wanted in source:
        yield latents.to(device, non_blocking=True).contiguous(memory_format=torch.channels_last), ids.to(device, non_blocking=True), wanted
