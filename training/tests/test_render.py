"""The renderer and its captions: `python -m unittest training.tests.test_render`."""

import math
import random
import tempfile
import unittest
from pathlib import Path
from types import SimpleNamespace

import torch
import torch.nn.functional as F

from training.codec import Codec, autoencoder
from training.judge import Look, right, targets
from training.model import LENGTH, Words, scheduler, text_encoder, unet
from training.muon import Muon, orthogonal
from training.render import Renderer
from training.repaint import Painter
from training.feed import Lessons, feed
from training.gpu import join, split
from training.reading import Reader, layout, reading_loss
from training.run import Run
from training.world import COLOUR_NAMES, MIX, NAMES, RELATIONS, SCENERY, Heldout, Item, Sampler, Scene, snap

MEANS = [
    [0.512, 0.527, 0.512, 0.503],
    [0.393, 0.391, 0.176, 0.172],
    [0.612, 0.573, 0.391, 0.386],
    [0.402, 0.538, 0.032, 0.061],
    [0.460, 0.442, -0.256, -0.262],
    [-0.275, -0.077, -0.367, -0.364],
    [0.512, 0.604, 0.773, 0.872],
    [0.118, 0.105, 0.022, 0.066],
    [0.512, 0.501, -0.030, -0.039],
    [0.610, 0.598, 0.864, 0.692],
    [-0.141, -0.142, -0.179, -0.209],
    [0.458, 0.391, 0.007, 0.004],
]


class World(unittest.TestCase):
    def test_the_same_seed_gives_the_same_scenes(self):
        a, b = ([Sampler().sample(rng) for _ in range(50)] for rng in (random.Random(3), random.Random(3)))
        self.assertEqual(a, b)

    def test_training_never_sees_a_held_out_combination(self):
        heldout, rng, sampler = Heldout(), random.Random(4), Sampler()
        self.assertFalse(any(heldout.holds(sampler.sample(rng)) for _ in range(3000)))

    def test_the_held_out_set_sees_nothing_else(self):
        heldout, rng, sampler = Heldout(), random.Random(5), Sampler(heldout="only")
        self.assertTrue(all(heldout.holds(sampler.sample(rng, kind)) for kind in ("colour", "two", "position", "count", "binding") for _ in range(20)))

    def test_relations_hold_in_the_picture(self):
        rng, sampler = random.Random(6), Sampler(empty=0)
        for grid in (False, True):
            for _ in range(300):
                scene = sampler.sample(rng, "position")
                a, b = scene.items
                if grid:
                    snap(a), snap(b)
                dx, dy = RELATIONS[scene.facts["relation"]]
                self.assertGreater((a.x - b.x) * dx + (a.y - b.y) * dy, 0.1)

    def test_tidy_scenes_have_one_arrangement_for_each_saying(self):
        rng, sampler, seen = random.Random(10), Sampler(tidy=True, empty=0), {}
        for _ in range(2000):
            scene = sampler.sample(rng)
            places = tuple((i.x, i.y, i.size) for i in scene.items)
            seen.setdefault((scene.kind, scene.facts.get("relation"), scene.facts.get("count"), scene.facts.get("place")), set()).add(places)
            for i, a in enumerate(scene.items):
                self.assertTrue(a.size / 2 <= min(a.x, a.y) and max(a.x, a.y) <= 1 - a.size / 2, scene)
                for b in scene.items[:i]:
                    self.assertGreaterEqual(max(abs(a.x - b.x), abs(a.y - b.y)), a.size)
        # Only the size of a thing alone varies, as its caption says.
        self.assertTrue(all(len(places) == 1 for (kind, *_), places in seen.items() if kind != "single"), seen)
        self.assertTrue(all(len(places) <= 3 for places in seen.values()))

    def test_everything_stays_in_the_picture(self):
        rng, sampler = random.Random(7), Sampler()
        for _ in range(1000):
            for item in sampler.sample(rng).items:
                self.assertTrue(0 <= item.x - item.size / 2 + 0.03 and item.x + item.size / 2 <= 1.03, item)

    def test_about_one_caption_in_ten_is_empty_and_stands_for_scenery_with_at_most_one_thing(self):
        rng, sampler = random.Random(8), Sampler()
        unsaid = [s for s in (sampler.sample(rng, "binding") for _ in range(2000)) if not s.caption]
        self.assertTrue(140 < len(unsaid) < 260, len(unsaid))
        for scene in unsaid:
            self.assertLessEqual(len(scene.items), 1)
            self.assertIn(scene.background, SCENERY)
            self.assertFalse(any(item.colour for item in scene.items))

    def test_captions_fit_the_text_encoder(self):
        rng, sampler, words = random.Random(9), Sampler(empty=0), Words()
        ids = words([sampler.sample(rng, kind).caption for kind in (*MIX, "centred") for _ in range(50)])
        self.assertEqual(ids.shape[1], LENGTH)
        self.assertTrue((ids[:, -1] == words.tokenizer.token_to_id("<|endoftext|>")).all())


class Pictures(unittest.TestCase):
    def test_a_picture_does_not_depend_on_its_batch(self):
        rng, sampler, renderer = random.Random(1), Sampler(), Renderer()
        scenes = [sampler.sample(rng) for _ in range(12)]
        self.assertLess((renderer(scenes, 128)[5] - renderer([scenes[5]], 128)[0]).abs().max().item(), 1e-3)

    def test_rendering_is_deterministic_and_in_range(self):
        rng, sampler, renderer = random.Random(2), Sampler(), Renderer()
        scenes = [sampler.sample(rng) for _ in range(8)]
        a, b = renderer(scenes, 128), renderer(scenes, 128)
        self.assertTrue(torch.equal(a, b))
        self.assertEqual(a.shape, (8, 3, 128, 128))
        self.assertTrue(a.min() >= -1 and a.max() <= 1)

    def test_windows_and_groups_paint_what_a_whole_picture_would(self):
        # The same thing pasted by hand: one affine map over the whole picture, from the level the renderer picks.
        renderer, rng = Renderer(), random.Random(3)
        for _ in range(20):
            item = Item(rng.randrange(20), rng.uniform(0.3, 0.7), rng.uniform(0.3, 0.7), rng.uniform(0.2, 0.6), flip=rng.random() < 0.5, turn=rng.gauss(0, 0.2))
            scene = Scene([item], "plain grey", seed=5)
            empty = renderer([Scene([], "plain grey", seed=5)], 128)
            level = min(3, max(0, round(math.log2(1 / item.size) - 0.2)))
            c, s = math.cos(item.turn) / item.size, math.sin(item.turn) / item.size
            ox, oy = 1 - 2 * item.x, 1 - 2 * item.y
            f = -1 if item.flip else 1
            theta = torch.tensor([[[f * c, f * s, f * (c * ox + s * oy)], [-s, c, -s * ox + c * oy]]])
            grid = F.affine_grid(theta, [1, 4, 128, 128], align_corners=False)
            sprite = F.grid_sample(renderer.levels[level][[item.thing]], grid, align_corners=False)
            wanted = (empty + 1) / 2 * (1 - sprite[:, 3:]) + sprite[:, :3]
            self.assertLess((renderer([scene], 128) - (wanted * 2 - 1)).abs().max().item(), 2e-3)

    def test_renders_stay_as_they_are(self):
        # Mean grey of the quarters of twelve pictures of every kind of background and style, from the first renderer (the shaded pencil from the second).
        rng, sampler = random.Random(11), Sampler(plain=0.2, styles=0.4, empty=0)
        kinds = ("single", "count", "two", "binding", "single", "colour", "position", "count", "single", "binding", "scene", "two")
        scenes = []
        for kind in kinds:
            scenes.append(sampler.sample(rng, kind))
            rng.random()  # the first renderer's scenes took one more
        pictures = Renderer()(scenes, 128)
        means = F.adaptive_avg_pool2d(pictures, 2).mean(1).flatten(1)
        wanted = torch.tensor(MEANS)
        self.assertLess((means - wanted).abs().max().item(), 2e-3)

    def test_a_pencil_sketch_is_grey_and_keeps_lights_and_darks(self):
        from training.world import INDEX

        renderer = Renderer()
        thing = lambda style: Scene([Item(INDEX["panda"], 0.5, 0.5, 0.6)], "plain white", style)  # noqa: E731
        flat, pencil = renderer([thing("flat"), thing("pencil sketch")], 128)
        self.assertEqual((pencil - pencil[:1]).abs().max().item(), 0)
        grey, drawn = (F.avg_pool2d(p.mean(0, keepdim=True)[None], 8).flatten() for p in (flat, pencil))
        self.assertGreater(torch.corrcoef(torch.stack((grey, drawn)))[0, 1].item(), 0.9)

    def test_a_tint_is_the_colour_that_is_seen(self):
        from training.world import COLOURS, INDEX

        renderer = Renderer()
        for name in COLOUR_NAMES:
            picture = renderer([Scene([Item(INDEX["circle"], 0.5, 0.5, 0.5, name)], "plain grey")], 64)
            seen = ((picture[0, :, 32, 32] + 1) * 127.5).round().tolist()
            self.assertLess(max(abs(a - b) for a, b in zip(seen, COLOURS[name])), 3)


class Latents(unittest.TestCase):
    def test_the_autoencoder_holds_the_closed_form(self):
        rng, sampler = random.Random(1), Sampler()
        pictures = Renderer()([sampler.sample(rng) for _ in range(2)], 256)
        with torch.no_grad():
            mean = autoencoder().encode(pictures).latent_dist.mean
        self.assertLess((mean - Codec().encode(pictures)).abs().max().item(), 1e-2)

    def test_the_schedule_ends_in_pure_noise(self):
        kept = scheduler().alphas_cumprod
        self.assertEqual(kept[-1].item(), 0.0)
        self.assertGreater(kept[0].item(), 0.999)


class Training(unittest.TestCase):
    def test_an_orthogonal_update_has_singular_values_near_one(self):
        torch.manual_seed(1)
        for shape in ((2, 40, 90), (1, 90, 40)):
            values = torch.linalg.svdvals(orthogonal(torch.randn(shape)).float())  # in bf16 or fp32, as the machine has it
            self.assertTrue(values.min() > 0.5 and values.max() < 1.4, values)

    def test_muon_learns_what_a_linear_layer_can(self):
        torch.manual_seed(2)
        module, wanted, x = torch.nn.Linear(40, 40), torch.randn(40, 40) * 0.2, torch.randn(256, 40)
        optimizer = Muon([module], 2e-2)
        for step in range(200):
            for group in optimizer.param_groups:
                group["lr"] = 2e-2 * (1 - step / 200)
            loss = (module(x) - x @ wanted).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        self.assertLess(loss.item(), 0.05)

    def test_workers_and_the_process_itself_feed_alike(self):
        lessons = Lessons(24, {"centred": 1, "two": 1}, 6, grid=True)
        for workers in (0, 1):
            latents, ids, (things, colours, grounds) = next(feed(lessons, workers, 3, "cpu"))
            self.assertEqual(latents.shape, (6, 24, 16, 16))
            self.assertEqual(ids.shape, (6, LENGTH))
            self.assertEqual((things.shape, colours.shape, grounds.shape), ((6, 64), (6, 64), (6,)))
            self.assertTrue(0.3 < latents.std().item() < 3, latents.std())

    def test_a_later_run_goes_on_where_an_earlier_one_stopped(self):
        with tempfile.TemporaryDirectory() as folder:
            def piece():
                torch.manual_seed(0)
                module = torch.nn.Linear(3, 1)
                run = Run(Path(folder), {"module": module}, 0.02, 0.05, warmup=1, decay=0)
                began = run.images
                run.train(lambda: ((module(torch.ones(4, 3)) - 2).square().mean(), 4, {}))
                return began, run.images, (module(torch.ones(1, 3)) - 2).abs().item(), run.average.steps

            first, second = piece(), piece()
            self.assertEqual(first[0], 0)
            self.assertEqual(second[0], first[1])
            self.assertGreater(second[3], first[3])
            self.assertLess(second[2], 0.05)

    def test_a_later_file_of_weights_replaces_the_parts_that_it_has(self):
        with tempfile.TemporaryDirectory() as folder:
            files = [Path(folder) / name for name in ("all.pt", "one.pt")]
            for value, names, file in ((1.0, ("unet", "words"), files[0]), (2.0, ("words",), files[1])):
                torch.save({**{n: {"weight": torch.full((1, 1), value)} for n in names}, "images": 7 * value}, file)
            parts = {name: torch.nn.Linear(1, 1, bias=False) for name in ("unet", "words", "reader")}
            run = Run(Path(folder) / "run", parts, 0.01, 0.1, weights=files)
            self.assertEqual([parts[n].weight.item() for n in ("unet", "words")], [1, 2])
            self.assertEqual(run.images, 7)

    def test_shards_bring_back_weights_and_how_many_images_they_saw(self):
        with tempfile.TemporaryDirectory() as folder:
            split({"unet": {"w": torch.arange(6.0).view(2, 3)}, "images": {"seen": torch.tensor(123456789)}}, Path(folder), "diffusion")
            state = join(Path(folder), "diffusion")
            self.assertTrue(torch.equal(state["unet"]["w"], torch.arange(6.0).view(2, 3)))
            self.assertEqual(state["images"]["seen"].item(), 123456789)


class Painting(unittest.TestCase):
    def setUp(self):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "weights.pt"
            torch.save({"unet": unet().state_dict(), "text_encoder": text_encoder().state_dict()}, file)
            self.painter = Painter(file, 24, 0.1, Codec(), Renderer())

    def test_a_denoiser_that_knows_the_picture_paints_it_again(self):
        true, kept = torch.randn(2, 24, 16, 16), self.painter.scheduler.alphas_cumprod

        def exact(x, t, context):  # v of the noise that lies between x and the true latents
            signal, amount = kept[int(t)].sqrt(), (1 - kept[int(t)]).sqrt()
            both = torch.cat((true, true))
            return SimpleNamespace(sample=signal * (x - signal * both) / amount - amount * both)

        self.painter.unet = exact
        painted = self.painter.repaint(true, ["a fox", ""], random.Random(1))
        self.assertLess((painted - true).abs().max().item(), 1e-3)

    def test_pictures_are_drawn_from_a_pool_that_grows(self):
        self.painter.repaint = lambda latents, captions, rng: latents
        rng = random.Random(2)
        for wanted in (4, 6, 8):
            scenes, latents = self.painter.draw(rng, 4)
            self.assertEqual(len(self.painter.pool), wanted)
            self.assertLess((latents - Codec().encode(Renderer()(scenes, 128))).abs().max().item(), 1e-2)


class Reading(unittest.TestCase):
    def test_the_layout_says_what_covers_each_cell(self):
        scene = Scene([Item(3, 0.25, 0.5, 0.25), Item(5, 0.75, 0.5, 0.25, "red")], "plain white")
        things, colours, ground = layout([scene])
        things, colours = things.view(8, 8), colours.view(8, 8)
        self.assertEqual(things[3:5, 1:3].unique().tolist(), [3])
        self.assertEqual(things[3:5, 5:7].unique().tolist(), [5])
        self.assertEqual((things != len(NAMES)).sum().item(), 8)
        self.assertEqual(colours[3, 1].item(), len(COLOUR_NAMES))
        self.assertEqual(colours[3, 5].item(), COLOUR_NAMES.index("red"))
        self.assertEqual(colours[0, 0].item(), -100)

    def test_a_head_learns_to_read_what_tokens_say(self):
        torch.manual_seed(3)
        scenes = [Scene([Item(3, x, 0.5, 0.25)], "plain white") for x in (0.25, 0.75)]
        reader, tokens, wanted = Reader(width=32, heads=2), torch.randn(2, 4, 32), layout(scenes)
        optimizer = torch.optim.AdamW(reader.parameters(), lr=1e-2)
        for _ in range(120):
            loss, values = reading_loss(reader, tokens, wanted)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        self.assertEqual(values["right"].item(), 1)
        self.assertLess(loss.item(), 0.1)


class Judging(unittest.TestCase):
    def test_what_a_render_shows_is_right_and_anything_else_is_not(self):
        rng, sampler = random.Random(12), Sampler(empty=0, grid=True)
        for kind in ("centred", "colour", "two", "position", "count", "binding", "staged", "scene"):
            for _ in range(20):
                scene, other = sampler.sample(rng, kind), sampler.sample(rng, "binding")
                look = Look([(NAMES[i.thing], i.colour, i.x, i.y, 1.0) for i in scene.items], scene.background)
                self.assertTrue(right(scene, look), scene)
                self.assertFalse(right(scene, Look([(NAMES[i.thing], i.colour, i.x, i.y, 1.0) for i in other.items], other.background)))
                if "relation" in scene.facts:
                    mirrored = [(n, c, 1 - x, 1 - y, p) for n, c, x, y, p in look.things]
                    self.assertFalse(right(scene, Look(mirrored, scene.background)))

    def test_targets_mark_every_thing_at_its_place(self):
        rng, sampler = random.Random(13), Sampler()
        scenes = [sampler.sample(rng) for _ in range(50)]
        heat, tint, ground = targets(scenes)
        for b, scene in enumerate(scenes):
            for item in scene.items:
                x, y = int(item.x * 16), int(item.y * 16)
                self.assertEqual(heat[b, item.thing, y, x].item(), 1)
                self.assertEqual(tint[b, y, x].item(), COLOUR_NAMES.index(item.colour) if item.colour else len(COLOUR_NAMES))
        self.assertEqual(heat.max().item(), 1)


if __name__ == "__main__":
    unittest.main()
