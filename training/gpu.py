"""One piece of work for a borrowed GPU: `python -m training.gpu --minutes 8.5 --from earlier --out $OUT`.

Needs nothing but this folder (its atlas holds every glyph) and torch, diffusers, transformers, tokenizers, numpy and
pillow. A call starts from what earlier calls left in `--from` (weights in shards under 16 MiB), trains for the given
minutes and leaves its own shards (averaged weights in fp16) and the log, with what it did not train copied along, so
that the next call needs only the last one's files (50 MiB in all). Without `--stage` the autoencoder comes first, then
the words (a minute or two are enough), then the diffusion model as often as there is time. `--stage vae` after that teaches
the decoder from what the diffusion model paints. The judge last, when asked for. What follows `--` goes to the stage's trainer, for instance `-- --device cpu` to try it without a GPU, or a
`--mix` of lessons.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

SHARD = 15 * 2**20
MODULES = {"vae": "training.autoencoder", "words": "training.reading", "diffusion": "training.diffusion"}


def split(state: dict[str, dict[str, torch.Tensor]], directory: Path, name: str) -> None:
    """Writes averaged weights in fp16 as NAME-0.pt, NAME-1.pt, ..., each under 16 MiB."""
    shard, size, index = {}, 0, 0
    for part, tensors in state.items():
        for key, value in tensors.items():
            value = value.half() if value.is_floating_point() else value
            if shard and size + value.nbytes > SHARD:
                torch.save(shard, directory / f"{name}-{index}.pt")
                shard, size, index = {}, 0, index + 1
            shard[f"{part}|{key}"] = value.cpu().contiguous().clone()
            size += value.nbytes
    torch.save(shard, directory / f"{name}-{index}.pt")


def join(directory: Path, name: str) -> dict[str, dict[str, torch.Tensor]]:
    state: dict[str, dict[str, torch.Tensor]] = {}
    for path in sorted(directory.glob(f"{name}-*.pt")):
        for key, value in torch.load(path, map_location="cpu", weights_only=True).items():
            part, _, key = key.partition("|")
            state.setdefault(part, {})[key] = value.float() if value.is_floating_point() else value
    return state


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stage", choices=(*MODULES, "judge"), help="else the first that --from lacks of vae, words, diffusion")
    parser.add_argument("--minutes", type=float, default=8.5)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--from", dest="source", type=Path, help="what an earlier call left")
    parser.add_argument("--workers", type=int, default=max(1, (os.cpu_count() or 2) - 2), help="processes that render beside the diffusion trainer")
    parser.add_argument("rest", nargs="*", help="further options of the stage's trainer, after --")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    earlier = {stage: join(args.source, stage) for stage in MODULES} if args.source else {}
    if not args.stage:
        args.stage = next((stage for stage in MODULES if not earlier.get(stage)), "diffusion")
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder)
        if args.stage == "judge":
            sys.exit(subprocess.call([sys.executable, "-m", "training.judge", "--minutes", str(args.minutes), "--batch", "256", "--out", str(args.out / "judge.pt"), *args.rest]))
        command = [sys.executable, "-m", MODULES[args.stage], "--minutes", str(args.minutes), "--out", str(run), "--threads", "8"]
        command += {"vae": ["--batch", "64"], "words": ["--batch", "512"],
                    "diffusion": ["--batch", "256", "--rate", "1e-3", "--workers", str(args.workers)]}[args.stage]
        start = earlier.get(args.stage) or (earlier.get("words") if args.stage == "diffusion" else None)
        if start:
            torch.save({**start, "images": start["images"]["seen"].item()}, run / "start.pt")
            command += ["--weights", str(run / "start.pt")]
        if args.stage == "vae" and earlier.get("diffusion"):
            torch.save(earlier["diffusion"], run / "painter.pt")
            command += ["--painter", str(run / "painter.pt")]
        code = subprocess.call([*command, *args.rest])
        if code:
            sys.exit(code)
        checkpoint = torch.load(run / "checkpoint.pt", map_location="cpu", weights_only=True)
        split({**checkpoint["average"], "images": {"seen": torch.tensor(checkpoint["images"])}}, args.out, args.stage)
        if (run / "log.jsonl").exists():  # a run of less than half a minute logs nothing
            shutil.copy(run / "log.jsonl", args.out / f"{args.stage}.jsonl")
        for path in args.source.glob("*-*.pt") if args.source else ():
            if not path.name.startswith(args.stage):
                shutil.copy(path, args.out / path.name)
        print(json.dumps({"stage": args.stage, "images": checkpoint["images"], "files": sorted(p.name for p in args.out.iterdir())}))


if __name__ == "__main__":
    main()
