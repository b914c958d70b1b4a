"""Scores of a checkpoint on the task it was trained for, and on retrieval of parallel sentences.

A new task is a row of ``SCORERS``.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from fairseq.criterions.masked_lm import MaskedLmConfig, MaskedLmLoss
from fairseq.tasks import FairseqTask
from fairseq.tasks.sentence_prediction import SentencePredictionTask

from fairseq_align.data import binarized
from fairseq_align.data.masked_lm import MaskedLmDataset
from fairseq_align.downstream import labels as tags
from fairseq_align.downstream import nli
from fairseq_align.errors import InputError
from fairseq_align.evaluation import predictions
from fairseq_align.evaluation.checkpoint import Checkpoint, batches, summed
from fairseq_align.evaluation.score import Score
from fairseq_align.evaluation.sentence_retrieval import accuracy, sentence_vectors
from fairseq_align.lexicon.frequency import unigrams
from fairseq_align.tasks.align_mlm import AlignMlmTask
from fairseq_align.tasks.sequence_tagging import SequenceTaggingTask

logger = logging.getLogger(__name__)


def split_and_lang(subset: str, lang: str | None = None) -> tuple[str, str]:
    """Split and language of a subset.

    >>> split_and_lang("test_fr"), split_and_lang("test", "en")
    (('test', 'fr'), ('test', 'en'))

    Args:
        lang: language of a subset that names none; None: it has to name one.

    Raises:
        InputError: there is no language.
    """
    split, _, named = subset.partition("_")
    if not (named or lang):
        raise InputError(f"--subset: found {subset}, expected its language behind a _, e.g. {subset}_en")
    return split, named or lang


def unigram_entropy(dataset: MaskedLmDataset, words: tuple[int, int]) -> float:
    """Entropy of the frequencies of ordinary tokens in a text: the loss of the best model without context.

    Args:
        words: first id of an ordinary token, and one more than the last.

    Returns:
        nats a token; special tokens, which are never predicted, are not counted.
    """
    counts = sum(unigrams(source.items.tokens, words[1]) for source in dataset.languages)[slice(*words)]
    share = counts[counts > 0] / counts.sum()
    return float(-(share * np.log(share)).sum())


def score_mlm(checkpoint: Checkpoint, subset: str) -> Iterator[Score]:
    """Masked-LM loss and unigram entropy of a subset, nats a token."""
    split, lang = split_and_lang(subset, checkpoint.cfg.task.langs.replace(",", "+"))
    task = checkpoint.task
    total = summed(checkpoint, MaskedLmLoss(MaskedLmConfig(tpu=False), task), subset)
    masked = int(total.get("sample_size", 0))
    if not masked:
        raise InputError(
            f"--subset: found no token to predict in {subset} with --mask-prob {task.cfg.mask_prob} of the training, "
            "expected some; such a model is scored by fairseq-align alignment"
        )
    yield Score("mlm", "loss", total["loss"] / masked, masked, lang, split)
    yield Score("mlm", "unigram_entropy", unigram_entropy(task.dataset(subset), task.words), masked, lang, split)


def score_tagging(checkpoint: Checkpoint, subset: str, folder: Path | None = None) -> Iterator[Score]:
    """Scores of a tagger, see ``predictions.scores``.

    Args:
        folder: for a CoNLL file of the predictions, ``<lang>.<split>.conllu`` or ``.iob2``; None: no file.
    """
    settings, task = checkpoint.cfg.task, checkpoint.task
    split, lang = split_and_lang(subset, settings.lang)
    samples = batches(checkpoint, subset)
    sentences = predictions.predict(checkpoint.model, task.dataset(subset), samples, task.labels)
    entities = tags.is_iob2(task.labels)
    if folder:
        path = folder / f"{lang}.{split}.{'iob2' if entities else 'conllu'}"
        predictions.write(path, sentences, entities)
    name = "ner" if entities else "pos"
    tuned = {"source_lang": settings.lang, "freeze_embeddings": settings.freeze_embeddings}
    for metric, value, n in predictions.scores(sentences, task.labels):
        yield Score(name, metric, value, n, lang, split, **tuned)


def score_nli(checkpoint: Checkpoint, subset: str) -> Iterator[Score]:
    """Share of sentence pairs with the correct class; a pair longer than the model takes is cut at its end.

    Raises:
        InputError: the model gives a number in place of a class, or the data lack the subset.
    """
    cfg = checkpoint.cfg
    if cfg.task.regression_target:
        raise InputError(
            f"{checkpoint.path}: found a regression (--regression-target), expected a classifier; what is scored is "
            "the share of pairs with the correct class"
        )
    _shorten(checkpoint, subset)
    source_lang = split_and_lang(cfg.dataset.train_subset)[1]
    split, lang = split_and_lang(subset)
    total = summed(checkpoint, checkpoint.task.build_criterion(cfg.criterion), subset)
    pairs = int(total["sample_size"])
    frozen = bool(cfg.task.get("freeze_embeddings"))  # sentence_prediction cannot freeze any
    tuned = {"source_lang": source_lang, "freeze_embeddings": frozen}
    yield Score("xnli", "accuracy", total["ncorrect"] / pairs, pairs, lang, split, **tuned)


def _shorten(checkpoint: Checkpoint, subset: str) -> None:
    """Let the task cut pairs of a subset to the length that the model takes, where fairseq would refuse them all.

    Raises:
        InputError: the data lack the subset.
    """
    task, data = checkpoint.task, checkpoint.data
    for folder in (*nli.INPUTS, "label"):
        if not binarized.exists(data / folder / subset):
            there = sorted(path.stem for path in (data / folder).glob("*.idx"))
            raise InputError(
                f"{data / folder / subset}.idx: found no binarized data, expected one of {', '.join(there) or 'none'}; "
                "check --subset, or run fairseq-align xnli"
            )
    longest = min(task.max_positions(), checkpoint.model.max_positions())
    added = sum(symbol is not None for symbol in (task.cfg.init_token, task.cfg.separator_token))
    sizes = sum(binarized.read(data / folder / subset).sizes for folder in nli.INPUTS) + added
    if not len(sizes):
        raise InputError(f"--subset {subset}: found no sentence pair, expected some; check the data")
    if over := int((sizes > longest).sum()):
        logger.warning("%s: %d of %d pairs are longer than %d tokens and cut", subset, over, len(sizes), longest)
        task.cfg.max_positions = longest
        task.cfg.shorten_method, task.cfg.shorten_data_split_list = "truncate", ""


class Scorer(NamedTuple):
    """How checkpoints of a task are scored.

    Attributes:
        score: takes a checkpoint and a subset; with ``writes_predictions`` also a folder or None.
    """

    score: Callable[..., Iterator[Score]]
    writes_predictions: bool = False


SCORERS: dict[type[FairseqTask], Scorer] = {
    AlignMlmTask: Scorer(score_mlm),
    SequenceTaggingTask: Scorer(score_tagging, writes_predictions=True),
    SentencePredictionTask: Scorer(score_nli),
}


def scorer_of(checkpoint: Checkpoint) -> Scorer:
    """The scorer of a checkpoint's task, or of the class that the task is derived from.

    Raises:
        InputError: there is none.
    """
    for kind in type(checkpoint.task).__mro__:
        if kind in SCORERS:
            return SCORERS[kind]
    raise InputError(
        f"{checkpoint.path}: found a checkpoint of task {checkpoint.cfg.task._name}, expected one of "
        f"{', '.join(kind.__name__ for kind in SCORERS)}"
    )


def evaluate(checkpoint: Checkpoint, subset: str, folder: Path | None = None) -> list[Score]:
    """Score a checkpoint on a subset, for the task that it was trained for.

    Args:
        checkpoint: see ``checkpoint.load``.
        subset: ``test_fr``, ``valid_en-x``; without a language that of the task.
        folder: for the predictions of a tagger, as CoNLL; None: they are not written.

    Raises:
        InputError: the data lack the subset, the task is none of ``SCORERS``, or it writes no predictions.
    """
    scorer = scorer_of(checkpoint)
    if not scorer.writes_predictions:
        if folder:
            raise InputError(
                f"--predictions: found a checkpoint of task {checkpoint.cfg.task._name}, expected one of "
                "sequence_tagging"
            )
        return list(scorer.score(checkpoint, subset))
    return list(scorer.score(checkpoint, subset, folder))


def score_retrieval(checkpoint: Checkpoint, subsets: Sequence[str], layer: int | None = None) -> Iterator[Score]:
    """Share of sentences of the first subset that find their translation in each other one, and the other way.

    Args:
        subsets: parallel to each other, of one split, e.g. ``test_en``, ``test_fr``.
        layer: whose mean state is the vector of a sentence, 0: embeddings; None: the last.

    Raises:
        InputError: the subsets are not parallel, or the model has no such layer.
    """
    if layer is None:
        layer = len(checkpoint.model.encoder.sentence_encoder.layers)
    named = [split_and_lang(subset) for subset in subsets]
    if len(named) < 2 or len({split for split, _ in named}) > 1:
        raise InputError(
            f"--subset: found {','.join(subsets)}, expected a subset of the source language and some of others that "
            "are parallel to it, e.g. test_en,test_fr"
        )
    split, source = named[0]
    prefixes = {lang: checkpoint.data / lang / split for _, lang in named}
    vectors = {
        lang: sentence_vectors(checkpoint.model, checkpoint.dictionary, prefix, layer)
        for lang, prefix in prefixes.items()
    }
    for lang in list(prefixes)[1:]:
        pair = vectors[source], vectors[lang]
        if len(pair[0]) != len(pair[1]) or not len(pair[0]):
            raise InputError(
                f"{prefixes[lang]}.idx: found {len(pair[1])} sentences, expected as many as the {len(pair[0])} of "
                f"{prefixes[source]}.idx; parallel data is aligned line by line, binarize both sides from aligned text"
            )
        for direction, (queries, candidates) in ((None, pair), ("backward", pair[::-1])):
            share = accuracy(queries, candidates)
            languages = f"{source}:{lang}"
            yield Score(
                "retrieval", "accuracy", share, len(queries), languages, split, layer=layer, direction=direction
            )
