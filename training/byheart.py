"""Can the words be learned at all? Sixteen fixed pictures of one centred thing each, at high noise, by heart.

`python -m training.byheart --steps 300` prints the loss at the place of the thing; it falls from 3 to 0.1
within 300 steps. Run it after every change to the model: what fails here fails everywhere.
"""

from __future__ import annotations

import argparse

import torch

from . import model
from .codec import Codec
from .precision import autocast
from .render import Renderer
from .world import NAMES, Item, Scene


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    unet, text = model.unet().to(memory_format=torch.channels_last), model.text_encoder().train()
    scenes = [Scene([Item(i, 0.5, 0.5, 10 / 16)], "plain white", caption=f"a {NAMES[i]}") for i in range(16)]
    latents, ids = Codec().encode(Renderer()(scenes, 128)), model.Words()([s.caption for s in scenes])
    thing = (latents[:, 4:].abs().amax(1, keepdim=True) > 0.3).float()
    kept = model.scheduler().alphas_cumprod
    parameters = [*unet.parameters(), *text.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=args.rate, betas=(0.9, 0.99))
    for step in range(args.steps):
        noise, times = torch.randn_like(latents), torch.randint(850, 1000, (len(latents),))
        signal, amount = kept[times].sqrt().view(-1, 1, 1, 1), (1 - kept[times]).sqrt().view(-1, 1, 1, 1)
        with autocast("cpu"):
            out = unet(signal * latents + amount * noise, times, text(ids).last_hidden_state).sample.float()
        error = (out - (signal * noise - amount * latents)).square()
        error.mean().backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        for group in optimizer.param_groups:
            group["lr"] = args.rate * min(1.0, (step + 1) / 20)
        optimizer.step()
        optimizer.zero_grad()
        if step % 15 == 0 or step == args.steps - 1:
            there = ((error * thing).sum() / thing.sum() / latents.shape[1]).item()
            print(f"{step:>5} loss {error.mean().item():.3f}, at the thing {there:.3f}", flush=True)


if __name__ == "__main__":
    main()
