"""The latent space: a linear encoder in closed form, and a decoder that is learned.

A picture [B, 3, 256, 256] in [-1,1] is averaged over 2x2 pixels, cut into 8x8 patches of the
half-size picture and projected on the first C principal components of rendered scenes:
latents [B, C, 16, 16]. Channel k is divided by the root of its deviation: coarse components stay
louder than fine ones, so the noise takes detail before it takes composition, but not as brutally
as in pixels. The whole is scaled to unit variance, so `scaling_factor` is 1.

Being linear the encoder needs no training, costs nothing beside the UNet's step, can be applied to
half-size renders directly, and has an exact preview: its own transpose. `into_autoencoder` writes it
into a diffusers AutoencoderKL without loss: stride-2 convolutions unfold the patches, residual
branches start at zero, and the final SiLU is cancelled by silu(x) - silu(-x) = x. From there it may
be trained further together with the decoder.
"""

from __future__ import annotations

import random
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL

from .render import Renderer
from .world import Sampler

PATH = Path(__file__).parent / "codec.pt"
CHANNELS = 24
WIDTHS = (16, 32, 64, 128, 128)
GROUPS = 4
LOUD = 1024.0  # constant that makes a group's deviation independent of the picture


class Codec:
    """`matrix` [C, 3, 8, 8]: latents = conv(half-size picture, matrix, stride 8) + bias; `inverse` [C, 3, 8, 8]."""

    def __init__(self, path: Path = PATH, device: str | torch.device = "cpu"):
        data = torch.load(path, map_location=device, weights_only=True)
        self.matrix, self.bias, self.inverse, self.mean = (data[k].float() for k in ("matrix", "bias", "inverse", "mean"))

    def encode(self, picture: torch.Tensor) -> torch.Tensor:
        """[B, 3, 128 or 256, same] in [-1,1] to latents [B, C, 16, 16]."""
        if picture.shape[-1] >= 256:
            picture = F.avg_pool2d(picture, 2)
        return F.conv2d(picture, self.matrix, self.bias, stride=8)

    def preview(self, latents: torch.Tensor) -> torch.Tensor:
        """Latents [B, C, h, w] to the linear reconstruction [B, 3, 8h, 8w] in [-1,1]."""
        patches = F.conv_transpose2d(latents, self.inverse, stride=8)
        return patches + self.mean.repeat(1, latents.shape[-2], latents.shape[-1])


def fit(count: int = 4000, seed: int = 7) -> dict:
    """Principal components of rendered patches."""
    rng, sampler, renderer = random.Random(seed), Sampler(heldout="skip", empty=0), Renderer()
    moment, mean, n = torch.zeros(192, 192, dtype=torch.float64), torch.zeros(192, dtype=torch.float64), 0
    for _ in range(count // 50):
        x = F.unfold(renderer([sampler.sample(rng) for _ in range(50)], 128), 8, stride=8)
        x = x.permute(0, 2, 1).reshape(-1, 192).double()
        moment += x.T @ x
        mean += x.sum(0)
        n += len(x)
    mean /= n
    values, vectors = torch.linalg.eigh(moment / n - mean[:, None] * mean)
    values, vectors = values.flip(0)[:CHANNELS], vectors.flip(1)[:, :CHANNELS].T
    vectors *= vectors.sum(1, keepdim=True).sign()
    gain = values.sqrt().rsqrt()
    gain /= (gain * gain * values).mean().sqrt()
    matrix = vectors * gain[:, None]
    inverse = vectors / gain[:, None]
    return {
        "matrix": matrix.float().view(-1, 3, 8, 8), "bias": -(matrix @ mean).float(),
        "inverse": inverse.float().view(-1, 3, 8, 8), "mean": mean.float().view(3, 8, 8), "variance": values.float(),
    }


def autoencoder() -> AutoencoderKL:
    """An AutoencoderKL, f16 with 24 channels, whose encoder is the closed form and whose decoder is fresh."""
    vae = AutoencoderKL(
        in_channels=3, out_channels=3, latent_channels=CHANNELS, sample_size=256, block_out_channels=WIDTHS, norm_num_groups=GROUPS,
        down_block_types=("DownEncoderBlock2D",) * 5, up_block_types=("UpDecoderBlock2D",) * 5, layers_per_block=1,
        scaling_factor=1.0, use_quant_conv=False, use_post_quant_conv=False, mid_block_add_attention=False,
    )
    with torch.no_grad():  # a decoder that starts as plain upsampling learns several times faster
        for block in [vae.decoder.mid_block, *vae.decoder.up_blocks]:
            for resnet in block.resnets:
                resnet.conv2.weight.zero_()
                resnet.conv2.bias.zero_()
            for upsampler in getattr(block, "upsamplers", None) or ():
                upsampler.conv.weight.mul_(0.3)
                upsampler.conv.weight[range(len(upsampler.conv.weight)), range(len(upsampler.conv.weight)), 1, 1] += 1
    return into_autoencoder(vae, Codec())


@torch.no_grad()
def into_autoencoder(vae: AutoencoderKL, codec: Codec) -> AutoencoderKL:
    """Writes the linear encoder into the weights of `vae.encoder`."""
    encoder = vae.encoder
    last = WIDTHS[-1]
    blocks = [r for down in encoder.down_blocks for r in down.resnets] + list(encoder.mid_block.resnets)
    for resnet in blocks:
        resnet.conv2.weight.zero_()
        resnet.conv2.bias.zero_()
        if resnet.conv_shortcut is not None:
            w = resnet.conv_shortcut.weight
            w.zero_()
            for k in range(min(w.shape[:2])):
                w[k, k] = 1
            resnet.conv_shortcut.bias.zero_()
    encoder.conv_in.weight.zero_()
    encoder.conv_in.bias.zero_()
    for k in range(3):
        encoder.conv_in.weight[k, k, 1, 1] = 1
    downs = [d.downsamplers[0].conv for d in encoder.down_blocks if d.downsamplers]
    for conv in downs:
        conv.weight.zero_()
        conv.bias.zero_()
    for k in range(3):  # 256 to 128: the average
        downs[0].weight[k, k, :2, :2] = 0.25
    for conv, channels in ((downs[1], 3), (downs[2], 12)):  # to 64 and 32: unfold, channel (y, x, c)
        for y in range(2):
            for x in range(2):
                for c in range(channels):
                    conv.weight[(y * 2 + x) * channels + c, c, y, x] = 1
    # Channel of the 32x32 map that holds pixel (y, x) of a 4x4 patch; then 2x2 of these make 8x8.
    layout = torch.zeros(3, 4, 4, dtype=torch.long)
    for y in range(4):
        for x in range(4):
            for c in range(3):
                layout[c, y, x] = (y // 2 * 2 + x // 2) * 12 + (y % 2 * 2 + x % 2) * 3 + c
    project = torch.zeros(CHANNELS, 48, 2, 2)
    for y in range(8):
        for x in range(8):
            for c in range(3):
                project[:, layout[c, y % 4, x % 4], y // 4, x // 4] = codec.matrix[:, c, y, x]
    # Each latent twice, with either sign, laid so that every group of the norm also holds +-LOUD.
    size = last // GROUPS
    slots = [g * size + k for g in range(GROUPS) for k in range(2, size)]
    plus, minus = slots[0:2 * CHANNELS:2], slots[1:2 * CHANNELS:2]
    for k, (p, m) in enumerate(zip(plus, minus)):
        downs[3].weight[p, :48, :2, :2], downs[3].weight[m, :48, :2, :2] = project[k], -project[k]
        downs[3].bias[p], downs[3].bias[m] = codec.bias[k], -codec.bias[k]
    for g in range(GROUPS):
        downs[3].bias[g * size], downs[3].bias[g * size + 1] = LOUD, -LOUD
    deviation = LOUD * (2 / size) ** 0.5
    encoder.conv_norm_out.weight.fill_(deviation)
    encoder.conv_norm_out.bias.zero_()
    out = encoder.conv_out
    out.weight.zero_()
    out.bias.zero_()
    for k, (p, m) in enumerate(zip(plus, minus)):
        out.weight[k, p, 1, 1], out.weight[k, m, 1, 1] = 1, -1
    out.bias[CHANNELS:] = -20.0  # log-variance: the encoding is exact
    return vae


if __name__ == "__main__":
    torch.save(fit(), PATH)
