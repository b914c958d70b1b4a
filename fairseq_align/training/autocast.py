"""Half precision by torch's autocast, on any device; fairseq's ``--bf16`` means TPU and switches CUDA off."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial

import torch
import torch.nn.functional as F
from fairseq.dataclass import ChoiceEnum, FairseqDataclass
from fairseq.tasks import FairseqTask
from omegaconf import II
from torch import Tensor

from fairseq_align.errors import InputError
from fairseq_align.training.fingerprint import GROUPS
from fairseq_align.training.waits import padded

DTYPES = {"none": None, "bf16": torch.bfloat16}


@dataclass
class PrecisionConfig(FairseqDataclass):
    autocast: ChoiceEnum(list(DTYPES)) = field(
        default="none",
        metadata={
            "help": "bf16: matrix products in bfloat16, what needs it, weights and optimizer in float32; instead of "
            "--fp16 and --amp"
        },
    )
    allow_changed: str = field(
        default="",
        metadata={
            "help": "what may have changed since the checkpoint that a run goes on from was saved, comma-separated: "
            f"{', '.join(GROUPS)}; default: nothing, as what is learnt then is another run"
        },
    )
    fp16: bool = II("common.fp16")
    amp: bool = II("common.amp")


class PrecisionTask(FairseqTask):
    """A task whose criterion runs in ``cfg.autocast``, and knows from the batch whether anything is padded.

    Args:
        dictionaries: what a task of fairseq that it is mixed with wants.

    Attributes:
        logging_outputs: of the batches of the current update, until its gradients are clipped.
    """

    cfg: PrecisionConfig

    def __init__(self, cfg: PrecisionConfig, *dictionaries):
        super().__init__(cfg, *dictionaries)
        dtype = DTYPES[str(cfg.autocast)]
        if dtype and (cfg.fp16 or cfg.amp):
            raise InputError(f"found --autocast {cfg.autocast} and {'--fp16' if cfg.fp16 else '--amp'}, expected one")
        self.dtype = dtype
        self.logging_outputs: list[dict] = []

    def train_step(self, sample, model, criterion, optimizer, update_num, ignore_grad=False):
        step = super().train_step(sample, model, self._within(criterion), optimizer, update_num, ignore_grad)
        self.logging_outputs.append(step[2])
        return step

    def valid_step(self, sample, model, criterion):
        return super().valid_step(sample, model, self._within(criterion))

    def _within(self, criterion) -> Callable:
        """The criterion within autocast, as fairseq switches that of the step off, and told of the padding."""

        def within(model, sample):
            device = next(model.parameters()).device.type
            with padded(sample.get("padded")), in_half(device, self.dtype) if self.dtype else nullcontext():
                return criterion(model, sample)

        return within


@contextmanager
def in_half(device: str, dtype: torch.dtype) -> Iterator[None]:
    """Context manager: torch's autocast, and on a CPU attention in float32.

    Attention in bfloat16 multiplies many small matrices there, and makes each product ready anew: it takes two to four
    times as long (torch 2.13, ``benchmarks/kernels.py``).
    """
    stock = F.scaled_dot_product_attention
    with torch.autocast(device, dtype):
        if device == "cpu":
            F.scaled_dot_product_attention = partial(_in_float32, stock)
        try:
            yield
        finally:
            F.scaled_dot_product_attention = stock


def _in_float32(attention: Callable[..., Tensor], query: Tensor, *args, **kwargs) -> Tensor:
    def exact(value):
        return value.float() if isinstance(value, Tensor) and value.is_floating_point() else value

    with torch.autocast("cpu", enabled=False):
        found = attention(query.float(), *map(exact, args), **{name: exact(value) for name, value in kwargs.items()})
    return found.to(query.dtype)
