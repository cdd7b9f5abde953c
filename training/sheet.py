"""Paints a sheet of 64 prompts with the shipped files: `python -m training.sheet --out docs/hydrogen-samples.png`."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from .evaluate import Model
from .render import sheet, to_images
from .world import article

PROMPTS = [
    *map(article, ("fox", "cat", "owl", "tiger", "dragon", "unicorn", "whale", "butterfly", "castle", "train", "helicopter", "robot", "wizard", "snowman", "pineapple", "guitar")),
    "a red fox", "a blue cat", "a green horse", "a purple house", "a pink elephant", "a yellow car", "a white rose", "a black rabbit",
    "a red fox on a meadow", "a penguin in the snow", "a rocket at night", "a cactus in the desert", "a boat at sea", "a robot in the city",
    "a palm tree at sunset", "a blue apple on a meadow",
    "one owl", "two cats", "three stars", "four apples", "five bees", "six balloons", "three green frogs", "four blue fish",
    "a fox and a cat", "an apple and a banana", "a dog and a house", "a man and a woman", "a dragon and a castle", "a bee and a tulip", "a robot and a ghost", "the sun and the moon",
    "a man to the left of a woman", "a woman to the left of a man", "an apple above a banana", "a star above a tree", "a rocket to the right of a panda",
    "a cat below a balloon", "a duck on the left", "a tiny mouse",
    "a red car and a blue house", "a green frog and a yellow pig", "a purple cat to the right of an orange dog", "a red heart above a blue square", "a pencil sketch of a cat", "a watercolour of a house", "", ""]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=Path("models/hydrogen"))
    parser.add_argument("--out", default="docs/hydrogen-samples.png")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--side", type=int, default=160, help="pixels of each picture on the sheet")
    parser.add_argument("--guidance", type=float, help="else the model's own")
    args = parser.parse_args()
    torch.set_num_threads(1)
    model = Model(args.model, guidance=args.guidance)
    prompts = PROMPTS[:64]
    pictures = torch.cat([model.decode(model.latents(prompts[i:i + 16], args.seed + i)) for i in range(0, 64, 16)])
    sheet(to_images(pictures), prompts, 8, args.out, args.side)


if __name__ == "__main__":
    main()
