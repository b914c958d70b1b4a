"""Scores of a checkpoint, appended to a results file: ``fairseq-align evaluate``."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from fairseq import checkpoint_utils, utils
from fairseq.criterions.masked_lm import MaskedLmConfig, MaskedLmLoss
from fairseq.models import BaseFairseqModel
from fairseq.tasks import FairseqTask
from fairseq.tasks.sentence_prediction import SentencePredictionTask
from omegaconf import DictConfig

from fairseq_align.data.masked_lm import MaskedLmDataset
from fairseq_align.downstream import labels as tags
from fairseq_align.errors import InputError
from fairseq_align.evaluation import predictions
from fairseq_align.evaluation.sentence_retrieval import accuracy, sentence_vectors
from fairseq_align.lexicon.frequency import unigrams
from fairseq_align.objectives import OBJECTIVES
from fairseq_align.results import records as results
from fairseq_align.tasks.sequence_tagging import SequenceTaggingTask

BATCH_TOKENS = 8192


def load(checkpoint: str | Path, data: str | Path) -> tuple[BaseFairseqModel, DictConfig, FairseqTask]:
    """A trained model in evaluation mode, on the GPU if there is one, its configuration, and its task on ``data``.

    Raises:
        InputError: the checkpoint is missing, damaged, or holds anything but tensors and settings.
    """
    if not Path(checkpoint).is_file():
        raise InputError(f"{checkpoint}: found no file, expected a checkpoint; train one with fairseq-train")
    try:
        models, cfg, task = checkpoint_utils.load_model_ensemble_and_task(
            [str(checkpoint)], arg_overrides={"data": str(data)}
        )
    except RuntimeError as error:  # the weights are not those of the model
        reason = str(error).strip().splitlines()[0]
        raise InputError(
            f"{checkpoint}: {reason} Expected a checkpoint of fairseq-train for this data; train it again"
        ) from error
    return models[0].to("cuda" if torch.cuda.is_available() else "cpu").eval(), cfg, task


def batches(task: FairseqTask, subset: str, device: torch.device) -> Iterator[dict]:
    """Batches of a subset, which is loaded at once, in a fixed order."""
    task.load_dataset(subset)
    iterator = task.get_batch_iterator(
        task.dataset(subset), max_tokens=BATCH_TOKENS, max_positions=task.max_positions()
    )
    samples = iterator.next_epoch_itr(shuffle=False)
    return (utils.move_to_cuda(sample) if device.type == "cuda" else sample for sample in samples)


@torch.no_grad()
def summed(model: BaseFairseqModel, task: FairseqTask, criterion, subset: str) -> dict[str, float]:
    """The criterion's logging outputs, summed over a subset."""
    total: dict[str, float] = {}
    for sample in batches(task, subset, next(model.parameters()).device):
        _, _, logged = criterion(model, sample)
        for name, value in logged.items():
            total[name] = total.get(name, 0) + float(value)
    return total


def unigram_entropy(dataset: MaskedLmDataset, words: tuple[int, int]) -> float:
    """Entropy of the frequencies of ordinary tokens in a text: the loss of the best model without context.

    Args:
        words: first id of an ordinary token, and one more than the last.

    Returns:
        nats a token; specials, which are never predicted, are not counted.
    """
    counts = sum(unigrams(source.items.tokens, words[1]) for source in dataset.languages)[slice(*words)]
    share = counts[counts > 0] / counts.sum()
    return float(-(share * np.log(share)).sum())


class Score(NamedTuple):
    """One figure of a subset.

    Attributes:
        n: number of items scored.
    """

    task: str
    metric: str
    value: float
    n: int


class Tuned(NamedTuple):
    """How a model was fine-tuned; None where it was not."""

    source_lang: str | None
    freeze_embeddings: bool | None


def score_mlm(model: BaseFairseqModel, cfg: DictConfig, task: FairseqTask, subset: str, args) -> Iterator[Score]:
    """Masked-LM loss and unigram entropy of a subset, nats a token."""
    total = summed(model, task, MaskedLmLoss(MaskedLmConfig(tpu=False), task), subset)
    masked = int(total["sample_size"])
    yield Score("mlm", "loss", total["loss"] / masked, masked)
    yield Score("mlm", "unigram_entropy", unigram_entropy(task.dataset(subset), task.words), masked)


def score_tagging(model: BaseFairseqModel, cfg: DictConfig, task: FairseqTask, subset: str, args) -> Iterator[Score]:
    """Scores of a tagger, see ``predictions.scores``; writes what it predicts into ``--predictions``."""
    device = next(model.parameters()).device
    found = batches(task, subset, device)
    sentences = predictions.predict(model, task.dataset(subset), found, task.labels)
    entities = tags.is_iob2(task.labels)
    if args.predictions:
        split, lang = place(subset, cfg.task.lang)
        path = args.predictions / f"{lang}.{split}.{'iob2' if entities else 'conllu'}"
        predictions.write(path, sentences, entities)
    for metric, value, n in predictions.scores(sentences, task.labels):
        yield Score("ner" if entities else "pos", metric, value, n)


def score_nli(model: BaseFairseqModel, cfg: DictConfig, task: FairseqTask, subset: str, args) -> Iterator[Score]:
    """Share of sentence pairs with the right class."""
    total = summed(model, task, task.build_criterion(cfg.criterion), subset)
    pairs = int(total["sample_size"])
    yield Score("xnli", "accuracy", total["ncorrect"] / pairs, pairs)


def place(subset: str, lang: str | None = None) -> tuple[str, str]:
    """Split and language of a subset: ``test_fr`` -> ``test``, ``fr``; ``lang`` is that of one that names none.

    Raises:
        InputError: there is no language.
    """
    split, _, named = subset.partition("_")
    if not (named or lang):
        raise InputError(f"--subset: found {subset}, expected its language behind a _, e.g. {subset}_en")
    return split, named or lang


def score_retrieval(args: argparse.Namespace, model: BaseFairseqModel, cfg: DictConfig, task: FairseqTask) -> None:
    """Record how often a sentence of the first subset finds its translation in each other one, and the other way."""
    layers = len(model.encoder.sentence_encoder.layers)
    layer = layers if args.layer is None else args.layer
    places = [place(subset) for subset in args.subset.split(",")]
    if len(places) < 2 or len({split for split, _ in places}) > 1:
        raise InputError(
            f"--subset: found {args.subset}, expected a subset of the source language and some of others that are "
            "parallel to it, e.g. test_en,test_fr"
        )
    split, source = places[0]
    prefixes = {lang: Path(args.data) / lang / split for _, lang in places}
    vectors = {
        lang: sentence_vectors(model, task.source_dictionary, prefix, layer) for lang, prefix in prefixes.items()
    }
    for lang in list(prefixes)[1:]:
        pair = vectors[source], vectors[lang]
        if len(pair[0]) != len(pair[1]) or not len(pair[0]):
            raise InputError(
                f"{prefixes[lang]}.idx: found {len(pair[1])} sentences, expected as many as the {len(pair[0])} of "
                f"{prefixes[source]}.idx; parallel data is aligned line by line, binarize both sides from aligned text"
            )
        for direction, (queries, candidates) in ((None, pair), ("backward", pair[::-1])):
            record(
                args,
                task="retrieval",
                metric="accuracy",
                value=accuracy(queries, candidates),
                n=len(queries),
                lang=f"{source}:{lang}",
                split=split,
                seed=cfg.common.seed,
                source_lang=None,
                freeze_embeddings=None,
                lexicon=None,
                layer=layer,
                direction=direction,
            )


def evaluate(args: argparse.Namespace) -> None:
    model, cfg, task = load(args.checkpoint, args.data)
    if args.task == "retrieval":
        score_retrieval(args, model, cfg, task)
    else:
        score_subsets(args, model, cfg, task)


def score_subsets(args: argparse.Namespace, model: BaseFairseqModel, cfg: DictConfig, task: FairseqTask) -> None:
    """Record what the model was trained for, on each subset."""
    tuned, langs = Tuned(None, None), None
    if isinstance(task, SequenceTaggingTask):
        score, langs = score_tagging, cfg.task.lang
        tuned = Tuned(cfg.task.lang, cfg.task.freeze_embeddings)
    elif isinstance(task, SentencePredictionTask):
        score = score_nli
        tuned = Tuned(place(cfg.dataset.train_subset)[1], False)
    else:
        score, langs = score_mlm, cfg.task.langs.replace(",", "+")
    if args.predictions and score is not score_tagging:
        raise InputError(
            f"--predictions: found a checkpoint of task {cfg.task._name}, expected one of sequence_tagging"
        )
    for subset in args.subset.split(","):
        split, lang = place(subset, langs)
        for found in score(model, cfg, task, subset, args):
            record(
                args, **found._asdict(), **tuned._asdict(), lang=lang, split=split, seed=cfg.common.seed, lexicon=None
            )


def record(args: argparse.Namespace, **fields) -> None:
    """Print a score with its signature and append it to the results file, if there is one."""
    fields |= {
        "objective": args.objective,
        "derivation": args.derivation,
        "lexicon_rate": args.lexicon_rate,
        "variant": args.variant,
        "checkpoint": results.checksum(args.checkpoint),
        "versions": results.versions(),
        "date": results.now(),
    }
    print(results.signature(fields))
    if args.results:
        results.append(args.results, fields)


def add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("checkpoint", help="checkpoint of fairseq-train")
    parser.add_argument("data", help="folder of binarized data with dict.txt")
    parser.add_argument("--results", help="JSON-lines file to append the scores to; not given: they are only printed")
    parser.add_argument(
        "--objective", choices=list(OBJECTIVES), required=True, help="what the model was pre-trained with"
    )
    parser.add_argument(
        "--derivation", help="how the target language was made, e.g. transliterate+invert; not given: natural"
    )
    parser.add_argument(
        "--lexicon-rate", type=float, help="fraction of the vocabulary in the training lexicon; not given: none"
    )
    parser.add_argument(
        "--variant", help="what else sets the training apart, a row of its own in reports, e.g. contrastive"
    )


def add_evaluate_parser(subparsers) -> None:
    parser = subparsers.add_parser(
        "evaluate",
        help="score a checkpoint on subsets",
        description="Accuracy and F1 of a tagger, accuracy of a sentence classifier, or the loss of a masked language "
        "model beside the unigram entropy of the text; or how often parallel sentences find each other. Question "
        "answering is out of scope.",
    )
    add_common(parser)
    parser.add_argument("--subset", required=True, help="comma-separated subsets: test, test_fr, valid_en-x")
    parser.add_argument(
        "--task",
        choices=("retrieval",),
        help="retrieval: accuracy of finding the sentences of the first subset in each other one, and the other way; "
        "not given: that of the checkpoint",
    )
    parser.add_argument(
        "--layer",
        type=int,
        help="retrieval: layer whose mean state stands for a sentence, 0: embeddings; not given: the last",
    )
    parser.add_argument(
        "--predictions", type=Path, metavar="DIR", help="folder for what a tagger predicts, as CoNLL; not given: none"
    )
    parser.set_defaults(func=evaluate)
