"""Builds the sprite atlas (`atlas/atlas.png`) from Noto Color Emoji and painted shapes.

The atlas is kept in the repository, with the font's licence beside it, so that training needs no
installed font and renders stay the same when the font changes. `python -m training.atlas` rebuilds it.
"""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .world import NAMES, SHAPES, THINGS

HERE = Path(__file__).parent
FONT = "/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf"
SIDE = 128
COLUMNS = 12


def glyph(text: str, font: ImageFont.FreeTypeFont) -> Image.Image:
    """One emoji, cropped to what is painted, centred on a transparent 128 px square."""
    image = Image.new("RGBA", (160, 160))
    ImageDraw.Draw(image).text((8, 8), text, font=font, embedded_color=True)
    return fit(image)


def shape(name: str) -> Image.Image:
    """A white shape, drawn four times too large; its colour comes when it is painted."""
    s = 512
    image = Image.new("RGBA", (s, s))
    draw = ImageDraw.Draw(image)
    white = (255, 255, 255, 255)
    if name == "circle":
        draw.ellipse((16, 16, s - 16, s - 16), fill=white)
    elif name == "square":
        draw.rectangle((32, 32, s - 32, s - 32), fill=white)
    elif name == "triangle":
        draw.polygon(((s / 2, 24), (s - 12, s - 40), (12, s - 40)), fill=white)
    elif name == "diamond":
        draw.polygon(((s / 2, 8), (s - 72, s / 2), (s / 2, s - 8), (72, s / 2)), fill=white)
    else:
        t = np.linspace(0, 2 * np.pi, 400)
        x = 16 * np.sin(t) ** 3
        y = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
        draw.polygon([(s / 2 + 15 * a, s / 2 - 15 * b) for a, b in zip(x, y)], fill=white)
    return fit(image)


def fit(image: Image.Image) -> Image.Image:
    image = image.crop(image.getbbox())
    scale = (SIDE - 4) / max(image.size)
    image = image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))), Image.Resampling.LANCZOS)
    square = Image.new("RGBA", (SIDE, SIDE))
    square.paste(image, ((SIDE - image.width) // 2, (SIDE - image.height) // 2))
    return square


def build() -> None:
    font = ImageFont.truetype(FONT, 109)
    sprites = [glyph(text, font) for _, text, _ in THINGS] + [shape(name) for name in SHAPES]
    rows = -(-len(sprites) // COLUMNS)
    sheet = Image.new("RGBA", (COLUMNS * SIDE, rows * SIDE))
    for i, sprite in enumerate(sprites):
        sheet.paste(sprite, (i % COLUMNS * SIDE, i // COLUMNS * SIDE))
    (HERE / "atlas").mkdir(exist_ok=True)
    sheet.save(HERE / "atlas" / "atlas.png", optimize=True)


def load() -> np.ndarray:
    """All sprites, [N, 4, 128, 128], float32 in [0,1], straight alpha."""
    sheet = np.asarray(Image.open(HERE / "atlas" / "atlas.png").convert("RGBA"), np.float32) / 255
    sprites = [sheet[i // COLUMNS * SIDE:, i % COLUMNS * SIDE:][:SIDE, :SIDE] for i in range(len(NAMES))]
    return np.ascontiguousarray(np.stack(sprites).transpose(0, 3, 1, 2))


if __name__ == "__main__":
    build()
