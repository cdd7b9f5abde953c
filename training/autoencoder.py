"""Trains the autoencoder: the decoder against the closed-form encoder's latents, or both (`--encoder`).

`python -m training.autoencoder --minutes 60 --out runs/vae` begins or resumes. Most steps see windows
of 128 px around the things (the decoder is convolutional), the last part whole pictures. Latents
get a little noise, since a diffusion model's are never exact; better, `--painter` names trained weights, and
part of the latents are then painted by them (repaint.py).
"""

from __future__ import annotations

import random
from pathlib import Path

import torch
import torch.nn.functional as F

from .codec import Codec, autoencoder
from .precision import autocast, fast
from .render import Renderer
from .repaint import Painter
from .run import Run, options, prepared
from .world import Sampler


def edges(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return x[..., 1:] - x[..., :-1], x[..., 1:, :] - x[..., :-1, :]


def loss_of(out: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Absolute and squared error of pixels, and absolute error of their differences, which keeps edges sharp."""
    sharp = sum((a - b).abs().mean() for a, b in zip(edges(out), edges(target)))
    return (out - target).abs().mean() + (out - target).square().mean() + sharp


def main() -> None:
    # A batch counts windows; whole pictures count as four.
    parser = options(__doc__.splitlines()[0], batch=16, rate=1e-3, decay=0.5, things=1000, seed=1)
    parser.add_argument("--whole", type=float, default=0.2, help="share of the run, at its end, that sees whole pictures")
    parser.add_argument("--encoder", action="store_true", help="train the encoder too: the diffusion model must then be trained anew")
    parser.add_argument("--window", type=int, default=8, help="side of a window in latent cells of 16 px")
    parser.add_argument("--grid", action="store_true", help="things on the latent grid only")
    parser.add_argument("--noise", type=float, default=0.05)
    parser.add_argument("--painter", type=Path, help="a diffusion model's weights: part of the latents are as it paints them")
    parser.add_argument("--painted", type=float, default=0.6, help="... how large a part")
    args = prepared(parser)
    if args.encoder and args.painter:
        parser.error("--painter paints the latents of the encoder as it is, which --encoder changes")
    device = args.device
    vae = autoencoder()
    vae.encoder.requires_grad_(args.encoder)
    layout = torch.contiguous_format if fast(torch.device(device).type) is torch.float32 else torch.channels_last  # a fifth faster each
    run = Run(args.out, {"vae": vae}, args.minutes, args.rate, weights=args.weights, device=device, decay=args.decay, average=0.998, warmup=50, muon=True, memory_format=layout)
    codec, renderer = Codec(device=device), Renderer(device)
    rng = random.Random(args.seed * 1_000_003 + run.images)
    styles = 0.0 if args.grid else 0.1
    sampler = Sampler(args.things, plain=0.4, styles=styles, empty=0, grid=args.grid)
    painter = Painter(args.painter, args.things, styles, codec, renderer, device) if args.painter else None
    w = args.window

    def step():
        whole = run.progress > 1 - args.whole or args.encoder
        count = max(1, args.batch // 4) if whole else args.batch // 2
        painted = painter is not None and rng.random() < args.painted
        if painted:
            scenes, latents = painter.draw(rng, count)
        else:
            scenes = [sampler.sample(rng) for _ in range(count)]
        picture = renderer(scenes, 256)
        if not painted:
            # Half the time from the half-size render, whose latents the diffusion model learns.
            latents = None if args.encoder else codec.encode(picture if rng.random() < 0.5 else renderer(scenes, 128))
        if not whole:
            windows, targets = [], []
            for i, scene in enumerate(scenes):
                for _ in range(2):
                    item = rng.choice(scene.items) if scene.items else None
                    cx, cy = (item.x, item.y) if item else (rng.random(), rng.random())
                    x, y = (min(16 - w, max(0, round(16 * v - w / 2 + rng.uniform(-3, 3)))) for v in (cx, cy))
                    windows.append(latents[i, :, y:y + w, x:x + w])
                    targets.append(picture[i, :, 16 * y:16 * (y + w), 16 * x:16 * (x + w)])
            latents, picture = torch.stack(windows), torch.stack(targets)
        with autocast(device):
            if args.encoder:
                latents = vae.encode(picture).latent_dist.mean.float()
            if not painted:
                latents = latents + args.noise * torch.randn_like(latents)
            out = vae.decode(latents.contiguous(memory_format=layout)).sample.float()
        loss = loss_of(out, picture)
        if args.encoder:  # keep the latents' scale, and keep them quiet
            loss = loss + 1e-3 * latents.square().mean()
        quality = 10 * torch.log10(4 / (out.detach() - picture).square().mean())
        return loss, len(picture), {"psnr of painted" if painted else "psnr": quality, "whole": torch.tensor(float(whole))}

    run.train(step)


if __name__ == "__main__":
    main()
