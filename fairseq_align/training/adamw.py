"""Optimizer ``adamw``: torch's fused AdamW, which reads and writes every weight once an update.

A task may ``note`` of a parameter that it has a learning rate of its own, and before a step that only some of its rows
take part in it; see ``parts``.
"""

from dataclasses import dataclass, field, replace

import torch
from fairseq.dataclass import FairseqDataclass
from fairseq.optim import FairseqOptimizer, register_optimizer
from omegaconf import II
from torch import Tensor, nn
from torch.optim.adamw import adamw as adamw_step

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
        self._optimizer = _RowsAdamW(_groups(list(params)), fused=True, **self.optimizer_config)
        self._scales = [group["lr_scale"] for group in self.param_groups]
        self.set_lr(self.cfg.lr[0])

    @property
    def optimizer_config(self) -> dict:
        """Settings that hold whatever a checkpoint says."""
        betas, eps = _betas(self.cfg.adam_betas), self.cfg.adam_eps
        return {"lr": self.cfg.lr[0], "betas": betas, "eps": eps, "weight_decay": self.cfg.weight_decay}

    @property
    def supports_flat_params(self) -> bool:
        return True

    def get_lr(self) -> float:
        return self._lr

    def set_lr(self, lr: float) -> None:
        """Set the rate of the schedule; each group of parameters has its multiple of it."""
        self._lr = lr
        for group, scale in zip(self.param_groups, self._scales, strict=True):
            group["lr"], group["lr_scale"] = lr * scale, scale

    def load_state_dict(self, state_dict: dict, optimizer_overrides: dict | None = None) -> None:
        super().load_state_dict(state_dict, optimizer_overrides)
        self.set_lr((optimizer_overrides or {}).get("lr", self._lr))


@dataclass(frozen=True)
class Note:
    """What the optimizer has to know of a parameter.

    Attributes:
        scale: its learning rate as a multiple of the schedule's, above 0.
        is_head, is_table: it is a part of the output head; it is the word embeddings.
        rows: those that take part in the next step, int64, shape (R,), each once; None: all. The others, and the means
            of their gradients, stay as they are, as in ``torch.optim.SparseAdam``.
    """

    scale: float = 1.0
    is_head: bool = False
    is_table: bool = False
    rows: Tensor | None = None


def noted(parameter: nn.Parameter) -> Note:
    """What was noted of a parameter; fairseq's own optimizers look at attributes of parameters, too."""
    return getattr(parameter, "fairseq_align_note", Note())


def note(parameter: nn.Parameter, **fields) -> None:
    """Note fields of ``Note``, beside what was noted before."""
    parameter.fairseq_align_note = replace(noted(parameter), **fields)


def _groups(parameters: list[nn.Parameter]) -> list[dict]:
    """Groups of parameters of one learning rate each, in the order of their first parameter."""
    groups: dict[float, list[nn.Parameter]] = {}
    for parameter in parameters:
        groups.setdefault(noted(parameter).scale, []).append(parameter)
    return [{"params": members, "lr_scale": scale} for scale, members in groups.items()]


class _RowsAdamW(torch.optim.AdamW):
    """torch's AdamW; a parameter of which rows are noted takes the step with these alone."""

    @torch.no_grad()
    def step(self, closure=None):
        partial = [
            (group, parameter, parameter.grad)
            for group in self.param_groups
            for parameter in group["params"]
            if noted(parameter).rows is not None and parameter.grad is not None
        ]
        for _, parameter, _ in partial:
            parameter.grad = None
        loss = super().step(closure)
        for group, parameter, grad in partial:
            parameter.grad = grad
            self._step_rows(group, parameter, noted(parameter).rows)
        return loss

    def _step_rows(self, group: dict, parameter: nn.Parameter, rows: Tensor) -> None:
        state = self.state[parameter]
        if not state:
            state["step"] = torch.zeros((), dtype=torch.float32, device=parameter.device)
            state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(parameter), torch.zeros_like(parameter)
        whole = (parameter, state["exp_avg"], state["exp_avg_sq"])
        parts = [tensor[rows] for tensor in whole]
        beta1, beta2 = group["betas"]
        adamw_step(
            parts[:1], [parameter.grad[rows]], parts[1:2], parts[2:], [], [state["step"]],
            fused=True, amsgrad=False, beta1=beta1, beta2=beta2, lr=group["lr"], weight_decay=group["weight_decay"],
            eps=group["eps"], maximize=False,
        )  # fmt: skip
        for tensor, part in zip(whole, parts, strict=True):
            tensor.index_copy_(0, rows, part)


def _betas(text: str) -> tuple[float, float]:
    try:
        first, second = (float(beta) for beta in text.strip("()[] ").split(","))
    except ValueError:
        first = second = -1.0
    if not (0 <= first < 1 and 0 <= second < 1):
        raise InputError(f"found --adam-betas {text}, expected two numbers from 0 to below 1, e.g. (0.9, 0.98)")
    return first, second
