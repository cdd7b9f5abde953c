"""Latents as the denoiser paints them, beside the true ones that they began as: what a decoder is really given.

An encoder's latents are exact; those of a small denoiser carry its grain. Here true latents are noised up to a step
of the last half and painted from there with the shipped settings, as an init image is (SDEdit, Meng et al. 2022): what is
where stays, since that is decided in the first steps, and the grain is the denoiser's own. A decoder that is
trained to give back the true picture learns to leave it out.
"""

from __future__ import annotations

import random
from pathlib import Path

import torch

from . import model
from .codec import Codec
from .precision import autocast
from .render import Renderer
from .run import averaged
from .world import LESSONS, Sampler, Scene

FIRST = (0.55, 0.85)  # the share of the steps that is skipped
POOL, NEW = 512, 2  # pictures kept, and how many of them are painted anew at each draw


class Painter:
    """`weights`: a checkpoint of `training.diffusion`, or a file from `training.export --shipped`; `styles`: the share of styles other than flat."""

    def __init__(self, weights: Path, things: int, styles: float, codec: Codec, renderer: Renderer, device: str | torch.device = "cpu"):
        loaded = averaged(torch.load(weights, map_location="cpu", weights_only=True))
        self.codec, self.renderer, self.device, self.words, self.scheduler = codec, renderer, device, model.Words(), model.scheduler()
        self.unet, self.text_encoder = model.unet(), model.text_encoder()
        for name in ("unet", "text_encoder"):
            getattr(self, name).load_state_dict(loaded[name])
            getattr(self, name).to(device, memory_format=torch.channels_last).eval().requires_grad_(False)
        self.scheduler.set_timesteps(model.OWN["steps"])
        self.sampler = Sampler(things, plain=0.5, styles=styles, empty=0, tidy=True, tints=0.4)  # what the denoiser was taught
        self.pool: list[tuple[Scene, torch.Tensor]] = []

    def draw(self, rng: random.Random, count: int) -> tuple[list[Scene], torch.Tensor]:
        """Scenes and latents [count, C, 16, 16] as they were painted. Painting costs more than a decoder's step, so pictures are drawn several times."""
        fresh = self.sampler.several(rng, LESSONS, NEW if len(self.pool) >= count else count)
        true = self.codec.encode(self.renderer(fresh, 128))
        self.pool += zip(fresh, self.repaint(true, [scene.caption for scene in fresh], rng))
        del self.pool[:-POOL]
        scenes, latents = zip(*rng.sample(self.pool, count))
        return list(scenes), torch.stack(latents)

    @torch.no_grad()
    def repaint(self, latents: torch.Tensor, captions: list[str], rng: random.Random) -> torch.Tensor:
        """Latents [B, C, h, w] of pictures that the captions are true of, painted anew from one of the later steps on."""
        times = self.scheduler.timesteps[round(len(self.scheduler.timesteps) * rng.uniform(*FIRST)):]
        x = self.scheduler.add_noise(latents, torch.randn_like(latents), times[:1])
        with autocast(self.device):
            context = self.text_encoder(self.words([*captions, *([""] * len(captions))]).to(self.device)).last_hidden_state
            for t in times:
                worded, plain = self.unet(torch.cat((x, x)).contiguous(memory_format=torch.channels_last), t, context).sample.float().chunk(2)
                x = self.scheduler.step(plain + model.OWN["guidanceScale"] * (worded - plain), t, x).prev_sample
        return x
