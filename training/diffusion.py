"""Trains the UNet and the text encoder together on freshly rendered scenes.

`python -m training.diffusion --minutes 60 --out runs/a` begins or resumes. Latents are encoded from
half-size renders (see codec.py); the target is v (Salimans & Ho 2022), the schedule has zero terminal
signal (Lin et al. 2023); one caption in ten is empty for classifier-free guidance.
"""

from __future__ import annotations

import json

import torch

from . import model
from .feed import Lessons, feed
from .precision import autocast
from .reading import Reader, reading_loss
from .run import Run, options, prepared
from .world import CURRICULUM, MIX


def main() -> None:
    parser = options(__doc__.splitlines()[0], batch=48, rate=1e-3, decay=0.4, things=CURRICULUM)
    parser.add_argument("--warmup", type=int, default=200, help="steps until the rate is reached")
    parser.add_argument("--mix", type=json.loads, default=MIX, help="kinds of scenes and their weights, as JSON")
    parser.add_argument("--lean", type=float, default=0.5, help="timesteps are u ** lean: below 1 leans to noise, where words matter")
    parser.add_argument("--plain", type=float, default=0.5, help="share of plain backgrounds")
    parser.add_argument("--styles", type=float, default=0.12, help="share of styles other than flat")
    parser.add_argument("--grid", action="store_true", help="things on the latent grid only: the first curriculum")
    parser.add_argument("--tidy", action="store_true", help="one arrangement for each thing that can be said: before the grid")
    parser.add_argument("--shapes", type=float, help="share of plain shapes among the things")
    parser.add_argument("--tints", type=float, default=0.15, help="share of centred things that are recoloured")
    parser.add_argument("--average", type=float, default=0.999, help="decay of the averaged weights")
    parser.add_argument("--reading", type=float, default=0.2, help="weight of the reading head's loss (training.reading); 0 leaves the head out")
    parser.add_argument("--workers", type=int, default=0, help="processes that render beside the trainer: for a GPU, as many as it has cores")
    args = prepared(parser)
    device = args.device
    parts = {"unet": model.unet(), "text_encoder": model.text_encoder()}
    parts["text_encoder"].set_attn_implementation("eager")  # its backward pass is faster on a CPU than the fused kernel's
    if args.reading:
        parts["reader"] = Reader()
    run = Run(args.out, parts, args.minutes, args.rate, weights=args.weights, device=device, warmup=args.warmup, decay=args.decay,
              average=args.average, muon=True)
    lessons = Lessons(args.things, args.mix, args.batch, plain=args.plain, styles=args.styles, grid=args.grid, tidy=args.tidy, shapes=args.shapes, tints=args.tints)
    batches = feed(lessons, args.workers, args.seed * 1_000_003 + run.images + 1, device)
    kept = model.scheduler().alphas_cumprod.to(device)
    print(f"{model.size(parts['unet']):.1f}M UNet, {model.size(parts['text_encoder']):.1f}M text encoder", flush=True)

    def step():
        latents, ids, wanted = next(batches)
        noise = torch.randn_like(latents)
        # One timestep from each of B equal strata: less variance than independent draws.
        times = (torch.randperm(args.batch, device=device) + torch.rand(args.batch, device=device)) / args.batch
        times = (times ** args.lean * 1000).long().clamp(max=999)
        signal, amount = kept[times].sqrt().view(-1, 1, 1, 1), (1 - kept[times]).sqrt().view(-1, 1, 1, 1)
        with autocast(device):
            context = parts["text_encoder"](ids).last_hidden_state
            out = parts["unet"](signal * latents + amount * noise, times, context).sample
            read, values = reading_loss(parts["reader"], context, wanted) if args.reading else (0.0, {})
        error = (out.float() - (signal * noise - amount * latents)).square().mean()
        return error + args.reading * read, args.batch, {"error": error.detach(), **values}

    run.train(step)


if __name__ == "__main__":
    main()
