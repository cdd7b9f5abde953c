"""Plots a trainer's log: `python -m training.plot runs/a/log.jsonl --scores training/log/scores.jsonl --out loss.png`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path


def main() -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("logs", nargs="+", type=Path)
    parser.add_argument("--scores", type=Path, help="lines that training.evaluate appended with --log")
    parser.add_argument("--out", default="loss.png")
    args = parser.parse_args()
    figure, (above, below, scores) = plt.subplots(3, 1, figsize=(7, 8), sharex=True)
    for path in args.logs:
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        above.plot([r["images"] for r in rows], [r["loss"] for r in rows], label=path.parent.name)
        below.plot([r["images"] for r in rows], [r["rate"] for r in rows])
    above.set_ylabel("loss")
    below.set_ylabel("images/s")
    if args.scores:
        lines = [json.loads(line) for line in args.scores.read_text().splitlines()]
        for task in sorted({t for line in lines for t in line["tasks"] if "held out" not in t}):
            points = [(line["images"], line["tasks"][task]["score"]) for line in lines if task in line["tasks"]]
            scores.plot(*zip(*points), "o-", label=task)
        scores.legend(fontsize=7)
    scores.set_ylim(-0.02, 1.02)
    scores.set_ylabel("score")
    scores.set_xlabel("images")
    above.legend()
    figure.tight_layout()
    figure.savefig(args.out, dpi=110)


if __name__ == "__main__":
    main()
