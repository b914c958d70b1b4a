"""Criterion ``align_mlm``: masked-LM loss plus the alignment loss of a bilingual dictionary."""

import logging
import math
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Optional

import numpy as np
import torch
from fairseq import modules, utils
from fairseq.criterions import register_criterion
from fairseq.criterions.masked_lm import MaskedLmConfig, MaskedLmLoss
from fairseq.dataclass import ChoiceEnum, FairseqDataclass
from fairseq.logging import metrics
from omegaconf import II, MISSING
from torch import Tensor

from fairseq_align import ranges
from fairseq_align.criterions import gradient_angles
from fairseq_align.criterions.chunked_cross_entropy import cross_entropy
from fairseq_align.criterions.hard_negatives import HardNegatives
from fairseq_align.criterions.prealignment import prealignment, word_items
from fairseq_align.criterions.realignment import Realignment
from fairseq_align.criterions.self_learning import SelfLearning, kept, languages, lexicons, taken_up
from fairseq_align.embeddings.alignment_loss import LOSSES, Blocks, alignment_term
from fairseq_align.embeddings.anchor import Anchor
from fairseq_align.embeddings.characters import FROM, TO, Characters, NGrams
from fairseq_align.embeddings.pair_loss import TEMPERATURE
from fairseq_align.embeddings.retrieval import mean_cosine, precision_at_1
from fairseq_align.embeddings.shared_gradient import looked_up
from fairseq_align.errors import InputError
from fairseq_align.lexicon import words as lexicon_words
from fairseq_align.lexicon.words import Pairs, Words
from fairseq_align.ranges import COUNT, Range, number
from fairseq_align.text import vocabulary
from fairseq_align.training.fingerprint import PATHS
from fairseq_align.training.parts import table_of

logger = logging.getLogger(__name__)

SAMPLINGS = ("uniform", "weights")
WEIGHT = Range(0, 1_000_000)
DRIFT = "anchor_drift"  # in the log
MOST_WORD_ITEMS = 4096  # pairs whose words go through the encoder in an update
MOST_IN_A_BLOCK = 8192  # pairs of a loss that needs all of them: their cosines with each other take 256 MB


def _paths(value: str) -> list[tuple[str, str]]:
    return [("", path) for path in value.split(":")]


def _learnt_paths(value: str) -> list[tuple[str, str]]:
    return [(f"{one}:{other}:", path) for one, other, path in lexicons(value) if path]


@dataclass
class AlignMlmConfig(FairseqDataclass):
    lexicon: str = field(
        default=MISSING,
        metadata={
            "help": "bilingual dictionary to train on, 'source pieces<TAB>target pieces[<TAB>weight]' lines; several, "
            "e.g. of several pairs of languages, separated by colons",
            PATHS: _paths,
        },
    )
    heldout_lexicon: Optional[str] = field(
        default=None,
        metadata={
            "help": "pairs that are only scored, at validation: heldout_cos and heldout_p1, for each file where there "
            "are several, separated by colons like --lexicon; default: none",
            PATHS: _paths,
        },
    )
    align_weight: float = number(
        10.0,
        WEIGHT,
        "weight of the alignment loss beside the MLM loss in nats a token (the paper's alpha); 0: plain MLM",
    )
    align_warmup: int = number(0, COUNT, "updates over which the weight grows linearly from 0; 0: it is whole at once")
    align_loss: str = field(  # no choices: a plugin may have added a loss
        default="cosine",
        metadata={"help": "; ".join(f"{name}: {pair_loss.help}" for name, pair_loss in LOSSES.items())},
    )
    align_temperature: float = number(
        TEMPERATURE, Range(0.001, 1000), "of the contrastive loss: cosines are divided by it"
    )
    align_pairs: int = number(0, COUNT, "pairs drawn for each update; 0: all of them")
    align_sampling: ChoiceEnum(SAMPLINGS) = field(
        default="uniform",
        metadata={
            "help": "how --align-pairs draws; uniform: evenly, without replacement, and the loss is weighted; weights: "
            "in proportion to the weights of the lexicon, with replacement, and the loss is not"
        },
    )
    score_seen: bool = field(
        default=False,
        metadata={
            "help": "score the pairs of --lexicon at validation, too: seen_p1, and whole_p1 of these and the held-out "
            "ones together; takes a product of all their words with each other"
        },
    )
    logits_chunk: int = number(
        0, COUNT, "masked tokens whose logits are held at once, e.g. 512; 0: of all, as masked_lm does"
    )
    anchor: Optional[str] = field(
        default=None,
        metadata={
            "help": "checkpoint whose word embeddings those of the model are held to, e.g. the one it starts from; "
            "default: none"
        },
    )
    anchor_weight: float = number(
        1.0,
        WEIGHT,
        "weight, beside the MLM loss, of the squared distance to the anchor as a share of its squared length",
    )
    self_learn: Optional[str] = field(
        default=None,
        metadata={
            "help": "have words of these pairs of languages that are nearest to each other join the lexicon, see "
            "--self-learn-every: en:fr, or where --lexicon has several files en:fr:en-fr.tsv,en:hi:en-hi.tsv; "
            "default: none",
            PATHS: _learnt_paths,
        },
    )
    self_learn_every: int = number(1000, Range(1, 1_000_000_000), "updates between two searches for such words")
    self_learn_weight: float = number(
        0.5, Range(0.001, 1000), "weight of such a pair, where one of the lexicon has 1 or what its file says"
    )
    self_learn_words: int = number(
        10_000, Range(1, 1_000_000), "most frequent words of each language that are compared"
    )
    align_characters: int = number(
        0,
        Range(1, 2_000_000, or_zero=True),
        "vectors of character n-grams, a table whose mean over a word's n-grams is added to the word in the alignment "
        "loss; fewer than there are n-grams share one; 0: none",
    )
    align_characters_from: int = number(
        FROM, Range(1, 100), "characters of the shortest n-grams, a word's beginning and end among them"
    )
    align_characters_to: int = number(TO, Range(1, 100), "characters of the longest n-grams")
    hard_negatives: int = number(
        0,
        Range(1, 1000, or_zero=True),
        "wrong answers to each word of a pair that the contrastive loss tells it from, the nearest words of the other "
        "language, besides the words of the update; 0: none",
    )
    hard_negatives_every: int = number(1000, Range(1, 1_000_000_000), "updates between two searches for them")
    hard_negatives_langs: Optional[str] = field(
        default=None,
        metadata={
            "help": "look for them among frequent words of these pairs of languages, too, e.g. en:fr,en:hi, the first "
            "that of the lexicon's first words; default: the words of the lexicon alone"
        },
    )
    hard_negatives_words: int = number(10_000, Range(1, 1_000_000), "frequent words of each language that are compared")
    prealign_updates: int = number(
        0,
        COUNT,
        "updates at the beginning in which the alignment loss is that of the words' states in all layers, each word on "
        "its own, and not of the word embeddings alone; 0: none",
    )
    log_angles: int = number(
        0,
        COUNT,
        "updates between two logs of the angles, part by part of the model, between the gradients of the MLM loss and "
        "of the other terms; such an update takes twice its time; 0: never",
    )
    realign_weight: float = number(
        1.0, WEIGHT, "weight of the loss of the words that --realign pairs, beside the MLM loss; 0: only logged"
    )
    realign_layer: int = number(0, COUNT, "whose states are realigned, from 1; 0: the last one")
    realign_loss: str = field(
        default="contrastive", metadata={"help": "of two states, as --align-loss of two word embeddings"}
    )
    seed: int = II("common.seed")
    tpu: bool = II("common.tpu")
    find_unused_parameters: bool = II("distributed_training.find_unused_parameters")


@register_criterion("align_mlm", dataclass=AlignMlmConfig)
class AlignMlmLoss(MaskedLmLoss):
    """``L_MLM + align_weight * L_align``, on the word embeddings that input and output layer share.

    fairseq divides the summed gradients by the summed ``sample_size``. The alignment loss is a mean, so it is
    multiplied by ``sample_size`` here: its weight is then independent of batch size, ranks and ``--update-freq``. With
    weight 0 it is computed for the log only and the loss is ``masked_lm``'s to the bit.

    Args:
        task: an ``align_mlm`` task; its dictionary is that of the lexicon, its ``update_num`` seeds the sample.
        lexicon, heldout_lexicon: paths, several separated by colons and equally many.
        align_weight: at least 0; of a task that predicts nothing (``--mask-prob 0``) any number above 0 trains the
            alignment loss alone.
        align_warmup: updates until the weight is whole, in training; validation has it whole.
        align_loss: a name in ``LOSSES``.
        align_temperature: of the contrastive loss, above 0.
        align_pairs: pairs of an update; 0: all.
        align_sampling: of ``SAMPLINGS``; both have the same expectation.
        score_seen: whether validation scores the pairs of ``lexicon``, too, not the held-out ones alone.
        logits_chunk: rows of logits that are held at once, see ``chunked_cross_entropy``; 0: all.
        anchor: path of a checkpoint with the same vocabulary; None: none.
        anchor_weight: at least 0.
        self_learn, self_learn_every, self_learn_weight, self_learn_words: of ``SelfLearning``; None: off.
        align_characters, align_characters_from, align_characters_to: of ``Characters``; 0: off.
        hard_negatives, hard_negatives_every, hard_negatives_langs, hard_negatives_words: of ``HardNegatives``; 0: off.
        prealign_updates: updates of ``prealignment`` at the beginning.
        log_angles: updates between two logs of ``gradient_angles``; 0: never.
        realign_weight, realign_layer, realign_loss: of ``Realignment``, where the task ``realigns``.
        seed: of the sample.
        find_unused_parameters: fairseq's setting of DistributedDataParallel, which looks at what the model returns: the
            output layer is then part of its forward pass, as in ``masked_lm``.

    Raises:
        InputError: a setting is out of its range, or a lexicon is missing or unfit.
    """

    def __init__(
        self,
        task,
        lexicon: str,
        heldout_lexicon: Optional[str] = None,
        align_weight: float = 10.0,
        align_warmup: int = 0,
        align_loss: str = "cosine",
        align_temperature: float = TEMPERATURE,
        align_pairs: int = 0,
        align_sampling: str = "uniform",
        score_seen: bool = False,
        logits_chunk: int = 0,
        anchor: Optional[str] = None,
        anchor_weight: float = 1.0,
        self_learn: Optional[str] = None,
        self_learn_every: int = 1000,
        self_learn_weight: float = 0.5,
        self_learn_words: int = 10_000,
        align_characters: int = 0,
        align_characters_from: int = FROM,
        align_characters_to: int = TO,
        hard_negatives: int = 0,
        hard_negatives_every: int = 1000,
        hard_negatives_langs: Optional[str] = None,
        hard_negatives_words: int = 10_000,
        prealign_updates: int = 0,
        log_angles: int = 0,
        realign_weight: float = 1.0,
        realign_layer: int = 0,
        realign_loss: str = "contrastive",
        seed: int = 1,
        tpu: bool = False,
        find_unused_parameters: bool = False,
    ):
        ranges.check(AlignMlmConfig, locals())
        super().__init__(MaskedLmConfig(tpu=tpu), task)
        if logits_chunk and log_angles:
            raise InputError(
                "found --log-angles with --logits-chunk, expected one of them: with chunks the word embeddings have no "
                "gradient of the MLM loss of their own"
            )
        realigns = getattr(task, "realigns", False)
        if find_unused_parameters and (logits_chunk or realigns):
            raise InputError(
                f"found --find-unused-parameters with {'--logits-chunk' if logits_chunk else '--realign'}, expected "
                "one of them; all parameters are used, so leave out the former"
            )
        for flag, name in (("align", align_loss), ("realign", realign_loss)):
            if name not in LOSSES:
                raise InputError(f"found --{flag}-loss {name}, expected one of {', '.join(LOSSES)}")
        parts = _load(lexicon, task)
        self.given = Pairs.cat(list(parts.values()))
        self._take(self.given)
        self.parts, self.words = parts, len(vocabulary.pieces(task.source_dictionary))
        heldout = _heldout(parts, _load(heldout_lexicon, task) if heldout_lexicon else {})
        self.scored = {("heldout", suffix): part for suffix, part in heldout.items()}
        if score_seen:
            self.scored |= _seen(parts, heldout)
        self.align_weight = align_weight
        self.align_warmup = align_warmup
        self.pair_loss = LOSSES[align_loss](align_temperature)
        self.align_pairs = align_pairs
        self.align_sampling = str(align_sampling)
        if self.pair_loss.needs_all_pairs and (align_pairs or len(self.pairs)) > MOST_IN_A_BLOCK:
            raise InputError(
                f"found {align_pairs or len(self.pairs):,} pairs to contrast with each other, expected at most "
                f"{MOST_IN_A_BLOCK:,}; draw some for each update, e.g. --align-pairs 1024"
            )
        self.self_learning, self.learnt, self.learnt_at = None, {}, None
        if self_learn and align_weight > 0:
            if not align_pairs:
                raise InputError(
                    "found --self-learn without --align-pairs, expected both: the lexicon grows; draw some pairs for "
                    "each update, e.g. --align-pairs 1024"
                )
            langs, self.given_of, self.heldout_of = _by_languages(lexicons(self_learn), parts, heldout)
            self.self_learning = SelfLearning(
                langs,
                self_learn_every,
                self_learn_weight,
                self_learn_words,
                task.source_dictionary,
                self._data(task),
            )
        self.characters = None
        if align_characters and align_weight > 0:
            if align_characters_from > align_characters_to:
                raise InputError(
                    f"found --align-characters-from {align_characters_from} and --align-characters-to "
                    f"{align_characters_to}, expected the shortest n-grams and the longest ones"
                )
            ngrams = NGrams(task.source_dictionary, align_characters, align_characters_from, align_characters_to)
            for words in self.given.words:
                ngrams.of(words)  # what transliterates is missed now, not later
            self.characters = Characters.new(ngrams, task.dim, seed)
        self.hard_negatives = None
        if hard_negatives and align_weight > 0:
            if not self.pair_loss.takes_negatives:
                able = ", ".join(name for name, row in LOSSES.items() if row.takes_negatives)
                raise InputError(
                    f"found --hard-negatives with --align-loss {align_loss}, expected {able}, which has room for them"
                )
            self.hard_negatives = HardNegatives(
                hard_negatives,
                hard_negatives_every,
                languages(hard_negatives_langs, "--hard-negatives-langs") if hard_negatives_langs else (),
                hard_negatives_words,
                task.source_dictionary,
                self._data(task),
            )
        if prealign_updates and (align_pairs or len(self.pairs)) > MOST_WORD_ITEMS:
            raise InputError(
                f"found --prealign-updates and {align_pairs or len(self.pairs):,} pairs whose words go through the "
                f"encoder, expected at most {MOST_WORD_ITEMS:,}; draw some for each update, e.g. --align-pairs 512"
            )
        self.logits_chunk = logits_chunk
        self.log_angles = log_angles
        self.prealign_updates = prealign_updates
        self.head_in_model = find_unused_parameters or tpu
        self.aligns_alone = not getattr(task, "predicts", True)
        self.seed = seed
        self.heldout_scores = None
        self.anchor_weight = anchor_weight
        self.anchor = Anchor(table_of(anchor)) if anchor and anchor_weight else None
        pair_loss = LOSSES[realign_loss](align_temperature)
        self.realignment = Realignment(pair_loss, realign_layer, realign_weight) if realigns else None

    @staticmethod
    def _data(task) -> Path:
        """Folder of the binarized data, the first of several."""
        return Path(utils.split_paths(task.cfg.data)[0])

    def load_state_dict(self, state_dict, strict: bool = True, assign: bool = False):
        """Take the table of character n-grams of a checkpoint; of one without such a table the new one stays."""
        if self.characters is not None and not state_dict:
            logger.info("the checkpoint has no table of character n-grams: it begins new")
        taken = state_dict if self.characters is not None and state_dict else self.state_dict()
        return super().load_state_dict(taken, strict, assign)

    def summary(self) -> Iterator[str]:
        """Pairs of each lexicon, and how much of the vocabulary they cover, a line each; what else is trained."""
        for path, pairs in self.parts.items():
            pieces = torch.cat([pairs.source.ids, pairs.target.ids]).unique().numel()
            yield (
                f"{path}: {len(pairs):,} pairs, {pairs.oov:,} more with a piece out of vocabulary; they have "
                f"{pieces:,} of {self.words:,} pieces ({pieces / max(self.words, 1):.0%})"
            )
        if self.characters is not None:
            yield f"{len(self.characters.weight):,} vectors of character n-grams beside the pieces of the words"

    def forward(self, model, sample, reduce=True):
        states = None
        if self.head_in_model:
            loss, sample_size, logging_output = super().forward(model, sample, reduce)
        else:
            loss, sample_size, logging_output, states = self._masked_lm(model, sample)
        if self.align_weight > 0 or self.realignment:  # a batch with nothing to predict counts as one token
            sample_size = max(sample_size, 1) if isinstance(sample_size, int) else sample_size.clamp(min=1)
            logging_output["sample_size"] = sample_size
        embeddings = model.encoder.sentence_encoder.embed_tokens.weight
        with torch.autocast(embeddings.device.type, enabled=False):
            if self.self_learning and model.training:
                self._learn(embeddings)
            if self.hard_negatives and model.training:
                self._mine(embeddings)
            align, scores = self._align(embeddings, model.training)
        if self.align_weight > 0 and model.training and self.task.update_num < self.prealign_updates:
            items = word_items(self.draw(), self.task.source_dictionary)
            align = prealignment(model.encoder.sentence_encoder, items, self.pair_loss)
            scores["prealign_loss"] = align.detach()
            if self.characters is not None:  # ranks wait for a gradient of every parameter
                align = align + self.characters.weight[:0].float().sum()
        if self.learnt and model.training:
            scores |= {name: torch.full_like(align.detach(), value) for name, value in self.learnt.items()}
        logging_output["mlm_loss"] = loss.data
        terms = []
        if self.align_weight > 0:
            terms.append(self._weight(model.training) * sample_size * align)
        if self.anchor is not None:
            drift = self.anchor(embeddings)
            scores[DRIFT] = drift.detach()
            terms.append(self.anchor_weight * sample_size * drift)
        if self.realignment and states:
            with torch.set_grad_enabled(torch.is_grad_enabled() and self.realignment.weight > 0):
                realign, found = self.realignment(states, sample["word_pairs"])
            scores |= found
            if self.realignment.weight > 0:
                terms.append(self.realignment.weight * sample_size * realign)
        if terms and self.log_angles and model.training and self.task.update_num % self.log_angles == 0:
            scores |= self._angles(model.encoder.sentence_encoder, loss, sum(terms), sample_size)
        loss = sum(terms, loss)
        # sums, as everything that ranks add up; reduce_metrics divides by sample_size
        logging_output.update({name: value * sample_size for name, value in scores.items()})
        logging_output["loss"] = loss.data
        return loss, sample_size, logging_output

    def _take(self, pairs: Pairs) -> None:
        """Draw from these pairs from now on."""
        self.pairs = pairs
        self.cumulative_weights = pairs.weights.double().cumsum(0).numpy()
        self.whole: Blocks | None = None  # all pairs on the device of the model

    def _learn(self, embeddings: Tensor) -> None:
        """Search for pairs if it is time to, and draw from what was found last, by this run or the one before it."""
        search, update = self.self_learning, self.task.update_num
        state = self.task.state.learnt
        if update and update % search.every == 0 and state.get("update") != update:
            state.clear()
            state.update(kept(update, search.find(embeddings, self.given_of, self.characters)))
        if not state or state["update"] == self.learnt_at:
            return
        self.learnt_at, found = state["update"], taken_up(state)
        right, known = search.precision(found, self.heldout_of)
        self.learnt = {"learnt_pairs": len(found)} | ({"learnt_precision": right / known} if known else {})
        logger.info(
            "update %d: %d pairs join the %d of the lexicon; of %d whose first word is held out, %d are right",
            self.learnt_at, len(found), len(self.given), known, right,
        )  # fmt: skip
        self._take(Pairs.cat([self.given, found]))

    def _mine(self, embeddings: Tensor) -> None:
        """Search for hard negatives if it is time to, or if other pairs are drawn from; else take up the last ones."""
        search, update, state = self.hard_negatives, self.task.update_num, self.task.state.negatives
        begins, scheduled = self.pairs.negatives is None, update % search.every == 0 and state.get("update") != update
        if not (begins or scheduled):
            return
        checksum = search.checksum(self.pairs)
        if scheduled or state.get("of") != checksum:
            source, target = search.find(embeddings, self.pairs, self.characters)
            state.clear()
            state.update(update=update, of=checksum, source=source, target=target)
            logger.info(
                "update %d: each of %d source and %d target words is told from its %d nearest wrong answers",
                update, len(source), len(target), search.count,
            )  # fmt: skip
        self._take(search.joined(self.pairs, (state["source"], state["target"])))

    def _align(self, embeddings: Tensor, training: bool) -> tuple[Tensor, dict[str, Tensor]]:
        """Alignment loss, and the scores to log."""
        aligned = torch.is_grad_enabled() and self.align_weight > 0
        if training and aligned:
            self._check_trains(embeddings)
        with torch.set_grad_enabled(aligned):
            blocks = self.blocks(embeddings.device)
            if training and aligned and self.task.touched is not None:
                self.task.touched.add(torch.cat(list(blocks.ids())))
            align = alignment_term(embeddings, blocks)
        scores = {"align_loss": align.detach()}
        negative = self.pair_loss.is_negative_cosine
        scores["align_cos"] = -scores["align_loss"] if negative else blocks.mean_cosine(embeddings)
        if training:
            self.heldout_scores = None  # they belong to the weights that a step is about to change
        else:
            scores.update(self._score_heldout(embeddings))
        return align, scores

    def _angles(self, encoder, mlm_loss: Tensor, others: Tensor, sample_size) -> dict[str, Tensor]:
        """Angle of the gradients of the MLM loss and of all other terms together, of each part of the model."""
        parts = gradient_angles.parts_of(encoder)
        by_mlm, by_others = (gradient_angles.gradients(loss, parts) for loss in (mlm_loss, others))
        aligns = self.align_weight > 0 and self.task.update_num >= self.prealign_updates
        if aligns and "embeddings" in parts:  # autograd adds that of the pairs in its own way
            table, factor = encoder.embed_tokens.weight, mlm_loss.new_tensor(self._weight(True)) * sample_size
            self.blocks(table.device).add_gradient(table, by_others["embeddings"][0], factor)
        return {f"angle_{name}": gradient_angles.angle(by_mlm[name], by_others[name]) for name in parts}

    def _check_trains(self, embeddings: Tensor) -> None:
        if not embeddings.requires_grad:
            raise InputError(
                f"found --freeze-embeddings with --align-weight {self.align_weight:g}, expected one of them: the "
                "alignment loss is one of the word embeddings alone"
            )

    def _masked_lm(self, model, sample):
        """The same as the forward pass of ``masked_lm``, in as many chunks of logits as there are to be.

        Where the words to predict stand, and how many they are, is known from the batch: a GPU would have to be asked.

        Returns:
            what ``masked_lm`` does, and the states of all layers if the batch names words to realign.
        """
        chunked = self.logits_chunk or self.aligns_alone
        head, words = model.encoder.lm_head, model.encoder.sentence_encoder.embed_tokens
        with looked_up(words) if chunked and head.weight is words.weight else nullcontext():
            states, extra = model(**sample["net_input"], features_only=True, return_all_hiddens="word_pairs" in sample)
        predicted = self._predicted(sample)
        counts = {"sample_size": len(predicted), **{name: sample[name] for name in ("ntokens", "nsentences")}}
        if not (chunked or len(predicted)):  # a word without a target: ranks wait for a gradient of every parameter
            predicted = predicted.new_zeros(1)
        states, target = _rows(states, predicted), sample["target"].flatten()[predicted]
        if chunked:
            loss = cross_entropy(head, states, target, self.logits_chunk)
        else:
            loss = modules.cross_entropy(head(states), target, ignore_index=self.padding_idx, reduction="sum")
        return loss, counts["sample_size"], counts, extra["inner_states"]

    def _predicted(self, sample: dict) -> Tensor:
        """Where in the flattened batch there is something to predict, int64, shape (N,); of a batch of another dataset
        the GPU is asked."""
        found = sample.get("predicted")
        return sample["target"].flatten().ne(self.padding_idx).nonzero().flatten() if found is None else found

    def _weight(self, training: bool) -> float:
        """Weight of the alignment loss at the current update; grows linearly during ``--align-warmup``."""
        growing = training and self.task.update_num < self.align_warmup
        return self.align_weight * (self.task.update_num / self.align_warmup if growing else 1.0)

    def blocks(self, device: torch.device) -> Blocks:
        """Pairs of this update on a device; all of them are cut and sent there once."""
        pairs = self.draw()
        if pairs is not self.pairs:
            return Blocks(pairs, self.pair_loss, device, self.characters)
        if self.whole is None or self.whole.device != device:
            self.whole = Blocks(pairs, self.pair_loss, device, self.characters)
        return self.whole

    def draw(self) -> Pairs:
        """Pairs of this update, a pure function of (seed, update); without grad mode all pairs, if the loss allows.

        They are on the CPU, and so is all that is drawn: a GPU need not be asked how long the words are.
        """
        everything = not torch.is_grad_enabled() and not self.pair_loss.needs_all_pairs
        if everything or not 0 < self.align_pairs < len(self.pairs):
            return self.pairs
        rng = np.random.default_rng([self.seed, self.task.update_num])
        if self.align_sampling == "uniform":
            rows = rng.choice(len(self.pairs), self.align_pairs, replace=False, shuffle=False)
            return self.pairs.take(rows)
        points = rng.random(self.align_pairs) * self.cumulative_weights[-1]
        rows = self.cumulative_weights.searchsorted(points, side="right")
        return replace(self.pairs.take(rows), weights=torch.ones(len(rows)))

    def _score_heldout(self, embeddings: Tensor) -> dict[str, Tensor]:
        """Cosine and P@1 of the held-out pairs, and P@1 of others that are scored; once for each validation."""
        if self.heldout_scores is None:
            self.heldout_scores = {}
            for (kind, suffix), (pairs, candidates) in self.scored.items():
                pairs, candidates = pairs.to(embeddings.device), candidates.to(embeddings.device)
                if kind == "heldout":
                    self.heldout_scores[f"heldout_cos{suffix}"] = mean_cosine(embeddings, pairs, self.characters)
                score = precision_at_1(embeddings, pairs, candidates, self.characters)
                self.heldout_scores[f"{kind}_p1{suffix}"] = score
        return self.heldout_scores

    @staticmethod
    def reduce_metrics(logging_outputs) -> None:
        """Log ``loss`` (what is minimised, in bits like fairseq's), ``mlm_loss`` in bits a masked token, ``ppl`` of it
        alone, and the alignment scores as they are."""
        total = {name: sum(log.get(name, 0) for log in logging_outputs) for name in ("loss", "mlm_loss", "sample_size")}
        size = total["sample_size"]
        metrics.log_scalar("loss", total["loss"] / size / math.log(2), size, round=3)
        metrics.log_scalar("mlm_loss", total["mlm_loss"] / size / math.log(2), size, round=3)
        metrics.log_derived("ppl", lambda meters: utils.get_perplexity(meters["mlm_loss"].avg))
        logged = ("align_", "learnt_", "prealign_", "realign_", "angle_", "heldout_", "seen_", "whole_", DRIFT)
        for name in (name for name in logging_outputs[0] if name.startswith(logged)):
            mean = sum(log.get(name, 0) for log in logging_outputs) / size
            metrics.log_scalar(name, mean, size, round=6 if name == DRIFT else 4)


def _rows(states: Tensor, places: Tensor) -> Tensor:
    """Rows of states of shape (B, T, C) at places in the flattened batch, shape (N, C).

    fairseq's encoder computes with the tokens first: flattened like that, nothing is copied.
    """
    items, length = states.shape[:2]
    return states.transpose(0, 1).flatten(0, 1).index_select(0, places % length * items + places // length)


def _load(paths: str, task) -> dict[str, Pairs]:
    """The lexicons named by a flag, by path; of several ones their pairs know which they are of."""
    loaded = {path: lexicon_words.load(path, task.source_dictionary) for path in paths.split(":")}
    if len(loaded) == 1:
        return loaded
    parts = enumerate(loaded.items())
    return {path: replace(pairs, lexicons=torch.full((len(pairs),), number)) for number, (path, pairs) in parts}


def _heldout(train: dict[str, Pairs], heldout: dict[str, Pairs]) -> dict[str, tuple[Pairs, Words]]:
    """Held-out pairs and their candidates, all target words of that pair of languages, by the suffix of their scores.

    The suffix is ``_en-fr`` for ``en-fr.heldout.tsv``; empty where there is one file.
    """
    if len(heldout) not in (0, 1, len(train)):
        raise InputError(
            f"found {len(train)} files in --lexicon and {len(heldout)} in --heldout-lexicon, expected one for each; "
            "give them in the same order"
        )
    if len(heldout) == 1:
        (pairs,) = heldout.values()
        return {"": (pairs, lexicon_words.unique(*(part.target for part in train.values()), pairs.target))}
    suffixes = [f"_{Path(path).name.partition('.')[0]}" for path in heldout]
    if len(set(suffixes)) < len(suffixes):
        raise InputError(f"found held-out lexicons {', '.join(heldout)}, expected names with different beginnings")
    return {
        suffix: (pairs, lexicon_words.unique(part.target, pairs.target))
        for suffix, part, pairs in zip(suffixes, train.values(), heldout.values(), strict=False)
    }


def _by_languages(
    named: list[tuple[str, str, str]], train: dict[str, Pairs], heldout: dict[str, tuple[Pairs, Words]]
) -> tuple[list[tuple[str, str]], list[Pairs], list[Pairs]]:
    """Pairs of languages that ``--self-learn`` names, and of each the pairs to train on and those that are held out.

    A word has one translation in each language, so that of several lexicons it has to be known whose they are.
    """
    for one, other, path in named:
        if path not in (train if len(train) > 1 else {"", *train}):
            raise InputError(
                f"found --self-learn {one}:{other}{path and ':'}{path}, expected its lexicon behind it, one of "
                f"{', '.join(train)}, e.g. {one}:{other}:{next(iter(train))}"
            )
    scored = [pairs for pairs, _ in heldout.values()]
    heldout_of = dict(zip(train, scored * len(train) if len(scored) == 1 else scored, strict=False))
    nothing = Pairs(Words.of([]), Words.of([]), torch.zeros(0))
    given, held = {}, {}
    for one, other, path in named:
        path = path or next(iter(train))
        given.setdefault((one, other), []).append(train[path])
        held.setdefault((one, other), []).append(heldout_of.get(path, nothing))
    return list(given), [Pairs.cat(parts) for parts in given.values()], [Pairs.cat(parts) for parts in held.values()]


def _seen(
    train: dict[str, Pairs], heldout: dict[str, tuple[Pairs, Words]]
) -> dict[tuple[str, str], tuple[Pairs, Words]]:
    """Pairs trained on, ``seen``, and these with the held-out ones, ``whole``, with the candidates of the latter.

    Of a derived language whose lexicons are its whole vocabulary, ``whole`` is the paper's measure.
    """
    scored = {}
    if len(heldout) == len(train):
        seen = dict(zip(heldout, train.values(), strict=True))
    else:  # one held-out file for all, or none
        seen = {"": Pairs.cat(list(train.values()))}
    for suffix, pairs in seen.items():
        parts = [pairs, *([heldout[suffix][0]] if suffix in heldout else [])]
        candidates = heldout[suffix][1] if suffix in heldout else lexicon_words.unique(pairs.target)
        scored["seen", suffix] = pairs, candidates
        scored["whole", suffix] = Pairs.cat(parts), candidates
    return scored
