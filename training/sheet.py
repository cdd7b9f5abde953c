"""Paints a sheet of 64 prompts with the shipped files: `python -m training.sheet --out docs/hydrogen-samples.png`."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from .evaluate import Model
from .render import sheet, to_images
from .world import NAMES, article

PROMPTS = [article(name) for name in NAMES[:24]] + ["a red fox on a meadow", "a blue cat", "a green dog at night", "a purple house in the snow",
    "a pink panda", "a yellow car in the desert", "a blue apple on a meadow", "a red tiger", "a white rocket at sunset", "a black rabbit in the desert",
    "a blue fox on a meadow", "an orange frog", "a fox on a meadow", "a penguin in the snow", "a rocket at night", "a cat in the city",
    "two cats", "two foxes", "three stars", "four apples", "a fox and a cat", "an apple and a banana", "a man and a woman", "a dog and a house",
    "a fox to the left of a house", "a man to the left of a woman", "a woman to the left of a man", "an apple above a banana",
    "a star above a tree", "a rocket to the right of a panda", "a cat on the left", "a small dog", "a red car and a blue house", "a green frog and a yellow pig",
    "a red heart", "a blue square", "fox", "red fox", "", ""]


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
