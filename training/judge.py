"""The judge: a small centre-point detector (Zhou et al. 2019, CenterNet) of things, their colours, and the background.

It is trained on renders with its own seeds, blurred, noised and softened as a decoder might do, never on
pictures that the model painted. `python -m training.judge --minutes 12 --out runs/judge.pt`
"""

from __future__ import annotations

import argparse
import json
import math
import random
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from .codec import Codec
from .precision import autocast
from .render import Renderer
from .world import BACKGROUNDS, COLOUR_NAMES, MIX, NAMES, RELATIONS, Sampler, Scene

NATURAL = len(COLOUR_NAMES)  # "its own colour"


class Detector(nn.Module):
    """[B, 3, 128, 128] in [-1,1] to maps on a 16x16 grid, which thing is centred here and its colour, and to logits of the background."""

    def __init__(self, width: int = 48):
        super().__init__()
        w = width

        def step(a: int, b: int, stride: int) -> nn.Sequential:
            return nn.Sequential(nn.Conv2d(a, b, 3, stride, 1, bias=False), nn.BatchNorm2d(b), nn.ReLU(inplace=True))

        self.body = nn.Sequential(
            nn.Conv2d(3, w, 4, 4), nn.BatchNorm2d(w), nn.ReLU(inplace=True), step(w, w, 1), step(w, 2 * w, 2), step(2 * w, 2 * w, 1))
        self.deep = nn.Sequential(step(2 * w, 4 * w, 2), step(4 * w, 4 * w, 1), step(4 * w, 4 * w, 1), step(4 * w, 2 * w, 1))
        self.join = step(4 * w, 3 * w, 1)
        self.thing = nn.Conv2d(3 * w, len(NAMES), 1)
        self.colour = nn.Conv2d(3 * w, len(COLOUR_NAMES) + 1, 1)
        self.background = nn.Linear(2 * 4 * w, len(BACKGROUNDS))
        nn.init.constant_(self.thing.bias, -6.0)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        near = self.body(x)
        far = self.deep(near)
        x = torch.cat((near, F.interpolate(far, scale_factor=2.0, mode="bilinear", align_corners=False)), 1)
        # Above and below apart: the sky, and the ground.
        background = self.background(torch.cat((x[:, :, :8].mean((2, 3)), x[:, :, 8:].mean((2, 3))), 1))
        x = self.join(x)
        return self.thing(x), self.colour(x), background


@dataclass
class Look:
    """What was seen in one picture: (thing, colour or None, x, y, confidence) of each thing, and the background."""

    things: list[tuple[str, str | None, float, float, float]]
    background: str


class Judge:
    """Looks at pictures [B, 3, 256, 256] in [-1,1]."""

    def __init__(self, path: Path, threshold: float = 0.4):
        self.net = Detector()
        self.net.load_state_dict(torch.load(path, map_location="cpu", weights_only=True)["net"])
        self.net.eval()
        self.threshold = threshold

    @torch.no_grad()
    def __call__(self, pictures: torch.Tensor) -> list[Look]:
        found = []
        for part in F.avg_pool2d(pictures.clamp(-1, 1), 2).split(32):
            heat, colour, background = self.net(part)
            heat = heat.sigmoid()
            best, which = heat.max(1)
            peak = (best == F.max_pool2d(best[:, None], 3, 1, 1)[:, 0]) & (best > self.threshold)
            tint = colour.argmax(1)
            for b in range(len(part)):
                things = [(NAMES[which[b, y, x]], COLOUR_NAMES[tint[b, y, x]] if tint[b, y, x] < NATURAL else None,
                           (x + 0.5) / 16, (y + 0.5) / 16, float(best[b, y, x])) for y, x in peak[b].nonzero().tolist()]
                found.append(Look(things, BACKGROUNDS[background[b].argmax()]))
        return found


def right(scene: Scene, look: Look) -> bool:
    """Whether what was seen is what the caption asks for: exactly these things, no others, and as they should be."""
    facts, seen = scene.facts, look.things
    wanted = facts.get("things", []) * facts.get("count", 1)
    if sorted(name for name, *_ in seen) != sorted(wanted):
        return False
    if "background" in facts and look.background != facts["background"]:
        return False
    tint = {name: colour for name, colour, *_ in seen}
    if any(tint[t] != c for t, c in zip(wanted, facts.get("colours", ()))):
        return False
    if "relation" in facts:
        at = {name: (x, y) for name, _, x, y, _ in seen}
        (ax, ay), (bx, by) = (at[t] for t in facts["things"])
        dx, dy = RELATIONS[facts["relation"]]
        along, across = (ax - bx) * dx + (ay - by) * dy, abs((ax - bx) * dy) + abs((ay - by) * dx)
        return along > 0 and along >= across
    return True


def targets(scenes: list[Scene]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Soft peaks of 3x3 cells [B, things, 16, 16], colours at the centres [B, 16, 16], backgrounds [B]; -100 is ignored."""
    heat = np.zeros((len(scenes), len(NAMES), 16, 16), np.float32)
    tint = np.full((len(scenes), 16, 16), -100)
    for b, scene in enumerate(scenes):
        for item in scene.items:
            gx, gy = min(15, int(item.x * 16)), min(15, int(item.y * 16))
            for y in range(max(0, gy - 1), min(16, gy + 2)):
                for x in range(max(0, gx - 1), min(16, gx + 2)):
                    d = ((x + 0.5) / 16 - item.x) ** 2 + ((y + 0.5) / 16 - item.y) ** 2
                    value = 1.0 if (x, y) == (gx, gy) else math.exp(-d * 256 / 0.9) * 0.8
                    heat[b, item.thing, y, x] = max(heat[b, item.thing, y, x], value)
            tint[b, gy, gx] = COLOUR_NAMES.index(item.colour) if item.colour else NATURAL
    grounds = [-100 if s.style == "pencil sketch" else BACKGROUNDS.index(s.background) for s in scenes]
    return torch.from_numpy(heat), torch.from_numpy(tint), torch.tensor(grounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=12)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--things", type=int, default=1000)
    parser.add_argument("--grid", type=float, default=0.5, help="share of scenes on the latent grid, half of them tidy")
    parser.add_argument("--large", type=float, default=0.3, help="share of scenes with one large thing")
    parser.add_argument("--mix", type=json.loads, default=MIX, help="kinds of the other scenes and their weights, as JSON")
    parser.add_argument("--tints", type=float, default=0.15, help="share of centred things that are recoloured")
    parser.add_argument("--weights", type=Path, help="go on from this judge")
    parser.add_argument("--seed", type=int, default=0, help="of the scenes: another one for each piece of the training")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(5)
    device = args.device
    net = Detector()
    if args.weights:
        net.load_state_dict(torch.load(args.weights, map_location="cpu", weights_only=True)["net"])
    net.to(device, memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=0.01)
    samplers = [Sampler(args.things, heldout=None, plain=0.6, styles=0.05, empty=0, grid=g, tidy=t, tints=args.tints) for g, t in ((False, False), (True, False), (True, True))]
    rng, renderer, codec = random.Random(987_654_321 + args.seed), Renderer(device), Codec(device=device)
    shares = (1 - args.grid, args.grid / 2, args.grid / 2)
    total = sum(args.mix.values())
    kinds, weights = ["centred", "staged", *args.mix], [args.large / 2] * 2 + [(1 - args.large) * w / total for w in args.mix.values()]
    start, told, images = time.monotonic(), time.monotonic(), 0
    while (progress := (time.monotonic() - start) / 60 / args.minutes) < 1:
        scenes = [rng.choices(samplers, shares)[0].sample(rng, rng.choices(kinds, weights)[0]) for _ in range(args.batch)]
        x = renderer(scenes, 128)
        with torch.no_grad():  # what a decoder might do to a picture
            kind = rng.random()
            if kind < 0.3:
                z = codec.encode(x)
                x = codec.preview(z + 0.25 * rng.random() * torch.randn_like(z))
            elif kind < 0.55:
                x = F.interpolate(F.avg_pool2d(x, 2), scale_factor=2, mode="bilinear", align_corners=False)
            x = x + 0.15 * rng.random() * torch.randn_like(x)
        heat, tint, ground = (t.to(device) for t in targets(scenes))
        with autocast(device):
            logits, colours, grounds = (t.float() for t in net(x.contiguous(memory_format=torch.channels_last)))
        p = logits.sigmoid()
        # Quality focal loss (Li et al. 2020): the error itself weighs the cross-entropy.
        focal = ((p - heat).square() * F.binary_cross_entropy_with_logits(logits, heat, reduction="none")).sum() / args.batch
        loss = focal + F.cross_entropy(colours, tint, ignore_index=-100) + 0.5 * F.cross_entropy(grounds, ground, ignore_index=-100)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        for group in optimizer.param_groups:
            group["lr"] = 2e-3 * min(1.0, (images / args.batch + 1) / 100) * min(1.0, (1 - progress) / 0.5)
        torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimizer.step()
        images += args.batch
        if time.monotonic() - told > 20:
            told = time.monotonic()
            print(f"{images} images, loss {loss.item():.3f}", flush=True)
    torch.save({"net": {k: v.float().cpu() for k, v in net.state_dict().items()}}, args.out)


if __name__ == "__main__":
    main()
