"""Optimizer ``adamw``: torch's fused AdamW, which reads and writes every weight once an update."""

from dataclasses import dataclass, field

import torch
from fairseq.dataclass import FairseqDataclass
from fairseq.optim import FairseqOptimizer, register_optimizer
from omegaconf import II


@dataclass
class AdamWConfig(FairseqDataclass):
    adam_betas: str = field(default="(0.9, 0.98)", metadata={"help": "decay of the means of gradient and its square"})
    adam_eps: float = field(default=1e-8, metadata={"help": "added to the root of the mean square"})
    weight_decay: float = field(default=0.0, metadata={"help": "share of the weights, times lr, taken off an update"})
    lr: list[float] = II("optimization.lr")


@register_optimizer("adamw", dataclass=AdamWConfig)
class AdamW(FairseqOptimizer):
    """The update of fairseq's ``adam`` with fewer passes over the weights, on CPU and GPU.

    Only ``--adam-eps`` differs: here it is added after the root is corrected for the zeros that its mean began with.
    """

    def __init__(self, cfg: AdamWConfig, params):
        super().__init__(cfg)
        self._optimizer = torch.optim.AdamW(list(params), fused=True, **self.optimizer_config)

    @property
    def optimizer_config(self) -> dict:
        """Settings that hold whatever a checkpoint says."""
        betas = tuple(float(beta) for beta in self.cfg.adam_betas.strip("()[] ").split(","))
        lr = self.cfg.lr[0] if not isinstance(self.cfg.lr, float) else self.cfg.lr
        return {"lr": lr, "betas": betas, "eps": self.cfg.adam_eps, "weight_decay": self.cfg.weight_decay}

    @property
    def supports_flat_params(self) -> bool:
        return True
