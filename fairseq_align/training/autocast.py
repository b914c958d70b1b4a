"""Half precision by torch's autocast, on any device; fairseq's ``--bf16`` means TPU and switches CUDA off."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from fairseq.dataclass import ChoiceEnum, FairseqDataclass
from fairseq.tasks import FairseqTask
from omegaconf import II

from fairseq_align.errors import InputError
from fairseq_align.training.fingerprint import GROUPS

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
    """A task whose criterion runs in ``cfg.autocast``."""

    cfg: PrecisionConfig

    def __init__(self, cfg: PrecisionConfig):
        super().__init__(cfg)
        dtype = DTYPES[str(cfg.autocast)]
        if dtype and (cfg.fp16 or cfg.amp):
            raise InputError(f"found --autocast {cfg.autocast} and {'--fp16' if cfg.fp16 else '--amp'}, expected one")
        self.dtype = dtype

    def train_step(self, sample, model, criterion, optimizer, update_num, ignore_grad=False):
        return super().train_step(sample, model, self._cast(criterion), optimizer, update_num, ignore_grad)

    def valid_step(self, sample, model, criterion):
        return super().valid_step(sample, model, self._cast(criterion))

    def _cast(self, criterion) -> Callable:
        """The criterion within autocast: fairseq switches that of the step off."""

        def cast(model, sample):
            with torch.autocast(next(model.parameters()).device.type, self.dtype):
                return criterion(model, sample)

        return cast if self.dtype else criterion
