"""Paints batches of scenes on the device that trains: backgrounds from formulas, things from the sprite atlas.

`Renderer(device)(scenes, size)` gives [B, 3, size, size] in [-1,1]. A scene carries its own seed, so
a picture does not depend on its neighbours in the batch.
`python -m training.render --out sheet.png` writes a sheet of samples with their captions.
"""

from __future__ import annotations

import math
import random

import numpy as np
import torch
import torch.nn.functional as F

from . import atlas
from .world import COLOUR_NAMES, COLOURS, PLAIN, THINGS, Sampler, Scene

COLOUR_INDEX = {name: i for i, name in enumerate(COLOUR_NAMES)}
FIRST_SHAPE = len(THINGS)

# Sky above, sky at the horizon, ground at the horizon, ground below (RGB), horizon, waviness.
LAND = {
    "meadow": ((95, 170, 240), (205, 232, 250), (135, 200, 90), (70, 150, 55), 0.55, 0.03),
    "sea": ((120, 190, 245), (215, 238, 250), (45, 130, 190), (15, 70, 140), 0.5, 0.004),
    "desert": ((125, 190, 240), (240, 232, 205), (238, 205, 135), (205, 155, 85), 0.55, 0.045),
    "snow": ((165, 195, 225), (222, 232, 242), (245, 248, 252), (218, 228, 240), 0.55, 0.03),
    "city": ((150, 185, 225), (228, 228, 230), (130, 132, 138), (95, 97, 104), 0.72, 0.0),
    "night": ((10, 12, 40), (28, 34, 84), (28, 34, 84), (40, 44, 100), 1.2, 0.0),
    "sunset": ((75, 50, 120), (252, 165, 85), (120, 62, 82), (60, 32, 58), 0.68, 0.008),
}


def _rgb(colour) -> np.ndarray:
    return np.asarray(colour, np.float32) / 255


def _stars(rng: np.random.Generator, size: int) -> np.ndarray:
    """Forty-five small squares, [3, size, size]."""
    out = np.full((3, size, size), -1, np.float32)
    for x, y, bright, r in zip(rng.random(45), rng.random(45), rng.uniform(0.5, 1, 45), rng.uniform(0.003, 0.007, 45)):
        px, py, pr = x * size, y * size, max(r * size, 0.7)
        out[:, int(max(py - pr, 0)):int(min(py + pr + 1, size)), int(max(px - pr, 0)):int(min(px + pr + 1, size))] = bright
    return out


def _skyline(rng: np.random.Generator, size: int) -> np.ndarray:
    """Grey towers with lit windows, [3, size, size]."""
    out = np.full((3, size, size), -1, np.float32)
    step, span = size // 16, np.arange(size)
    lit = np.array([0.93, 0.88, 0.62], np.float32)[:, None, None]
    x = -0.02
    while x < 1:
        width, height, grey = rng.uniform(0.08, 0.17), rng.uniform(0.2, 0.55), rng.uniform(0.35, 0.6)
        x0, x1, y0, y1 = int(max(x, 0) * size), int(min(x + width, 1) * size), int((0.8 - height) * size), int(0.8 * size)
        out[:, y0:y1, x0:x1] = np.array([grey, grey * 1.02, grey * 1.12], np.float32)[:, None, None]
        ys, xs = (_panes(span, a + step // 2, b - step // 2, step, wide) for a, b, wide in ((y0, y1, step // 2), (x0, x1, step // 3)))
        out = np.where(ys[:, None] & xs, lit, out)
        x += width + rng.uniform(0, 0.02)
    return out


def _panes(span: np.ndarray, first: int, last: int, step: int, wide: int) -> np.ndarray:
    """Where the panes lie that begin at first, first + step, ... before last."""
    from_first = span - first
    return (from_first >= 0) & (from_first % step < wide) & (span - from_first % step < last)


class Renderer:
    def __init__(self, device: str | torch.device = "cpu"):
        self.device = torch.device(device)
        sprites = torch.from_numpy(atlas.load()).to(self.device)
        colour, alpha = sprites[:, :3], sprites[:, 3:]
        # Premultiplied, so that edges blend without dark fringes; smaller copies against aliasing.
        full = torch.cat((colour * alpha, alpha), 1)
        self.tints = torch.from_numpy(np.stack([_rgb(c) for c in COLOURS.values()])).to(self.device)
        self.grey = torch.tensor([0.3, 0.59, 0.11], device=self.device).view(3, 1, 1)
        self.levels = [full]
        while self.levels[-1].shape[-1] > 16:
            self.levels.append(F.avg_pool2d(self.levels[-1], 2))

    @torch.no_grad()
    def __call__(self, scenes: list[Scene], size: int = 256) -> torch.Tensor:
        picture = self._backgrounds(scenes, size)
        for slot in range(max((len(s.items) for s in scenes), default=0)):
            rows = [i for i, s in enumerate(scenes) if len(s.items) > slot]
            self._paste(picture, rows, [scenes[i].items[slot] for i in rows], size)
        self._styles(picture, scenes, size)
        return picture.clamp_(0, 1).mul_(2).sub_(1)

    # -- things

    def _paste(self, picture: torch.Tensor, rows: list[int], items: list, size: int) -> None:
        """Composites one thing into each of the given rows, in windows just large enough."""
        rows = np.asarray(rows)
        x, y, s, turn = (np.array([getattr(i, k) for i in items], np.float64) for k in ("x", "y", "size", "turn"))
        flip = np.array([-1.0 if i.flip else 1.0 for i in items])
        which = np.array([i.thing for i in items])
        tint = np.array([COLOUR_INDEX.get(i.colour, -1) for i in items])
        sides = np.minimum(size, 32 * np.ceil((s * size * (1.0 + 0.4 * np.minimum(np.abs(turn) * 2, 1)) + 4) / 32)).astype(int)
        levels = np.clip(np.round(np.log2(128 / np.maximum(s * size, 1)) - 0.2), 0, len(self.levels) - 1).astype(int)
        for side, level in sorted(set(zip(sides.tolist(), levels.tolist()))):
            k = np.flatnonzero((sides == side) & (levels == level))
            x0, y0 = (np.clip(np.round(v[k] * size - side / 2), 0, size - side) for v in (x, y))
            # Affine map from window coordinates in [-1,1] to sprite coordinates in [-1,1].
            scale = side / (s[k] * size)
            c, d = np.cos(turn[k]) * scale, np.sin(turn[k]) * scale
            ox, oy = (x0 + side / 2 - x[k] * size) / (side / 2), (y0 + side / 2 - y[k] * size) / (side / 2)
            theta = np.stack((np.stack((c, d, c * ox + d * oy), 1) * flip[k, None], np.stack((-d, c, -d * ox + c * oy), 1)), 1)
            grid = F.affine_grid(self._to(theta.astype(np.float32)), [len(k), 4, side, side], align_corners=False)
            sprite = F.grid_sample(self.levels[level][self._to(which[k])], grid, align_corners=False)
            sprite = self._tint(sprite, which[k], tint[k])
            span = np.arange(side)
            at = (self._to(rows[k])[:, None, None], slice(None), self._to(y0[:, None, None].astype(int) + span[:, None]), self._to(x0[:, None, None].astype(int) + span))
            colour, cover = sprite.permute(0, 2, 3, 1).split((3, 1), 3)
            picture[at] = picture[at] * (1 - cover) + colour

    def _tint(self, sprite: torch.Tensor, which: np.ndarray, tint: np.ndarray) -> torch.Tensor:
        """Recolours premultiplied sprites: dark stays dark, light stays light, the rest takes the colour."""
        rows = np.flatnonzero(tint >= 0)
        if not len(rows):
            return sprite
        target = self.tints[self._to(tint[rows])][:, :, None, None]
        rows_ = self._to(rows)
        part = sprite[rows_]
        alpha = part[:, 3:]
        light = (part[:, :3] * self.grey).sum(1, keepdim=True) / alpha.clamp(min=1e-3)
        # Two ramps: black to the colour below middle grey, the colour to a pale version of it above.
        low = target * (0.25 + 0.75 * (light / 0.55).clamp(0, 1))
        high = target + (1 - target) * 0.45 * ((light - 0.55) / 0.45).clamp(0, 1)
        out = torch.where(light < 0.55, low, high)
        shape = self._to(which[rows] >= FIRST_SHAPE).view(-1, 1, 1, 1)
        out = torch.where(shape, target.expand_as(out), out)
        sprite[rows_] = torch.cat((out * alpha, alpha), 1)
        return sprite

    def _to(self, array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.device, non_blocking=True)

    # -- backgrounds

    def _backgrounds(self, scenes: list[Scene], size: int) -> torch.Tensor:
        n = len(scenes)
        corner = np.zeros((n, 4, 3), np.float32)
        horizon = np.zeros((n, size), np.float32)
        coarse = np.zeros((n, 1, 32, 32), np.float32)
        xs = (np.arange(size, dtype=np.float32) + 0.5) / size
        rngs = [np.random.default_rng(s.seed) for s in scenes]
        for i, (scene, rng) in enumerate(zip(scenes, rngs)):
            kind, _, colour = scene.background.partition(" ")
            if kind == "plain":
                base = _rgb(PLAIN[colour]) + rng.uniform(-0.03, 0.03, 3)
                corner[i, :2], corner[i, 2:], horizon[i] = base, base, 2.0
                continue
            *colours, line, wave = LAND[kind]
            shade = rng.uniform(-0.04, 0.04, 3)
            corner[i] = np.stack([_rgb(c) for c in colours]) + shade
            line += rng.uniform(-0.06, 0.06) if line < 1 else 0
            phase, phase2 = rng.uniform(0, 2 * math.pi, 2)
            horizon[i] = line + wave * (np.sin(xs * 6.0 + phase) + 0.5 * np.sin(xs * 13.0 + phase2))
            if kind in ("meadow", "desert", "snow", "sea"):
                noise = rng.normal(0, 1, (32, 32))
                coarse[i, 0] = noise.mean(1, keepdims=True) * 4 if kind == "sea" else noise * (0.8 if kind == "meadow" else 0.35)
        device = self.device
        c = torch.from_numpy(corner).to(device)
        h = torch.from_numpy(horizon).to(device)[:, None, None, :]
        y = ((torch.arange(size, device=device) + 0.5) / size).view(1, 1, size, 1)
        sky = (y / h.clamp(max=1.2)).clamp(0, 1)
        ground = ((y - h) / (1 - h).clamp(min=0.15)).clamp(0, 1)
        edge = ((y - h) * size + 0.5).clamp(0, 1)
        grain = F.interpolate(torch.from_numpy(coarse).to(device), size=(size, size), mode="bilinear", align_corners=False) * 0.035
        pick = lambda k: c[:, k, :, None, None]  # noqa: E731
        above = pick(0) + (pick(1) - pick(0)) * sky
        below = pick(2) + (pick(3) - pick(2)) * ground + grain
        picture = above + (below - above) * edge
        for kind, paint in (("night", _stars), ("city", _skyline)):
            rows = [i for i, s in enumerate(scenes) if s.background == kind]
            if rows:  # drawn on the host, where many small rectangles cost little; negative where nothing is
                drawn = self._to(np.stack([paint(rngs[i], size) for i in rows]))
                rows_ = self._to(np.asarray(rows))
                picture[rows_] = torch.where(drawn >= 0, drawn, picture[rows_])
        rows = [i for i, s in enumerate(scenes) if s.background == "sunset"]
        if rows:
            self._discs(picture, rows, [rngs[i] for i in rows], size)
        return picture

    def _discs(self, picture: torch.Tensor, rows: list[int], rngs: list[np.random.Generator], size: int) -> None:
        x, y = self._to(np.array([(g.uniform(0.2, 0.8), g.uniform(0.5, 0.6)) for g in rngs], np.float32).T)
        axis = (torch.arange(size, device=self.device) + 0.5) / size
        distance = ((axis - x[:, None])[:, None, :] ** 2 + (axis - y[:, None])[:, :, None] ** 2).sqrt()
        cover = ((0.07 - distance) * size + 0.5).clamp(0, 1)[:, None]
        rows_ = self._to(np.asarray(rows))
        picture[rows_] += (torch.tensor([1.0, 0.93, 0.7], device=self.device).view(3, 1, 1) - picture[rows_]) * cover

    # -- styles

    def _styles(self, picture: torch.Tensor, scenes: list[Scene], size: int) -> None:
        for style, paint in (("pixel art", self._pixels), ("pencil sketch", self._pencil), ("watercolour", self._water)):
            rows = [i for i, s in enumerate(scenes) if s.style == style]
            if rows:
                picture[rows] = paint(picture[rows].clamp(0, 1), [scenes[i].seed for i in rows], size)

    def _pixels(self, picture, seeds, size):
        small = F.interpolate(picture, size=(64, 64), mode="area")
        return F.interpolate((small * 12).round() / 12, size=(size, size), mode="nearest")

    def _paper(self, seeds, size):
        noise = np.stack([np.random.default_rng(s + 1).normal(0, 1, (1, 64, 64)) for s in seeds]).astype(np.float32)
        return F.interpolate(torch.from_numpy(noise).to(self.device), size=(size, size), mode="bilinear", align_corners=False)

    def _pencil(self, picture, seeds, size):
        grey = (picture * self.grey).sum(1, keepdim=True)
        unit = size / 256
        near = _blur(grey, 0.7 * unit) if unit >= 1 else grey
        lines = (near - _blur(grey, 2.4 * unit)).abs() * 2
        # Shaded with the side of the lead: a thing keeps its lights and darks, which a model that knows it in
        # colour can go on from. Of lines alone it had made a heap of scribbles after some 400 pictures.
        out = 0.97 - lines - 0.6 * (1 - grey) + 0.02 * self._paper(seeds, size)
        return out.clamp(0.08, 1).expand(-1, 3, -1, -1)

    def _water(self, picture, seeds, size):
        unit = size / 256
        soft = _blur(picture, 2.2 * unit)
        edge = (soft - _blur(picture, 6 * unit)).abs().mean(1, keepdim=True)
        wash = 0.2 + 0.8 * soft + 0.015 * self._paper(seeds, size)
        return wash - 0.6 * edge


def _blur(x: torch.Tensor, sigma: float) -> torch.Tensor:
    radius = max(1, math.ceil(2.5 * sigma))
    t = torch.arange(-radius, radius + 1, device=x.device, dtype=x.dtype)
    k = torch.exp(-(t / sigma) ** 2 / 2)
    k = (k / k.sum()).view(1, 1, -1)
    b, c, h, w = x.shape
    x = F.pad(x, (radius,) * 4, mode="replicate").reshape(b * c, 1, h + 2 * radius, w + 2 * radius)
    return F.conv2d(F.conv2d(x, k[:, :, None, :]), k[:, :, :, None]).reshape(b, c, h, w)


def to_images(batch: torch.Tensor) -> np.ndarray:
    """[B, 3, h, w] in [-1,1] to uint8 [B, h, w, 3]."""
    return ((batch.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).cpu().numpy()


def sheet(images: np.ndarray, captions: list[str], columns: int, path: str, side: int = 160) -> None:
    """A contact sheet with the caption under each picture."""
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.load_default(11)
    rows = -(-len(images) // columns)
    out = Image.new("RGB", (columns * (side + 8), rows * (side + 36)), "white")
    draw = ImageDraw.Draw(out)
    for i, (image, caption) in enumerate(zip(images, captions)):
        x, y = i % columns * (side + 8) + 4, i // columns * (side + 36) + 4
        out.paste(Image.fromarray(image).resize((side, side), Image.Resampling.LANCZOS), (x, y))
        lines, line = [], ""
        for word in (caption or '""').split():
            if draw.textlength(f"{line} {word}", font=font) > side and line:
                lines.append(line)
                line = word
            else:
                line = f"{line} {word}".strip()
        for k, text in enumerate((lines + [line])[:2]):
            draw.text((x, y + side + 2 + 13 * k), text, fill="black", font=font)
    out.save(path)


def main() -> None:
    import argparse

    parser = argparse.ArgumentParser(description="Write a sheet of rendered samples with their captions")
    parser.add_argument("--out", default="sheet.png")
    parser.add_argument("--count", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--things", type=int, default=100)
    parser.add_argument("--size", type=int, default=256)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    sampler = Sampler(args.things)
    scenes = [sampler.sample(rng) for _ in range(args.count)]
    sheet(to_images(Renderer()(scenes, args.size)), [s.caption for s in scenes], 8, args.out)


if __name__ == "__main__":
    main()
