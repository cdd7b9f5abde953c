"""Which numbers a device multiplies fast: bf16 where it has instructions for it, else fp32.

A CPU without them emulates bf16, and is twelve times slower at it than at fp32 (measured on a Zen 3).
"""

from __future__ import annotations

import contextlib
import functools

import torch


@functools.cache
def fast(device: str) -> torch.dtype:
    """The dtype to multiply in on a device of this type ("cpu", "cuda")."""
    if device != "cpu" or torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported():
        return torch.bfloat16
    return torch.float32


def autocast(device: str | torch.device) -> contextlib.AbstractContextManager:
    """Mixed precision where it is fast, else nothing."""
    kind = torch.device(device).type
    return contextlib.nullcontext() if fast(kind) is torch.float32 else torch.autocast(kind, fast(kind))
