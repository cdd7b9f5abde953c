"""The parts of the model, all of them diffusers' and transformers' own classes."""

from __future__ import annotations

import json
import math
from pathlib import Path

import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import CLIPTextConfig, CLIPTextModel

from .codec import CHANNELS

HERE = Path(__file__).parent
TOKENIZER = HERE / "tokenizer.json"
LENGTH = 32  # tokens of a prompt, the two ends included
SHIFT = 2.0  # how far the noise schedule leans toward noise, where composition is decided
OWN = {"steps": 20, "guidanceScale": 3}  # what a user gets who asks for nothing else
START, END = "<|startoftext|>", "<|endoftext|>"


def make_tokenizer() -> Tokenizer:
    """A byte-level BPE of CLIP's form, trained on the captions of the world."""
    from .world import vocabulary

    tokenizer = Tokenizer(models.BPE(unk_token=END, end_of_word_suffix="</w>", continuing_subword_prefix="", fuse_unk=False))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()])
    pattern = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(pattern), behavior="removed", invert=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    bytes_ = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=2048, special_tokens=[], initial_alphabet=bytes_, end_of_word_suffix="</w>", show_progress=False)
    tokenizer.train_from_iterator(vocabulary(), trainer)
    # CLIP's order of ids: bytes, bytes that end a word, merges, the two ends.
    learned = json.loads(tokenizer.to_str())["model"]
    symbols = bytes_ + [b + "</w>" for b in bytes_]
    symbols += [t for t in sorted(learned["vocab"], key=learned["vocab"].get) if t not in set(symbols)]
    vocab = {t: i for i, t in enumerate([*symbols, START, END])}
    merges = [tuple(m) if isinstance(m, list) else tuple(m.split(" ")) for m in learned["merges"]]
    tokenizer.model = models.BPE(vocab=vocab, merges=merges, unk_token=END, end_of_word_suffix="</w>", continuing_subword_prefix="", fuse_unk=False)
    tokenizer.add_special_tokens([START, END])
    tokenizer.post_processor = processors.RobertaProcessing((END, vocab[END]), (START, vocab[START]), add_prefix_space=False, trim_offsets=False)
    return tokenizer


class Words:
    """Captions to ids [B, 32] int64, padded with the end token as CLIP does."""

    def __init__(self, path: Path = TOKENIZER):
        self.tokenizer = Tokenizer.from_file(str(path))
        end = self.tokenizer.token_to_id(END)
        self.tokenizer.enable_truncation(LENGTH)
        self.tokenizer.enable_padding(pad_id=end, pad_token=END, length=LENGTH)

    def __call__(self, captions: list[str]) -> torch.Tensor:
        return torch.tensor([e.ids for e in self.tokenizer.encode_batch(captions)])


def schedule() -> list[float]:
    """Betas of a cosine schedule shifted toward noise: signal to noise is 1/(SHIFT tan(pi t/2))^2, zero at the end."""
    kept = [1 / (1 + (SHIFT * math.tan(math.pi * i / 2000)) ** 2) for i in range(1000)] + [0.0]
    return [1 - b / a for a, b in zip(kept, kept[1:])]


def scheduler() -> DDIMScheduler:
    return DDIMScheduler(
        num_train_timesteps=1000, trained_betas=schedule(), prediction_type="v_prediction", rescale_betas_zero_snr=True,
        timestep_spacing="trailing", clip_sample=False, set_alpha_to_one=True, steps_offset=1,
    )


def text_encoder() -> CLIPTextModel:
    tokenizer = Tokenizer.from_file(str(TOKENIZER))
    start, end = (tokenizer.token_to_id(t) for t in (START, END))
    return CLIPTextModel(CLIPTextConfig(
        vocab_size=tokenizer.get_vocab_size(), hidden_size=256, intermediate_size=768, num_hidden_layers=4, num_attention_heads=4,
        max_position_embeddings=LENGTH, projection_dim=256, hidden_act="quick_gelu", bos_token_id=start, eos_token_id=end, pad_token_id=end,
    ))


def unet() -> UNet2DConditionModel:
    """64/128/224 channels at 16x16, 8x8 and 4x4; attention (self and to the words) at the two lower levels.

    The words also reach every level pooled, added to the embedding of the timestep.
    """
    model = UNet2DConditionModel(
        sample_size=16, in_channels=CHANNELS, out_channels=CHANNELS, layers_per_block=1, block_out_channels=(64, 128, 224),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=256, attention_head_dim=4, norm_num_groups=16, addition_embed_type="text", addition_embed_type_num_heads=8,
    )
    model.set_attn_processor(AttnProcessor())  # trains faster on a CPU than the fused kernel
    return model


def size(*modules: torch.nn.Module) -> float:
    return sum(p.numel() for m in modules for p in m.parameters()) / 1e6


if __name__ == "__main__":
    make_tokenizer().save(str(TOKENIZER))
