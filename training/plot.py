"""Plots a trainer's log: `python -m training.plot runs/a/log.jsonl --out loss.png`."""

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
    parser.add_argument("--out", default="loss.png")
    args = parser.parse_args()
    figure, (above, below) = plt.subplots(2, 1, figsize=(7, 6), sharex=True)
    for path in args.logs:
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        above.plot([r["images"] for r in rows], [r["loss"] for r in rows], label=path.parent.name)
        below.plot([r["images"] for r in rows], [r["rate"] for r in rows])
    above.set_ylabel("loss")
    below.set_ylabel("images/s")
    below.set_xlabel("images")
    above.legend()
    figure.tight_layout()
    figure.savefig(args.out, dpi=110)


if __name__ == "__main__":
    main()
