"""How far an image's branches stray from it: the later the branch, the smaller the part of chance.

From each of some steps k the latents are noised anew to where they stood and denoised again; the plot shows
the mean pixel distance and the correlation with the original image.
`python -m training.branches --model models/hydrogen --out docs/hydrogen-branches.png`
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from .evaluate import Model

SHARES = (0.1, 0.3, 0.5, 0.7, 0.9)
PROMPTS = ["a fox", "a cat", "a rocket", "a panda", "a mushroom", "a tree", "a penguin", "a red car"]


def measure(model: Model, seed: int = 3) -> list[dict]:
    steps = [round(s * model.steps) for s in SHARES]
    final, kept = model.latents(PROMPTS, seed, keep=steps)
    image = model.decode(final).clamp(-1, 1)
    kept_signal = model.scheduler.alphas_cumprod
    rows = []
    for share, k in zip(SHARES, steps):
        t = model.scheduler.timesteps[k]
        # What the model thought of the picture at step k, under fresh noise of the same amount.
        context = model.text.run(["last_hidden_state"], {"input_ids": model.words(PROMPTS).numpy()})[0]
        v = torch.from_numpy(model.unet.run(None, {"sample": kept[k].numpy(), "timestep": np.asarray(t, np.float32), "encoder_hidden_states": context})[0])
        a = kept_signal[t]
        guess = a.sqrt() * kept[k] - (1 - a).sqrt() * v
        noise = torch.randn(kept[k].shape, generator=torch.Generator().manual_seed(seed + 100 + k))
        branch = model.decode(model.latents(PROMPTS, seed, start=a.sqrt() * guess + (1 - a).sqrt() * noise, first=k)).clamp(-1, 1)
        flat = lambda x: (x - x.mean((1, 2, 3), keepdim=True)).flatten(1)  # noqa: E731
        same = torch.cosine_similarity(flat(branch), flat(image)).mean().item()
        rows.append({"share": share, "step": k, "distance": (branch - image).abs().mean().item() / 2, "correlation": same})
    return rows


def main() -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, default=Path("models/hydrogen"))
    parser.add_argument("--out", default="docs/hydrogen-branches.png")
    args = parser.parse_args()
    torch.set_num_threads(1)
    rows = measure(Model(args.model))
    print(json.dumps(rows))
    figure, axis = plt.subplots(figsize=(6, 4))
    axis.plot([100 * r["share"] for r in rows], [r["correlation"] for r in rows], "o-", label="correlation with the original")
    axis.plot([100 * r["share"] for r in rows], [r["distance"] for r in rows], "s-", label="mean pixel distance")
    axis.set_xlabel("branched after this share of the steps, %")
    axis.set_ylim(0, 1)
    axis.legend()
    figure.tight_layout()
    figure.savefig(args.out, dpi=110)


if __name__ == "__main__":
    main()
