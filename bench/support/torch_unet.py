"""Times PyTorch on a UNet of the same shape as bench/support/unet.ts writes; random weights.

    python torch_unet.py '{"shape": {...}, "sizes": [512], "calls": 10}'

Needs torch alone. On a CUDA device in half precision, channels last, with PyTorch's own fused
attention; else on the CPU in float32. Prints one JSON line per size and batch, times in ms; first a
line with the device and the number of parameters.
"""

import json
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

LAYERS, SIZES, SIZE_EMBEDDING, SEQUENCE, PATIENCE = 2, 6, 256, 77, 30.0


def sinusoids(x, width):
    half = width // 2
    frequencies = torch.exp(-torch.arange(half, device=x.device) * (9.210340371976184 / half))
    angles = x[:, None].float() * frequencies
    return torch.cat([angles.cos(), angles.sin()], dim=1)


class Residual(nn.Module):
    def __init__(self, width, to, time):
        super().__init__()
        self.norm1, self.conv1 = nn.GroupNorm(32, width), nn.Conv2d(width, to, 3, padding=1)
        self.time = nn.Linear(time, to)
        self.norm2, self.conv2 = nn.GroupNorm(32, to), nn.Conv2d(to, to, 3, padding=1)
        self.short = nn.Identity() if width == to else nn.Conv2d(width, to, 1)

    def forward(self, x, time):
        h = self.conv1(F.silu(self.norm1(x))) + self.time(F.silu(time))[:, :, None, None]
        return self.short(x) + self.conv2(F.silu(self.norm2(h)))


class Attention(nn.Module):
    def __init__(self, width, context, heads):
        super().__init__()
        self.heads = heads
        self.q = nn.Linear(width, width, bias=False)
        self.k = nn.Linear(context, width, bias=False)
        self.v = nn.Linear(context, width, bias=False)
        self.out = nn.Linear(width, width)

    def forward(self, x, context):
        split = lambda y: y.unflatten(2, (self.heads, -1)).transpose(1, 2)  # noqa: E731
        y = F.scaled_dot_product_attention(
            split(self.q(x)), split(self.k(context)), split(self.v(context))
        )
        return self.out(y.transpose(1, 2).flatten(2))


class Block(nn.Module):
    def __init__(self, width, context, heads):
        super().__init__()
        self.norm1, self.self_attention = nn.LayerNorm(width), Attention(width, width, heads)
        self.norm2, self.cross_attention = nn.LayerNorm(width), Attention(width, context, heads)
        self.norm3, self.up = nn.LayerNorm(width), nn.Linear(width, 8 * width)
        self.down = nn.Linear(4 * width, width)

    def forward(self, x, context):
        y = self.norm1(x)
        x = x + self.self_attention(y, y)
        x = x + self.cross_attention(self.norm2(x), context)
        value, gate = self.up(self.norm3(x)).chunk(2, dim=-1)
        return x + self.down(value * F.gelu(gate))


class Transformer(nn.Module):
    def __init__(self, width, context, heads, depth):
        super().__init__()
        self.norm, self.into = nn.GroupNorm(32, width), nn.Conv2d(width, width, 1)
        self.blocks = nn.ModuleList(Block(width, context, heads) for _ in range(depth))
        self.out = nn.Conv2d(width, width, 1)

    def forward(self, x, context):
        y = self.into(self.norm(x))
        tokens = y.flatten(2).transpose(1, 2)
        for block in self.blocks:
            tokens = block(tokens, context)
        return x + self.out(tokens.transpose(1, 2).reshape(y.shape))


class UNet(nn.Module):
    def __init__(self, shape):
        super().__init__()
        widths, depths, context = shape["widths"], shape["depths"], shape["context"]
        given = shape["heads"]
        self.first, self.last, time = widths[0], len(widths) - 1, 4 * widths[0]
        two = lambda n: nn.Sequential(nn.Linear(n, time), nn.SiLU(), nn.Linear(time, time))  # noqa: E731
        self.step = two(self.first)
        pooled = shape.get("pooled")
        self.added = two(pooled + SIZES * SIZE_EMBEDDING) if pooled else None

        def transformer(width, depth):
            heads = given.get("count") or width // given["width"]
            return Transformer(width, context, heads, depth) if depth else None

        self.entry = nn.Conv2d(4, self.first, 3, padding=1)
        self.down, self.up, skips, width = nn.ModuleList(), nn.ModuleList(), [self.first], self.first
        for level, to in enumerate(widths):
            for _ in range(LAYERS):
                self.down.append(nn.ModuleList([Residual(width, to, time), transformer(to, depths[level])]))
                width = to
                skips.append(width)
            if level < self.last:
                self.down.append(nn.ModuleList([nn.Conv2d(to, to, 3, stride=2, padding=1), None]))
                skips.append(width)
        self.middle = nn.ModuleList(
            [Residual(width, width, time), transformer(width, shape["middle"]), Residual(width, width, time)]
        )
        for level in reversed(range(len(widths))):
            to = widths[level]
            for _ in range(LAYERS + 1):
                self.up.append(
                    nn.ModuleList([Residual(width + skips.pop(), to, time), transformer(to, depths[level])])
                )
                width = to
            if level > 0:
                self.up.append(nn.ModuleList([nn.Conv2d(to, to, 3, padding=1), None]))
        self.norm, self.exit = nn.GroupNorm(32, width), nn.Conv2d(width, 4, 3, padding=1)

    def forward(self, sample, timestep, context, text=None, sizes=None):
        dtype = sample.dtype
        time = self.step(sinusoids(timestep, self.first).to(dtype))
        if self.added is not None:
            all_sizes = sinusoids(sizes.flatten(), SIZE_EMBEDDING).view(len(text), -1)
            time = time + self.added(torch.cat([text, all_sizes.to(dtype)], dim=1))
        x = self.entry(sample)
        skips = [x]
        for layer, attention in self.down:
            x = layer(x, time) if isinstance(layer, Residual) else layer(x)
            x = attention(x, context) if attention is not None else x
            skips.append(x)
        first, attention, second = self.middle
        x = second(attention(first(x, time), context), time)
        for layer, attention in self.up:
            if isinstance(layer, Residual):
                x = layer(torch.cat([x, skips.pop()], dim=1), time)
            else:
                x = layer(F.interpolate(x, scale_factor=2.0))
            x = attention(x, context) if attention is not None else x
        return self.exit(F.silu(self.norm(x)))


def main():
    asked = json.loads(sys.argv[1])
    shape = asked["shape"]
    cuda = torch.cuda.is_available()
    device, dtype = ("cuda", torch.float16) if cuda else ("cpu", torch.float32)
    if not cuda and asked.get("threads"):
        torch.set_num_threads(asked["threads"])
    with torch.device(device):
        unet = UNet(shape).to(dtype).eval().to(memory_format=torch.channels_last)
    name = torch.cuda.get_device_name() if cuda else "CPU"
    count = sum(p.numel() for p in unet.parameters())
    about = {"name": f"PyTorch {torch.__version__}, {name}, {str(dtype)[6:]}", "parameters": count}
    print(json.dumps(about), flush=True)

    def call(size, batch):
        side = size // 8
        wave = lambda *dims: torch.randn(*dims, device=device, dtype=dtype)  # noqa: E731
        inputs = [wave(batch, 4, side, side), torch.full((batch,), 500.0, device=device)]
        inputs.append(wave(batch, SEQUENCE, shape["context"]))
        if shape.get("pooled"):
            inputs += [wave(batch, shape["pooled"]), wave(batch, SIZES)]
        if cuda:
            torch.cuda.synchronize()
        began = time.perf_counter()
        out = unet(*inputs)
        out.cpu()
        return 1000 * (time.perf_counter() - began)

    for size in asked["sizes"]:
        for batch in (1, 2):
            line = {"size": size, "batch": batch}
            try:
                first = call(size, batch)
                times = []
                while len(times) < asked["calls"] and (sum(times) < 1000 * PATIENCE or not times):
                    times.append(call(size, batch))
                line |= {"first": first, "times": times}
            except torch.OutOfMemoryError:
                line |= {"reason": "out of memory"}
            print(json.dumps(line), flush=True)


with torch.inference_mode():
    main()
