"""Criterion ``align_mlm``: masked-LM loss plus the alignment loss of a bilingual dictionary."""

import logging
import math
from dataclasses import dataclass, field
from typing import Optional

import numpy as np
import torch
from fairseq import utils
from fairseq.criterions import register_criterion
from fairseq.criterions.masked_lm import MaskedLmConfig, MaskedLmLoss
from fairseq.dataclass import ChoiceEnum, FairseqDataclass
from fairseq.logging import metrics
from omegaconf import II, MISSING
from torch import Tensor

from fairseq_align import alignment, lexicon
from fairseq_align.errors import InputError
from fairseq_align.lexicon import Pairs

logger = logging.getLogger(__name__)

LOSSES = ("cosine", "l2")


@dataclass
class AlignMlmConfig(FairseqDataclass):
    lexicon: str = field(
        default=MISSING,
        metadata={"help": "bilingual dictionary to train on, 'source pieces<TAB>target pieces[<TAB>weight]' lines"},
    )
    heldout_lexicon: Optional[str] = field(
        default=None,
        metadata={"help": "pairs that are only scored, at validation: heldout_cos and heldout_p1; not given: none"},
    )
    align_weight: float = field(
        default=10.0,
        metadata={
            "help": "weight of the alignment loss beside the MLM loss in nats a token (the paper's alpha); 0: plain MLM"
        },
    )
    align_loss: ChoiceEnum(LOSSES) = field(
        default="cosine",
        metadata={"help": "cosine: minus the mean cosine similarity of the pairs; l2: their mean squared distance"},
    )
    align_pairs: int = field(
        default=0, metadata={"help": "pairs drawn for each update, without replacement; 0: all of them"}
    )
    seed: int = II("common.seed")
    tpu: bool = II("common.tpu")


@register_criterion("align_mlm", dataclass=AlignMlmConfig)
class AlignMlmLoss(MaskedLmLoss):
    """``L_MLM + align_weight * L_align``, on the word embeddings that input and output layer share.

    fairseq divides the summed gradients by the summed ``sample_size``. The alignment loss is a mean, so it is
    multiplied by ``sample_size`` here: its weight is then independent of batch size, ranks and ``--update-freq``. With
    weight 0 it is computed for the log only and the loss is ``masked_lm``'s to the bit.

    Args:
        task: an ``align_mlm`` task; its dictionary is that of the lexicon, its ``update_num`` seeds the sample.
        lexicon, heldout_lexicon: paths.
        align_weight: at least 0.
        align_loss: ``cosine`` or ``l2``.
        align_pairs: pairs of an update; 0: all.
        seed: of the sample.
    """

    def __init__(
        self,
        task,
        lexicon: str,
        heldout_lexicon: Optional[str] = None,
        align_weight: float = 10.0,
        align_loss: str = "cosine",
        align_pairs: int = 0,
        seed: int = 1,
        tpu: bool = False,
    ):
        super().__init__(MaskedLmConfig(tpu=tpu), task)
        if not (align_weight >= 0 and math.isfinite(align_weight)) or align_pairs < 0:
            raise InputError(
                f"found --align-weight {align_weight} and --align-pairs {align_pairs}, expected numbers of at least 0"
            )
        self.pairs = _load(lexicon, task)
        self.heldout = _load(heldout_lexicon, task) if heldout_lexicon else None
        self.align_weight = align_weight
        self.align_loss = str(align_loss)
        self.align_pairs = align_pairs
        self.seed = seed
        self.heldout_scores = None

    def forward(self, model, sample, reduce=True):
        loss, sample_size, logging_output = super().forward(model, sample, reduce)
        embeddings = model.encoder.sentence_encoder.embed_tokens.weight
        self._move(embeddings.device)
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.align_weight > 0):
            align = alignment.alignment_loss(embeddings, self._sample(), self.align_loss)
        logging_output["mlm_loss"] = loss.data
        if self.align_weight > 0:
            loss = loss + self.align_weight * sample_size * align
        scores = {"align_loss": align.detach()}
        if self.align_loss == "cosine":
            scores["align_cos"] = -scores["align_loss"]
        if model.training:
            self.heldout_scores = None  # they belong to the weights that a step is about to change
        elif self.heldout is not None:
            scores.update(self._score_heldout(embeddings))
        # sums, as everything that ranks add up; reduce_metrics divides by sample_size
        logging_output.update({name: value * sample_size for name, value in scores.items()})
        logging_output["loss"] = loss.data
        return loss, sample_size, logging_output

    def _sample(self) -> Pairs:
        """Pairs of this update, a pure function of (seed, update)."""
        if not (0 < self.align_pairs < len(self.pairs)) or not torch.is_grad_enabled():
            return self.pairs
        rng = np.random.default_rng([self.seed, self.task.update_num])
        rows = rng.choice(len(self.pairs), self.align_pairs, replace=False, shuffle=False)
        return self.pairs.take(torch.from_numpy(rows).to(self.pairs.weights.device))

    def _score_heldout(self, embeddings: Tensor) -> dict[str, Tensor]:
        """Cosine and P@1 of the held-out pairs, computed once a validation; candidates are all target words."""
        if self.heldout_scores is None:
            candidates = lexicon.unique(self.pairs.target, self.heldout.target)
            self.heldout_scores = {
                "heldout_cos": alignment.mean_cosine(embeddings, self.heldout),
                "heldout_p1": alignment.precision_at_1(embeddings, self.heldout, candidates).to(embeddings.device),
            }
        return self.heldout_scores

    def _move(self, device: torch.device) -> None:
        if self.pairs.weights.device != device:
            self.pairs = self.pairs.to(device)
            self.heldout = self.heldout.to(device) if self.heldout is not None else None

    @staticmethod
    def reduce_metrics(logging_outputs) -> None:
        """Log ``loss`` (what is minimised, in bits like fairseq's), ``mlm_loss`` in bits a masked token, ``ppl`` of it
        alone, and the alignment scores as they are."""
        total = {name: sum(log.get(name, 0) for log in logging_outputs) for name in ("loss", "mlm_loss", "sample_size")}
        size = total["sample_size"]
        metrics.log_scalar("loss", total["loss"] / size / math.log(2), size, round=3)
        metrics.log_scalar("mlm_loss", total["mlm_loss"] / size / math.log(2), size, round=3)
        metrics.log_derived("ppl", lambda meters: utils.get_perplexity(meters["mlm_loss"].avg))
        for name in ("align_loss", "align_cos", "heldout_cos", "heldout_p1"):
            if name in logging_outputs[0]:
                metrics.log_scalar(name, sum(log.get(name, 0) for log in logging_outputs) / size, size, round=4)


def _load(path: str, task) -> Pairs:
    return lexicon.load(path, task.source_dictionary)
