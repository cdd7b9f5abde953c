"""The closed world of the embedded model: its words, its scenes, its captions.

A scene is plain data (`Scene`): what stands where, how large, in which colour, before which
background, in which style. `sample` draws scenes together with captions that are true of them;
`render.py` paints them. Nothing here touches torch, and the same `random.Random` gives the same
scenes for ever.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent

# Name, glyph, synonyms. The order matters: a run may train on the first N only (`--things N`),
# so what people ask for first, and what is easiest to tell apart, stands first.
THINGS: list[tuple[str, str, tuple[str, ...]]] = [
    ("fox", "🦊", ()), ("cat", "🐱", ("kitten",)), ("dog", "🐶", ("puppy",)), ("tiger", "🐯", ()),
    ("man", "👨", ()), ("woman", "👩", ()), ("frog", "🐸", ("toad",)), ("panda", "🐼", ()),
    ("car", "🚗", ("automobile",)), ("tree", "🌳", ()), ("house", "🏠", ("home",)), ("apple", "🍎", ()),
    ("banana", "🍌", ()), ("fish", "🐟", ()), ("rocket", "🚀", ()), ("star", "⭐", ()),
    ("sunflower", "🌻", ()), ("mushroom", "🍄", ("toadstool",)), ("pizza", "🍕", ("slice of pizza",)),
    ("balloon", "🎈", ()), ("penguin", "🐧", ()), ("lion", "🦁", ()), ("rabbit", "🐰", ("bunny",)),
    ("pig", "🐷", ()), ("bear", "🐻", ()), ("owl", "🦉", ()), ("butterfly", "🦋", ()),
    ("turtle", "🐢", ("tortoise",)), ("octopus", "🐙", ()), ("whale", "🐳", ()), ("bus", "🚌", ()),
    ("bicycle", "🚲", ("bike",)), ("boat", "⛵", ("sailboat",)), ("aeroplane", "✈️", ("airplane", "plane")),
    ("strawberry", "🍓", ()), ("watermelon", "🍉", ()), ("cactus", "🌵", ()), ("rose", "🌹", ()),
    ("robot", "🤖", ()), ("ghost", "👻", ()), ("football", "⚽", ("soccer ball",)), ("guitar", "🎸", ()),
    ("clock", "🕐", ()), ("key", "🔑", ()), ("umbrella", "☂️", ()), ("burger", "🍔", ("hamburger",)),
    ("cake", "🎂", ("birthday cake",)), ("crown", "👑", ()),
    # forty-eight so far: the first curriculum
    ("monkey", "🐵", ()), ("cow", "🐮", ()), ("horse", "🐴", ()), ("unicorn", "🦄", ()),
    ("elephant", "🐘", ()), ("chick", "🐤", ("baby chick",)), ("duck", "🦆", ()), ("snake", "🐍", ()),
    ("crab", "🦀", ()), ("bee", "🐝", ("honeybee",)), ("snail", "🐌", ()), ("dolphin", "🐬", ()),
    ("shark", "🦈", ()), ("koala", "🐨", ()), ("mouse", "🐭", ()), ("wolf", "🐺", ()),
    ("chicken", "🐔", ("hen",)), ("dinosaur", "🦕", ("sauropod",)), ("dragon", "🐉", ()),
    ("boy", "👦", ()), ("girl", "👧", ()), ("clown", "🤡", ()), ("alien", "👽", ()),
    ("snowman", "⛄", ()), ("princess", "👸", ()), ("wizard", "🧙", ("mage",)),
    ("palm tree", "🌴", ("palm",)), ("pine tree", "🌲", ("fir tree", "evergreen")), ("tulip", "🌷", ()),
    ("clover", "🍀", ("four leaf clover",)), ("grapes", "🍇", ()), ("orange fruit", "🍊", ("tangerine",)),
    ("lemon", "🍋", ()), ("pineapple", "🍍", ()), ("cherries", "🍒", ()), ("carrot", "🥕", ()),
    ("corn", "🌽", ("ear of corn",)), ("bread", "🍞", ("loaf of bread",)), ("ice cream", "🍦", ()),
    ("doughnut", "🍩", ("donut",)), ("cookie", "🍪", ()), ("cup of coffee", "☕", ("coffee",)),
    ("train", "🚂", ("locomotive",)), ("tractor", "🚜", ()), ("ambulance", "🚑", ()),
    ("helicopter", "🚁", ()), ("castle", "🏰", ()), ("church", "⛪", ()), ("tent", "⛺", ()),
    ("moon", "🌙", ("crescent moon",)), ("sun", "☀️", ()), ("bell", "🔔", ()), ("book", "📕", ()),
    ("gift", "🎁", ("present",)), ("lamp", "💡", ("light bulb",)), ("hat", "🎩", ("top hat",)),
]
SHAPES = ("circle", "square", "triangle", "diamond", "heart")  # painted, never without a colour
NAMES = [name for name, _, _ in THINGS] + list(SHAPES)
INDEX = {name: i for i, name in enumerate(NAMES)}
SYNONYMS = {name: synonyms for name, _, synonyms in THINGS}
CURRICULUM = 48

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (225, 38, 38), "orange": (250, 140, 20), "yellow": (250, 215, 40), "green": (40, 165, 60),
    "blue": (40, 95, 225), "purple": (140, 60, 190), "pink": (250, 125, 180), "white": (245, 245, 245),
    "black": (40, 40, 44),
}
COLOUR_NAMES = list(COLOURS)

# Plain backgrounds are paler than the tints, so that a red fox shows on red.
PLAIN: dict[str, tuple[int, int, int]] = {
    "white": (250, 250, 250), "grey": (170, 172, 176), "black": (22, 22, 26), "red": (240, 150, 145),
    "orange": (250, 205, 150), "yellow": (250, 238, 165), "green": (165, 220, 165),
    "blue": (150, 195, 245), "purple": (205, 175, 235), "pink": (250, 205, 225),
}
PLACES_OF = {  # background: (phrases with it, phrases of it alone)
    "meadow": (("in a meadow", "on a meadow", "on the grass"), ("a meadow", "meadow", "green grass under a blue sky")),
    "sea": (("at sea", "on the sea", "by the ocean"), ("the sea", "sea", "the ocean", "blue water")),
    "desert": (("in the desert", "in a desert", "on sand"), ("a desert", "desert", "sand dunes")),
    "snow": (("in the snow", "in snow", "on a snowy field"), ("snow", "a snowy field", "a winter landscape")),
    "city": (("in the city", "in a city", "before a skyline"), ("a city", "city", "a skyline")),
    "night": (("at night", "under the stars", "in the night sky"), ("a night sky with stars", "night", "stars at night")),
    "sunset": (("at sunset", "in the sunset", "in the evening"), ("a sunset", "sunset", "evening sky")),
}
SCENERY = list(PLACES_OF)
BACKGROUNDS = SCENERY + [f"plain {c}" for c in PLAIN]
STYLES = ("flat", "pixel art", "pencil sketch", "watercolour")
STYLE_WORDS = {
    "pixel art": ("pixel art of {}", "{}, pixel art", "a pixel art picture of {}"),
    "pencil sketch": ("a pencil sketch of {}", "{}, pencil sketch", "a pencil drawing of {}"),
    "watercolour": ("a watercolour of {}", "{}, watercolour", "a watercolor painting of {}"),
}
COUNTS = {1: ("one", "a single", "1"), 2: ("two", "2"), 3: ("three", "3"), 4: ("four", "4"), 5: ("five", "5"), 6: ("six", "6")}
SIZES = {"tiny": (0.14, 0.19), "small": (0.2, 0.28), "": (0.3, 0.48), "big": (0.55, 0.75)}
PLACES = {
    "on the left": (0.25, 0.5), "on the right": (0.75, 0.5), "at the top": (0.5, 0.25),
    "at the bottom": (0.5, 0.75), "in the middle": (0.5, 0.5),
}
RELATIONS = {  # phrase for "A ... B": (dx, dy) of A as seen from B
    "left": (-1, 0), "right": (1, 0), "above": (0, -1), "below": (0, 1),
}
RELATION_WORDS = {
    "left": ("to the left of", "left of"), "right": ("to the right of", "right of"),
    "above": ("above", "over", "on top of"), "below": ("below", "under", "beneath"),
}
OPPOSITE = {"left": "right", "right": "left", "above": "below", "below": "above"}
INVERTED = {"left": "with {} on its left", "right": "with {} on its right", "above": "with {} above it", "below": "with {} below it"}
MAX_OBJECTS = 6


@dataclass
class Item:
    """One painted thing. `x`, `y`: centre, `size`: width, all in [0,1] of the picture; `turn` in radians."""

    thing: int
    x: float
    y: float
    size: float
    colour: str | None = None
    flip: bool = False
    turn: float = 0.0


@dataclass
class Scene:
    items: list[Item]
    background: str
    style: str = "flat"
    seed: int = 0
    caption: str = ""
    kind: str = ""
    facts: dict = field(default_factory=dict)  # what the judge asks for


def plural(name: str) -> str:
    irregular = {"man": "men", "woman": "women", "fish": "fish", "mouse": "mice", "wolf": "wolves", "grapes": "bunches of grapes",
                 "cherries": "pairs of cherries", "cactus": "cacti", "cup of coffee": "cups of coffee", "slice of pizza": "slices of pizza",
                 "loaf of bread": "loaves of bread", "ear of corn": "ears of corn", "bread": "loaves of bread", "corn": "ears of corn",
                 "pizza": "pizzas", "coffee": "cups of coffee"}
    if name in irregular:
        return irregular[name]
    if name.endswith(("s", "x", "ch", "sh")):
        return name + "es"
    if name.endswith("y") and name[-2] not in "aeiou":
        return name[:-1] + "ies"
    return name + "s"


def article(words: str) -> str:
    if words.startswith(("grapes", "cherries")):
        return words
    return ("an " if words[0] in "aeiou" and not words.startswith("unicorn") else "a ") + words


class Heldout:
    """Combinations that are never trained on, read from `heldout.json`; names, so that a person can check."""

    def __init__(self, path: Path = HERE / "heldout.json"):
        data = json.loads(path.read_text())
        self.colour = {tuple(pair) for pair in data["thing and colour"]}
        self.pair = {frozenset(pair) for pair in data["thing and thing"]}
        self.count = {(thing, count) for thing, count in data["thing and count"]}

    def holds(self, scene: Scene) -> bool:
        """Whether the scene contains a held-out combination."""
        names = [NAMES[item.thing] for item in scene.items]
        if any((name, item.colour) in self.colour for name, item in zip(names, scene.items)):
            return True
        if len(set(names)) == 1:
            return (names[0], len(names)) in self.count
        return any(frozenset((a, b)) in self.pair for i, a in enumerate(names) for b in names[:i])


def make_heldout(seed: int = 20) -> dict:
    """About a tenth of each kind of combination, drawn once and then committed."""
    rng = random.Random(seed)
    n = len(NAMES)
    return {
        "thing and colour": [[t, c] for t in NAMES for c in COLOUR_NAMES if rng.random() < 0.12],
        "thing and thing": [[NAMES[i], NAMES[j]] for i in range(n) for j in range(i) if rng.random() < 0.08],
        "thing and count": [[t, k] for t in NAMES for k in (2, 3, 4) if rng.random() < 0.12],
    }


# How often each kind of scene is drawn while training.
MIX = {"single": 0.22, "colour": 0.12, "staged": 0.07, "two": 0.14, "position": 0.18, "count": 0.16, "binding": 0.09, "scene": 0.02}
# The same for tidy scenes, where most is to be learned from pairs.
LESSONS = {"centred": 0.1, "staged": 0.12, "single": 0.12, "two": 0.18, "position": 0.2, "count": 0.14, "binding": 0.12, "scene": 0.02}

# What an empty caption gets: scenery, alone or with one large thing. Far fewer pictures than there are with words, so that
# a small model can paint one without being told which.
UNSAID = {"scene": 0.4, "staged": 0.6}


class Sampler:
    """Draws scenes with captions that are true of them.

    `things`: only the first so many glyphs (the shapes always belong). `heldout`: "skip" for
    training, "only" for the held-out sets, None for everything. `grid`: things stand upright on the
    latent grid in four sizes, so that a thing looks the same to a convolution wherever it stands:
    the first curriculum, many times easier to learn than free places and sizes. `tidy`: easier still,
    one arrangement for each thing that can be said (`tidy` below), before the grid's many. `shapes`: their
    share among the things (else each counts as one thing). `tints`: how often a centred thing is recoloured. `empty`: how often
    nothing is said; the picture is then one of `UNSAID`, whatever kind was asked for.
    """

    def __init__(self, things: int = len(THINGS), heldout: str | None = "skip", plain: float = 0.5, styles: float = 0.12, empty: float = 0.1, grid: bool = False, tidy: bool = False,
                 shapes: float | None = None, tints: float = 0.15):
        self.pool = list(range(min(things, len(THINGS)))) + list(range(len(THINGS), len(NAMES)))
        self.rule, self.heldout = heldout, Heldout() if heldout else None
        self.shapes, self.tints = shapes, tints
        self.plain, self.styles, self.empty, self.grid, self.tidy = plain, styles, empty, grid, tidy

    def sample(self, rng: random.Random, kind: str | None = None) -> Scene:
        unsaid = self.rule != "only" and self.empty > 0 and rng.random() < self.empty  # nothing unsaid is held out
        if unsaid or not kind:
            mix = UNSAID if unsaid else MIX
            kind = rng.choices(list(mix), list(mix.values()))[0]
        while True:
            scene = getattr(self, "_" + kind)(rng)
            if unsaid and "colours" in scene.facts:
                continue
            if self.rule and kind != "scene" and self.heldout.holds(scene) != (self.rule == "only"):
                continue
            if self._visible(scene):
                break
        if self.tidy:
            tidy(scene)
        if self.grid or self.tidy:
            for item in scene.items:
                snap(item)
        scene.kind, scene.seed = kind, rng.getrandbits(31)
        if unsaid:
            scene.caption = ""
        return scene

    def several(self, rng: random.Random, mix: dict[str, float], count: int) -> list[Scene]:
        """`count` scenes of kinds drawn from a mix of names and weights."""
        return [self.sample(rng, kind) for kind in rng.choices(list(mix), list(mix.values()), k=count)]

    # -- parts

    def _thing(self, rng: random.Random, other: Item | None = None) -> Item:
        while True:
            if self.shapes is None:
                t = rng.choice(self.pool)
            else:
                t = rng.choice(self.pool[-len(SHAPES):] if rng.random() < self.shapes else self.pool[:-len(SHAPES)])
            if other is None or t != other.thing:
                break
        item = Item(t, 0.5, 0.5, 0.4, flip=rng.random() < 0.3, turn=rng.gauss(0, 0.08))
        if NAMES[t] in SHAPES:
            item.colour, item.turn = rng.choice(COLOUR_NAMES), 0.0
        if NAMES[t] in ("clock",):
            item.flip = False
        return item

    def _background(self, rng: random.Random) -> str:
        return f"plain {rng.choice(list(PLAIN))}" if rng.random() < self.plain else rng.choice(SCENERY)

    def _visible(self, scene: Scene) -> bool:
        for item in scene.items:
            dark = scene.background in ("night", "plain black")
            pale = scene.background in ("snow", "plain white")
            if item.colour == "black" and dark or item.colour == "white" and pale:
                return False
            if item.colour and scene.background == f"plain {item.colour}":
                return False
        return True

    def _noun(self, rng: random.Random, item: Item, colour: bool = True) -> str:
        name = NAMES[item.thing]
        others = SYNONYMS.get(name, ())
        word = rng.choice(others) if others and rng.random() < 0.25 else name
        return f"{item.colour} {word}" if item.colour and colour else word

    def _phrase(self, rng: random.Random, item: Item, terse: bool, size: str = "") -> str:
        words = self._noun(rng, item)
        if size:
            synonyms = {"tiny": ("tiny", "very small"), "small": ("small", "little"), "big": ("big", "large", "huge")}
            words = f"{rng.choice(synonyms[size])} {words}"
        return words if terse else article(words)

    def _dress(self, rng: random.Random, words: str, scene: Scene) -> str:
        """Adds background and style to a caption, each only sometimes: what is said is always true."""
        kind, _, colour = scene.background.partition(" ")
        if rng.random() < 0.6:
            if kind == "plain":
                words += rng.choice((f" on a {colour} background", f" on {colour}", f", {colour} background"))
            else:
                words += " " + rng.choice(PLACES_OF[kind][0])
        if scene.style != "flat":
            words = rng.choice(STYLE_WORDS[scene.style]).format(words)
        elif rng.random() < 0.08:
            words = rng.choice(("a picture of {}", "an image of {}", "{}, flat", "a drawing of {}", "there is {}")).format(words)
        return words

    def _style(self, rng: random.Random, coloured: bool) -> str:
        if rng.random() >= self.styles:
            return "flat"
        if coloured:  # a pencil has none
            return rng.choice(("pixel art", "watercolour"))
        return rng.choices(STYLES[1:], (1, 3, 2))[0]  # most to be learned from the pencil, least from what is nearly flat

    def _finish(self, rng: random.Random, items: list[Item], words: str, **facts) -> Scene:
        scene = Scene(items, self._background(rng), self._style(rng, any(i.colour for i in items)), facts=facts)
        scene.caption = self._dress(rng, words, scene)
        return scene

    # -- kinds

    def _single(self, rng: random.Random) -> Scene:
        item = self._thing(rng)
        size = rng.choices(list(SIZES), (0.06, 0.12, 0.47, 0.35))[0]
        item.size = rng.uniform(*SIZES[size])
        place = rng.choice(list(PLACES)) if size != "big" and rng.random() < 0.35 else ""
        half = item.size / 2 + 0.02
        if place:
            x, y = PLACES[place]
            item.x, item.y = (min(max(v + rng.uniform(-0.06, 0.06), half), 1 - half) for v in (x, y))
        else:
            spread = 0.05 if rng.random() < 0.75 else 0.5
            item.x, item.y = (min(max(0.5 + rng.uniform(-spread, spread), half), 1 - half) for _ in "xy")
        terse = rng.random() < 0.3
        words = self._phrase(rng, item, terse, size)
        if place:
            words = f"{words} {place}"
        return self._finish(rng, [item], words, things=[NAMES[item.thing]], place=place)

    def _centred(self, rng: random.Random) -> Scene:
        """The very first curriculum: one large thing in the middle, sometimes tinted."""
        item = self._thing(rng)
        item.size = GRID_SIZES[-1] / 16
        if rng.random() < self.tints:
            item.colour = rng.choice(COLOUR_NAMES)
        facts = {"colours": [item.colour]} if item.colour else {}
        return self._finish(rng, [item], self._phrase(rng, item, rng.random() < 0.3), things=[NAMES[item.thing]], **facts)

    def _colour(self, rng: random.Random) -> Scene:
        item = self._thing(rng)
        item.colour = rng.choice(COLOUR_NAMES)
        item.size = rng.uniform(0.3, 0.6)
        half = item.size / 2 + 0.02
        item.x, item.y = (rng.uniform(half, 1 - half) for _ in "xy")
        return self._finish(rng, [item], self._phrase(rng, item, rng.random() < 0.3), things=[NAMES[item.thing]], colours=[item.colour])

    def _pair(self, rng: random.Random, relation: str | None, coloured: bool) -> tuple[Item, Item]:
        a = self._thing(rng)
        b = self._thing(rng, a)
        if coloured:
            a.colour, b.colour = rng.sample(COLOUR_NAMES, 2)
        dx, dy = RELATIONS[relation or rng.choice(("left", "right", "above", "below"))]
        a.size, b.size = rng.uniform(0.26, 0.42), rng.uniform(0.26, 0.42)
        gap = (a.size + b.size) / 2 + rng.uniform(0.02, 0.12)
        cx, cy = (0.5 + rng.uniform(-0.08, 0.08) for _ in "xy")
        side = rng.uniform(-0.1, 0.1)
        for item, sign in ((a, 1), (b, -1)):
            half = item.size / 2 + 0.01
            item.x = min(max(cx + sign * (dx * gap / 2 + (side / 2 if dy else 0)), half), 1 - half)
            item.y = min(max(cy + sign * (dy * gap / 2 + (side / 2 if dx else 0)), half), 1 - half)
        return a, b

    def _join(self, rng: random.Random, a: Item, b: Item) -> str:
        terse = rng.random() < 0.25
        first, second = (self._phrase(rng, i, terse) for i in (a, b))
        return rng.choice(("{} and {}", "{} and {}", "{} with {}", "{} next to {}", "{}, {}")).format(first, second)

    def _two(self, rng: random.Random) -> Scene:
        a, b = self._pair(rng, None, False)
        return self._finish(rng, [a, b], self._join(rng, a, b), things=[NAMES[a.thing], NAMES[b.thing]])

    def _binding(self, rng: random.Random) -> Scene:
        a, b = self._pair(rng, None, True)
        return self._finish(rng, [a, b], self._join(rng, a, b), things=[NAMES[a.thing], NAMES[b.thing]], colours=[a.colour, b.colour])

    def _position(self, rng: random.Random) -> Scene:
        relation = rng.choice(list(RELATIONS))
        a, b = self._pair(rng, relation, rng.random() < 0.15)
        terse = rng.random() < 0.2
        first, second = (self._phrase(rng, i, terse) for i in (a, b))
        if rng.random() < 0.25:
            words = f"{second} {INVERTED[relation].format(first)}"
        else:
            words = f"{first} {rng.choice(RELATION_WORDS[relation])} {second}"
        return self._finish(rng, [a, b], words, things=[NAMES[a.thing], NAMES[b.thing]], relation=relation)

    def _count(self, rng: random.Random) -> Scene:
        n = rng.choices((1, 2, 3, 4, 5, 6), (0.12, 0.26, 0.24, 0.2, 0.1, 0.08))[0]
        first = self._thing(rng)
        if rng.random() < 0.15:
            first.colour = rng.choice(COLOUR_NAMES)
        items = [Item(first.thing, x, y, s, first.colour, first.flip, rng.gauss(0, 0.08) if first.turn else 0.0) for x, y, s in spread(rng, n)]
        name = self._noun(rng, first, colour=False)
        name = name if n == 1 else plural(name)
        if first.colour:
            name = f"{first.colour} {name}"
        words = f"{rng.choice(COUNTS[n])} {name}"
        return self._finish(rng, items, words, things=[NAMES[first.thing]], count=n)

    def _staged(self, rng: random.Random) -> Scene:
        """One large thing before scenery, and the caption says so: "a red fox on a meadow"."""
        item = self._thing(rng)
        item.size = GRID_SIZES[-1] / 16 if self.grid else rng.uniform(0.45, 0.7)
        item.y = 0.5 if self.grid else rng.uniform(0.5, 0.6)
        if rng.random() < 0.5:
            item.colour = rng.choice(COLOUR_NAMES)
        background = rng.choice(SCENERY)
        facts = {"colours": [item.colour]} if item.colour else {}
        words = f"{self._phrase(rng, item, rng.random() < 0.3)} {rng.choice(PLACES_OF[background][0])}"
        return Scene([item], background, caption=words, facts={"things": [NAMES[item.thing]], "background": background, **facts})

    def _scene(self, rng: random.Random) -> Scene:
        background = rng.choice(SCENERY)
        return Scene([], background, caption=rng.choice(PLACES_OF[background][1]), facts={"background": background})


GRID_SIZES = (2, 4, 6, 10)  # in latent cells of 1/16 of the picture


def snap(item: Item) -> None:
    """Puts a thing on the latent grid, upright, in the nearest of a few sizes that is not larger than a cell more."""
    cells = min(GRID_SIZES, key=lambda c: abs(c / 16 - item.size))
    item.size, item.turn, item.flip = cells / 16, 0.0, False
    item.x, item.y = (min(max(round(v * 16 - cells / 2), 0), 16 - cells) / 16 + item.size / 2 for v in (item.x, item.y))


ROWS = {1: ((8, 8, 10),), 2: ((4, 8, 6), (12, 8, 6)), 3: ((3, 8, 4), (8, 8, 4), (13, 8, 4)),
        4: ((4, 4, 6), (12, 4, 6), (4, 12, 6), (12, 12, 6)), 5: ((3, 5, 4), (8, 5, 4), (13, 5, 4), (5, 11, 4), (11, 11, 4)),
        6: ((3, 5, 4), (8, 5, 4), (13, 5, 4), (3, 11, 4), (8, 11, 4), (13, 11, 4))}  # centres and sizes in latent cells, by count


def tidy(scene: Scene) -> None:
    """Lays a scene out in the one way that its caption has: large and in the middle, or two sides, or rows."""
    n = len(scene.items)
    if "relation" in scene.facts:
        dx, dy = RELATIONS[scene.facts["relation"]]
        cells = [(8 + 4 * sign * dx, 8 + 4 * sign * dy, 6) for sign in (1, -1)]
    elif n == 1 and scene.facts.get("place", "in the middle") not in ("", "in the middle"):
        x, y = PLACES[scene.facts["place"]]
        cells = [(16 * x, 16 * y, 6 if scene.items[0].size >= SIZES[""][0] else 4)]
    elif n == 1 and scene.items[0].size < SIZES[""][0]:
        cells = [(8, 8, 4 if scene.items[0].size < SIZES["small"][0] else 6)]
    else:
        cells = ROWS.get(n, ())
    for item, (x, y, size) in zip(scene.items, cells):
        item.x, item.y, item.size = x / 16, y / 16, size / 16


def spread(rng: random.Random, n: int) -> list[tuple[float, float, float]]:
    """n non-overlapping places (x, y, size), roughly in rows, never a strict grid."""
    rows = {1: (1,), 2: rng.choice(((2,), (1, 1))), 3: rng.choice(((3,), (2, 1), (1, 2))), 4: rng.choice(((2, 2), (2, 2), (1, 3), (3, 1))),
            5: rng.choice(((3, 2), (2, 3))), 6: rng.choice(((3, 3), (2, 2, 2)))}[n]
    cell_w, cell_h = 0.96 / max(rows), 0.96 / len(rows)
    size = min(cell_w, cell_h) * rng.uniform(0.7, 0.88)
    size = min(size, 0.5)
    cell_h = min(cell_h, size * 1.35)
    top = 0.5 - cell_h * len(rows) / 2
    places = []
    for r, k in enumerate(rows):
        left = 0.5 - cell_w * k / 2
        for c in range(k):
            slack = (min(cell_w, cell_h) - size) / 2
            places.append((left + cell_w * (c + 0.5) + rng.uniform(-slack, slack), top + cell_h * (r + 0.5) + rng.uniform(-slack, slack), size))
    return places


def vocabulary() -> list[str]:
    """Captions enough to learn every word of the world from; the tokenizer is trained on them."""
    rng = random.Random(0)
    sampler = Sampler(heldout=None, empty=0)
    lines = [sampler.sample(rng).caption for _ in range(20000)]
    for name, _, synonyms in THINGS:
        for word in (name, *synonyms):
            lines += [f"a {word}", plural(word)] * 20
    return lines


if __name__ == "__main__":
    (HERE / "heldout.json").write_text(json.dumps(make_heldout(), indent=0) + "\n")
