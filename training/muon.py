"""Muon (Jordan et al. 2024) for matrices and convolutions, AdamW for all else, as one optimizer.

The momentum of a matrix is orthogonalised by five Newton-Schulz steps before it is applied, so that every direction
is learned at the same rate; scaled as in Moonlight (Liu et al. 2025), an update is as large as AdamW's and both
share one learning rate. A convolution counts as the matrix [out, in x kh x kw].
"""

from __future__ import annotations

import torch

from .precision import fast

RMS = 0.2  # of an update, as AdamW's usually is


class Muon(torch.optim.Optimizer):
    """`modules`: whose parameters that require gradients are trained. Embeddings, the first and the last layer are AdamW's."""

    def __init__(self, modules: list[torch.nn.Module], lr: float, momentum: float = 0.95, betas: tuple[float, float] = (0.9, 0.99),
                 weight_decay: float = 0.01):
        matrices, rest = [], []
        for module in modules:
            for name, p in module.named_parameters():
                if p.requires_grad:
                    inner = p.ndim >= 2 and min(p.shape[0], p[0].numel()) >= 32 and not any(w in name for w in ("embeddings", "conv_in", "conv_out"))
                    (matrices if inner else rest).append(p)
        super().__init__([{"params": matrices, "kind": "muon"}, {"params": rest, "kind": "adam"}], {"lr": lr, "weight_decay": weight_decay})
        self.momentum, self.betas = momentum, betas

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            params = [p for p in group["params"] if p.grad is not None]
            if params:
                torch._foreach_mul_(params, 1 - group["lr"] * group["weight_decay"])
                (self._muon if group["kind"] == "muon" else self._adam)(params, group["lr"])

    def _muon(self, params: list[torch.Tensor], rate: float) -> None:
        alike: dict[torch.Size, list[tuple[torch.Tensor, torch.Tensor]]] = {}
        for p in params:
            gradient, state = p.grad.reshape(len(p), -1), self.state[p]
            if "momentum" not in state:
                state["momentum"] = torch.zeros_like(gradient)
            momentum = state["momentum"].lerp_(gradient, 1 - self.momentum)
            alike.setdefault(gradient.shape, []).append((p, gradient.lerp(momentum, self.momentum)))
        for shape, group in alike.items():
            updates = orthogonal(torch.stack([g for _, g in group]))
            for (p, _), update in zip(group, updates):
                p.add_(update.reshape(p.shape).to(p.dtype), alpha=-rate * RMS * max(shape) ** 0.5)

    def _adam(self, params: list[torch.Tensor], rate: float) -> None:
        one, two = self.betas
        for p in params:
            state = self.state[p]
            if "first" not in state:
                state["first"], state["second"], state["steps"] = torch.zeros_like(p), torch.zeros_like(p), 0
            state["steps"] += 1
            state["first"].lerp_(p.grad, 1 - one)
            state["second"].lerp_(p.grad.square(), 1 - two)
            scale = state["second"].div(1 - two ** state["steps"]).sqrt_().add_(1e-8)
            p.addcdiv_(state["first"], scale, value=-rate / (1 - one ** state["steps"]))


def orthogonal(x: torch.Tensor, steps: int = 5) -> torch.Tensor:
    """[n, a, b] to nearly the nearest matrices with orthonormal rows or columns, in bf16 where that is fast; the quintic's factors are Jordan's.

    In fp32 the quintic is iterated on the Gram matrix alone, since all its terms are polynomials of that one, and the
    matrix itself is multiplied once at the end: for a convolution of 3x3 less than half the work. Whether bf16 is fine enough for that was not tried.
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    wide = x.shape[1] <= x.shape[2]
    x = (x if wide else x.mT).float()
    x = (x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)).to(fast(x.device.type))
    if x.dtype is torch.float32:
        gram = x @ x.mT
        product = None
        for _ in range(steps):
            square = gram @ gram
            factor = b * gram + c * square
            factor.diagonal(dim1=1, dim2=2).add_(a)
            product = factor if product is None else factor @ product
            gram = factor @ gram @ factor
        x = product @ x
    else:
        for _ in range(steps):
            gram = x @ x.mT
            x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x if wide else x.mT
