"""The renderer and its captions: `python -m unittest training.tests.test_render`."""

import random
import unittest

import torch

from training.codec import Codec, autoencoder
from training.model import LENGTH, Words, scheduler
from training.render import Renderer
from training.world import COLOUR_NAMES, MIX, NAMES, RELATIONS, Heldout, Sampler, Scene, snap


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
        rng, sampler = random.Random(6), Sampler()
        for grid in (False, True):
            for _ in range(300):
                scene = sampler.sample(rng, "position")
                a, b = scene.items
                if grid:
                    snap(a), snap(b)
                dx, dy = RELATIONS[scene.facts["relation"]]
                self.assertGreater((a.x - b.x) * dx + (a.y - b.y) * dy, 0.1)

    def test_everything_stays_in_the_picture(self):
        rng, sampler = random.Random(7), Sampler()
        for _ in range(1000):
            for item in sampler.sample(rng).items:
                self.assertTrue(0 <= item.x - item.size / 2 + 0.03 and item.x + item.size / 2 <= 1.03, item)

    def test_about_one_caption_in_ten_is_empty(self):
        rng, sampler = random.Random(8), Sampler()
        empty = sum(not sampler.sample(rng).caption for _ in range(2000))
        self.assertTrue(140 < empty < 260, empty)

    def test_captions_fit_the_text_encoder(self):
        rng, sampler, words = random.Random(9), Sampler(empty=0), Words()
        ids = words([sampler.sample(rng, kind).caption for kind in MIX for _ in range(50)])
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

    def test_a_tint_is_the_colour_that_is_seen(self):
        from training.world import COLOURS, INDEX, Item

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


if __name__ == "__main__":
    unittest.main()
