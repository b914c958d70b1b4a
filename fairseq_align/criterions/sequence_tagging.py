"""Criterion ``sequence_tagging``: cross entropy of word labels, and at validation the F1 of the whole subset."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from fairseq.criterions import FairseqCriterion, register_criterion
from fairseq.dataclass import FairseqDataclass
from fairseq.logging import metrics
from torch import Tensor

from fairseq_align.data.tagging import IGNORED
from fairseq_align.downstream import labels as tags


@dataclass
class SequenceTaggingConfig(FairseqDataclass):
    pass


@register_criterion("sequence_tagging", dataclass=SequenceTaggingConfig)
class SequenceTaggingLoss(FairseqCriterion):
    """Sum over the labelled words of a batch; ``sample_size`` is their number.

    At validation each batch counts true positives, predicted and gold units (see ``downstream.labels``). The counts of
    all batches and ranks are summed before F1 is taken. A sentence that is cut into several items is counted item by
    item here, whole by ``fairseq-align evaluate``.
    """

    def __init__(self, task):
        super().__init__(task)
        self.scheme = tags.scheme(task.labels)

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
        if not model.training:
            logging_output["span_counts" if self.scheme.spans else "label_counts"] = self.counts(logits, target)
        return loss, sample_size, logging_output

    def counts(self, logits: Tensor, target: Tensor) -> Tensor:
        """True positives, predicted and gold units by type: logits (B, T, L), target (B, T) -> int64 (K, 3), CPU."""
        labelled = target.ne(IGNORED)
        first = labelled & (labelled.cumsum(1) == 1)
        words = (values[labelled].cpu().numpy() for values in (logits.argmax(-1), target, first))
        return torch.from_numpy(tags.counts(*words, self.scheme))

    @staticmethod
    def reduce_metrics(logging_outputs) -> None:
        """Log ``loss`` in bits a word, and in percent ``accuracy`` of the words and, at validation, ``f1``.

        ``f1`` is that of all entities (strict IOB2), or the mean over parts of speech.
        """
        loss, correct, words = (
            sum(log.get(name, 0) for log in logging_outputs) for name in ("loss", "ncorrect", "sample_size")
        )
        metrics.log_scalar("loss", loss / words / math.log(2), words, round=3)
        metrics.log_scalar("accuracy", 100.0 * correct / words, words, round=2)
        for name, score in (("span_counts", tags.micro_f1), ("label_counts", tags.macro_f1)):
            counts = [log[name] for log in logging_outputs if name in log]
            if counts:
                key = f"_{name}"  # not shown
                metrics.log_scalar_sum(key, sum(counts))
                metrics.log_derived("f1", lambda meters, key=key, score=score: _percent(score, meters[key].sum))

    @staticmethod
    def logging_outputs_can_be_summed() -> bool:
        return True


def _percent(score, counts: Tensor) -> float:
    return round(100 * score(counts.cpu().numpy()), 2)
