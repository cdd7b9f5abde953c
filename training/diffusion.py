"""Trains the UNet and the text encoder together on freshly rendered scenes.

`python -m training.diffusion --minutes 60 --out runs/a` begins or resumes. Latents are encoded from
half-size renders (see codec.py); the target is v (Salimans & Ho 2022), the schedule has zero terminal
signal (Lin et al. 2023); one caption in ten is empty for classifier-free guidance.
"""

from __future__ import annotations

import argparse
import random
import time
from pathlib import Path

import torch

from . import model
from .codec import Codec
from .render import Renderer
from .run import Average, Run
from .world import CURRICULUM, MIX, Sampler


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="directory of checkpoints and the log")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=6e-4)
    parser.add_argument("--warmup", type=int, default=200, help="steps until the rate is reached")
    parser.add_argument("--decay", type=float, default=0.4, help="share of the run over which the rate falls to zero")
    parser.add_argument("--things", type=int, default=CURRICULUM, help="train on the first so many things")
    parser.add_argument("--ease", type=float, default=0.0, help="share of the run over which single things give way to the full mix")
    parser.add_argument("--lean", type=float, default=0.5, help="timesteps are u ** lean: below 1 leans to noise, where words matter")
    parser.add_argument("--plain", type=float, default=0.5, help="share of plain backgrounds")
    parser.add_argument("--styles", type=float, default=0.12, help="share of styles other than flat")
    parser.add_argument("--grid", action="store_true", help="things on the latent grid only: the first curriculum")
    parser.add_argument("--centred", type=float, default=0.0, help="share of scenes with one large thing in the middle: before all else")
    parser.add_argument("--average", type=float, default=0.999, help="decay of the averaged weights")
    parser.add_argument("--weights", type=Path, help="start from these weights (a .pt of an earlier run) with a fresh optimizer")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    device = args.device
    run = Run(args.out, args.minutes, args.rate, warmup=args.warmup, decay=args.decay)

    parts = {"unet": model.unet(), "text_encoder": model.text_encoder()}
    parameters = [p for m in parts.values() for p in m.parameters()]
    images = 0
    checkpoint = args.out / "checkpoint.pt"
    state = None
    if checkpoint.exists():
        state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    elif args.weights:
        start = torch.load(args.weights, map_location="cpu", weights_only=True)
        images = start.get("images", 0)
        for name, part in parts.items():
            part.load_state_dict(start[name])
    for part in parts.values():
        part.to(device, memory_format=torch.channels_last).train()
    optimizer = torch.optim.AdamW(parameters, lr=args.rate, betas=(0.9, 0.99), weight_decay=0.01, fused=True)
    average = Average(parts, args.average)
    if state:
        for name, part in parts.items():
            part.load_state_dict(state[name])
        optimizer.load_state_dict(state["optimizer"])
        average.shadow, average.steps, images = state["average"], state["average_steps"], state["images"]
        average.shadow = {n: {k: v.to(device) for k, v in s.items()} for n, s in average.shadow.items()}

    words, codec, renderer = model.Words(), Codec(device=device), Renderer(device)
    sampler, rng = Sampler(args.things, plain=args.plain, styles=args.styles, grid=args.grid), random.Random(args.seed * 1_000_003 + images + 1)
    kept = model.scheduler().alphas_cumprod.to(device)
    kinds = list(MIX)
    dtype = torch.bfloat16
    losses, began, seen = [], time.monotonic(), 0
    print(f"{model.size(parts['unet']):.1f}M UNet, {model.size(parts['text_encoder']):.1f}M text encoder", flush=True)

    def checkpoint_state() -> dict:
        return {**{n: m.state_dict() for n, m in parts.items()}, "optimizer": optimizer.state_dict(), "average": average.shadow,
                "average_steps": average.steps, "images": images}

    while run.progress < 1:
        easy = max(0.0, 1 - run.progress / args.ease) if args.ease else 0.0
        weights = [MIX[k] + (3.0 * easy if k == "single" else 0) for k in kinds]
        scenes = [sampler.sample(rng, "centred" if rng.random() < args.centred else rng.choices(kinds, weights)[0]) for _ in range(args.batch)]
        latents = codec.encode(renderer(scenes, 128)).contiguous(memory_format=torch.channels_last)
        ids = words([s.caption for s in scenes]).to(device)
        noise = torch.randn_like(latents)
        # One timestep from each of B equal strata: less variance than independent draws.
        times = ((torch.randperm(args.batch) + torch.rand(args.batch)) / args.batch)
        times = (times ** args.lean * 1000).long().clamp(max=999).to(device)
        signal, amount = kept[times].sqrt().view(-1, 1, 1, 1), (1 - kept[times]).sqrt().view(-1, 1, 1, 1)
        with torch.autocast(torch.device(device).type, dtype):
            context = parts["text_encoder"](ids).last_hidden_state
            out = parts["unet"](signal * latents + amount * noise, times, context).sample
        loss = (out.float() - (signal * noise - amount * latents)).square().mean()
        loss.backward()
        for group in optimizer.param_groups:
            group["lr"] = run.learning_rate()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        average.update(parts)
        run.steps += 1
        images += args.batch
        seen += args.batch
        losses.append(loss.detach())
        if run.due():
            run.log(images=images, loss=torch.stack(losses).mean().item(), rate=seen / (time.monotonic() - began), lr=run.learning_rate())
            losses, began, seen = [], time.monotonic(), 0
        if run.save_due():
            run.save(checkpoint_state())
    run.save(checkpoint_state())


if __name__ == "__main__":
    main()
