"""Teaches the text encoder to read: from a caption alone, what stands where, and in which colour.

A denoiser's error says little about words, and says it late: after 27,000 pictures of lessons with pairs both
sides were still the same thing. What a caption asks for is known here, though, so a small head asks for it directly: one
learned query for each cell of an 8x8 grid attends to the tokens, as the UNet's cross-attention does, and
answers with the thing that covers the cell and its colour. No picture is painted: five captions
are read in the time of one picture. The head is thrown away; the tokens have learned to be looked up by place.

`python -m training.reading --weights start.pt --minutes 15 --out runs/words`, then
`python -m training.diffusion --weights start.pt runs/words/checkpoint.pt`, which goes on reading beside its own work.
"""

from __future__ import annotations

import json
import random

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from . import model
from .precision import autocast
from .run import Run, options, prepared
from .world import BACKGROUNDS, COLOUR_NAMES, LESSONS, NAMES, Sampler, Scene

GRID = 8
NOTHING, NATURAL = len(NAMES), len(COLOUR_NAMES)


def layout(scenes: list[Scene]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """What covers each cell [B, 64], its colour [B, 64] (-100 where nothing stands), and the background [B]."""
    things = np.full((len(scenes), GRID, GRID), NOTHING)
    colours = np.full((len(scenes), GRID, GRID), -100)
    centre = (np.arange(GRID) + 0.5) / GRID
    for b, scene in enumerate(scenes):
        for item in scene.items:
            across, down = (np.abs(centre - v) < item.size / 2 for v in (item.x, item.y))
            here = np.ix_([b], down.nonzero()[0], across.nonzero()[0])
            things[here] = item.thing
            colours[here] = COLOUR_NAMES.index(item.colour) if item.colour else NATURAL
    grounds = torch.tensor([BACKGROUNDS.index(s.background) for s in scenes])
    return torch.from_numpy(things).flatten(1), torch.from_numpy(colours).flatten(1), grounds


class Reader(nn.Module):
    """Tokens [B, S, 256] to logits of things [B, 64, things + 1], colours [B, 64, colours + 1], backgrounds [B, backgrounds]."""

    def __init__(self, width: int = 256, heads: int = 4):
        super().__init__()
        self.query = nn.Parameter(torch.randn(1, GRID * GRID + 1, width))
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.norm = nn.LayerNorm(width)
        self.thing, self.colour, self.background = (nn.Linear(width, n) for n in (NOTHING + 1, NATURAL + 1, len(BACKGROUNDS)))

    def forward(self, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        found = self.norm(self.attention(self.query.expand(len(tokens), -1, -1), tokens, tokens, need_weights=False)[0])
        cells, whole = found[:, :-1], found[:, -1]
        return self.thing(cells), self.colour(cells), self.background(whole)


def reading_loss(reader: Reader, tokens: torch.Tensor, wanted: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Cross-entropies of things, colours and background, and how many pictures' covered cells were all read rightly."""
    things, colours, grounds = (t.to(tokens.device) for t in wanted)
    thing, colour, ground = (t.float() for t in reader(tokens))
    covered = things != NOTHING
    loss = F.cross_entropy(thing.flatten(0, 1), things.flatten()) + 0.2 * F.cross_entropy(ground, grounds)
    if covered.any():
        loss = loss + 0.3 * F.cross_entropy(colour[covered], colours[covered])
    right = ((thing.argmax(2) == things) | ~covered).all(1).float().mean()
    return loss, {"read": loss.detach(), "right": right}


def main() -> None:
    parser = options(__doc__.splitlines()[0], minutes=10, batch=96, rate=1e-3, decay=0.3, things=1000)
    parser.add_argument("--mix", type=json.loads, default=LESSONS, help="kinds of scenes and their weights, as JSON")
    args = prepared(parser)
    parts = {"text_encoder": model.text_encoder(), "reader": Reader()}
    parts["text_encoder"].set_attn_implementation("eager")
    run = Run(args.out, parts, args.minutes, args.rate, weights=args.weights, device=args.device, warmup=50, decay=args.decay, average=0.995, muon=True)
    rng, words = random.Random(args.seed * 1_000_003 + run.images + 5), model.Words()
    sampler = Sampler(args.things, tidy=True, plain=0.6, styles=0, empty=0.02, tints=0.4, shapes=0.05)

    def step():
        scenes = sampler.several(rng, args.mix, args.batch)
        ids = words([s.caption for s in scenes])
        with autocast(args.device):
            tokens = parts["text_encoder"](ids.to(args.device)).last_hidden_state
            loss, values = reading_loss(parts["reader"], tokens, layout(scenes))
        return loss, args.batch, values

    run.train(step)


if __name__ == "__main__":
    main()
