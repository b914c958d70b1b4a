"""Optimizer ``adamw``: torch's fused AdamW, which reads and writes every weight once an update."""

from dataclasses import dataclass, field

import torch
from fairseq.dataclass import FairseqDataclass
from fairseq.optim import FairseqOptimizer, register_optimizer
from omegaconf import II

from fairseq_align import ranges
from fairseq_align.errors import InputError
from fairseq_align.ranges import SHARE, Range, number


@dataclass
class AdamWConfig(FairseqDataclass):
    adam_betas: str = field(
        default="(0.9, 0.98)",
        metadata={"help": "decay of the means of gradient and its square; two numbers from 0 to below 1"},
    )
    adam_eps: float = number(1e-8, Range(1e-12, 1), "added to the root of the mean square")
    weight_decay: float = number(0.0, SHARE, "share of the weights, times lr, taken off an update")
    lr: list[float] = II("optimization.lr")


@register_optimizer("adamw", dataclass=AdamWConfig)
class AdamW(FairseqOptimizer):
    """The update of fairseq's ``adam`` with fewer passes over the weights, on CPU and GPU.

    Only ``--adam-eps`` differs: here it is added after the root is corrected for the zeros that its mean began with.

    Args:
        cfg: ``adam_betas`` like ``"(0.9, 0.98)"``, each at least 0 and below 1; rate, epsilon and decay at least 0.
        params: tensors to optimise, all of them floating point.

    Raises:
        InputError: ``adam_betas`` is no such pair, or a number is out of its range.

    Source: Loshchilov & Hutter 2019, https://arxiv.org/abs/1711.05101; ``torch.optim.AdamW``
    """

    def __init__(self, cfg: AdamWConfig, params):
        ranges.check(AdamWConfig, {"adam_eps": cfg.adam_eps, "weight_decay": cfg.weight_decay})
        super().__init__(cfg)
        self._optimizer = torch.optim.AdamW(list(params), fused=True, **self.optimizer_config)

    @property
    def optimizer_config(self) -> dict:
        """Settings that hold whatever a checkpoint says."""
        betas, eps = _betas(self.cfg.adam_betas), self.cfg.adam_eps
        return {"lr": self.cfg.lr[0], "betas": betas, "eps": eps, "weight_decay": self.cfg.weight_decay}

    @property
    def supports_flat_params(self) -> bool:
        return True


def _betas(text: str) -> tuple[float, float]:
    try:
        first, second = (float(beta) for beta in text.strip("()[] ").split(","))
    except ValueError:
        first = second = -1.0
    if not (0 <= first < 1 and 0 <= second < 1):
        raise InputError(f"found --adam-betas {text}, expected two numbers from 0 to below 1, e.g. (0.9, 0.98)")
    return first, second
