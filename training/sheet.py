"""Paints a sheet of 64 prompts with the shipped files: `python -m training.sheet --out docs/hydrogen-samples.png`."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from .evaluate import Model
from .render import sheet, to_images
from .world import NAMES

PROMPTS = [f"a {name}" for name in NAMES[:24]] + ["a red circle", "a blue square", "a green heart", "a yellow triangle", "a purple diamond",
    "a blue fox", "a green cat", "a pink panda", "a red frog", "a black tiger", "a purple car", "a white rocket",
    "a fox on a blue background", "a cat on white", "a tiger on a pink background", "a rocket on black", "a tree on a yellow background",
    "two cats", "three tigers", "four rockets", "two foxes", "a fox and a cat", "an apple and a banana", "a man and a woman",
    "a fox to the left of a cat", "a man to the left of a woman", "an apple above a banana", "a star below a rocket",
    "a red car and a blue house", "a green frog and a yellow pig", "a fox in a meadow", "a penguin in the snow",
    "a rocket at night", "a balloon at sunset", "a small dog", "a tiny mushroom", "a big owl", "fox", "", ""]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=Path("models/hydrogen"))
    parser.add_argument("--out", default="docs/hydrogen-samples.png")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--side", type=int, default=160, help="pixels of each picture on the sheet")
    parser.add_argument("--guidance", type=float, default=4.0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    model = Model(args.model, guidance=args.guidance)
    prompts = PROMPTS[:64]
    pictures = torch.cat([model.decode(model.latents(prompts[i:i + 16], args.seed + i)) for i in range(0, 64, 16)])
    sheet(to_images(pictures), prompts, 8, args.out, args.side)


if __name__ == "__main__":
    main()
