"""Criterion ``sequence_tagging``: cross entropy of the labels of words."""

import math
from dataclasses import dataclass

import torch.nn.functional as F
from fairseq.criterions import FairseqCriterion, register_criterion
from fairseq.dataclass import FairseqDataclass
from fairseq.logging import metrics

from fairseq_align.data.tagging import IGNORED


@dataclass
class SequenceTaggingConfig(FairseqDataclass):
    pass


@register_criterion("sequence_tagging", dataclass=SequenceTaggingConfig)
class SequenceTaggingLoss(FairseqCriterion):
    """Sum over the labelled words of a batch; ``sample_size`` is their number."""

    def forward(self, model, sample, reduce=True):
        logits = model(**sample["net_input"]).float()
        target = sample["target"]
        labelled = target.ne(IGNORED)
        sample_size = labelled.sum()
        loss = F.cross_entropy(logits.flatten(0, 1), target.flatten(), ignore_index=IGNORED, reduction="sum")
        logging_output = {
            "loss": loss.data,
            "ncorrect": (logits.argmax(-1).eq(target) & labelled).sum(),
            "ntokens": sample["ntokens"],
            "nsentences": sample["nsentences"],
            "sample_size": sample_size,
        }
        return loss, sample_size, logging_output

    @staticmethod
    def reduce_metrics(logging_outputs) -> None:
        """Log ``loss`` in bits a word, and ``accuracy`` in percent of the words."""
        loss, correct, words = (
            sum(log.get(name, 0) for log in logging_outputs) for name in ("loss", "ncorrect", "sample_size")
        )
        metrics.log_scalar("loss", loss / words / math.log(2), words, round=3)
        metrics.log_scalar("accuracy", 100.0 * correct / words, words, round=2)

    @staticmethod
    def logging_outputs_can_be_summed() -> bool:
        return True
