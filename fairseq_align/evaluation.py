"""Scores of a checkpoint, appended to a results file: ``fairseq-align evaluate``."""

import argparse
import pickle
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from fairseq import checkpoint_utils, utils
from fairseq.criterions.masked_lm import MaskedLmConfig, MaskedLmLoss
from fairseq.models import BaseFairseqModel
from fairseq.tasks import FairseqTask
from omegaconf import DictConfig

from fairseq_align import results
from fairseq_align.criterions.sequence_tagging import SequenceTaggingLoss
from fairseq_align.data.masked_lm import MaskedLmDataset
from fairseq_align.errors import InputError
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
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(
            f"{checkpoint}: {reason} Expected a checkpoint of fairseq-train for this data; train it again"
        ) from error
    return models[0].to("cuda" if torch.cuda.is_available() else "cpu").eval(), cfg, task


def batches(task: FairseqTask, subset: str, device: torch.device) -> Iterator[dict]:
    """Batches of a subset in a fixed order."""
    task.load_dataset(subset)
    iterator = task.get_batch_iterator(
        task.dataset(subset), max_tokens=BATCH_TOKENS, max_positions=task.max_positions()
    )
    for sample in iterator.next_epoch_itr(shuffle=False):
        yield utils.move_to_cuda(sample) if device.type == "cuda" else sample


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
    counts = sum(np.bincount(source.items.tokens, minlength=words[1]) for source in dataset.languages)[slice(*words)]
    share = counts[counts > 0] / counts.sum()
    return float(-(share * np.log(share)).sum())


def mlm_scores(model: BaseFairseqModel, task: FairseqTask, subset: str) -> tuple[list[tuple[str, float]], int]:
    """Masked-LM loss and unigram entropy of a subset, nats a token, and the number of masked tokens."""
    total = summed(model, task, MaskedLmLoss(MaskedLmConfig(tpu=False), task), subset)
    masked = int(total["sample_size"])
    return [
        ("loss", total["loss"] / masked),
        ("unigram_entropy", unigram_entropy(task.dataset(subset), task.words)),
    ], masked


def tagging_scores(model: BaseFairseqModel, task: FairseqTask, subset: str) -> tuple[list[tuple[str, float]], int]:
    """Share of words with the right label, and the number of words."""
    total = summed(model, task, SequenceTaggingLoss(task), subset)
    words = int(total["sample_size"])
    return [("accuracy", total["ncorrect"] / words)], words


def evaluate(args: argparse.Namespace) -> None:
    model, cfg, task = load(args.checkpoint, args.data)
    tagging = isinstance(task, SequenceTaggingTask)
    for subset in args.subset.split(","):
        scores, n = (tagging_scores if tagging else mlm_scores)(model, task, subset)
        split, _, lang = subset.partition("_")
        for metric, value in scores:
            record(
                args,
                task="pos" if tagging else "mlm",
                metric=metric,
                value=value,
                n=n,
                lang=lang or (cfg.task.lang if tagging else cfg.task.langs.replace(",", "+")),
                split=split,
                seed=cfg.common.seed,
                source_lang=cfg.task.lang if tagging else None,
                freeze_embeddings=cfg.task.freeze_embeddings if tagging else None,
                lexicon=None,
            )


def record(args: argparse.Namespace, **fields) -> None:
    """Print a score with its signature and append it to the results file, if there is one."""
    fields |= {
        "objective": args.objective,
        "derivation": args.derivation,
        "lexicon_rate": args.lexicon_rate,
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
        "--objective", choices=results.OBJECTIVES, required=True, help="what the model was pre-trained with"
    )
    parser.add_argument(
        "--derivation", help="how the target language was made, e.g. transliterate+invert; not given: natural"
    )
    parser.add_argument(
        "--lexicon-rate", type=float, help="fraction of the vocabulary in the training lexicon; not given: none"
    )


def add_evaluate_parser(subparsers) -> None:
    parser = subparsers.add_parser(
        "evaluate",
        help="score a checkpoint on subsets",
        description="Accuracy of a tagger, or loss of a masked language model beside the unigram entropy of the text.",
    )
    add_common(parser)
    parser.add_argument("--subset", required=True, help="comma-separated subsets: test, test_fr, valid_en-x")
    parser.set_defaults(func=evaluate)
