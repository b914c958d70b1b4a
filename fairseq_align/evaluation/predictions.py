"""Predictions of a tagger for a subset: whole sentences, their scores, and CoNLL files of them.

The file of a part-of-speech tagger is CoNLL-U, with the gold tag as ``Gold=NOUN`` in the last column; that of named
entities has the columns of conlleval, ``word<TAB>gold<TAB>predicted``. Words are spelt as the model saw them, see
``TaggingDataset.sentences``. ``conllu.read`` and ``iob2.read`` read the files, as predictions.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from fairseq_align.data.tagging import IGNORED, TaggingDataset
from fairseq_align.downstream import labels as tags
from fairseq_align.errors import InputError
from fairseq_align.files import writing
from fairseq_align.models.tagger import RobertaTagger


class Sentence(NamedTuple):
    """Words with their labels, equally many."""

    words: list[str]
    gold: list[str]
    predicted: list[str]


@torch.no_grad()
def predict(
    model: RobertaTagger, dataset: TaggingDataset, batches: Iterable[dict], labels: Sequence[str]
) -> list[Sentence]:
    """Labels of all words of a dataset, sentences whole and in the order of the data.

    Args:
        batches: of the dataset, each item in one of them.
        labels: names of the labels in the order of the logits.
    """
    predicted = np.full(len(dataset.tokens), IGNORED)
    for batch in batches:
        best = model(**batch["net_input"]).argmax(-1).cpu().numpy()
        for row, item in enumerate(batch["id"].tolist()):
            start, end = dataset.bounds[item], dataset.bounds[item + 1]
            predicted[start:end] = best[row, 1 : 1 + end - start]  # <s> is no token of the data
    return [
        Sentence(words, [labels[label] for label in gold], [labels[label] for label in sentence_predicted])
        for words, gold, sentence_predicted in dataset.sentences(predicted)
    ]


def scores(sentences: Sequence[Sentence], labels: Sequence[str]) -> list[tuple[str, float, int]]:
    """Name, value in [0, 1] and number of items scored, of each metric.

    ``accuracy`` is the share of words with the gold label. ``f1`` is that of entities by seqeval in its strict IOB2
    mode, or the mean of the parts of speech that occur (macro). ``seqeval_f1`` is seqeval's figure for the raw tags in
    its default mode, which XTREME and the ALIGN-MLM paper report: of entities it also takes those that begin with
    ``I-``; of parts of speech it takes neighbours of one tag as one span. See ``downstream.labels``.

    Raises:
        InputError: there is nothing to score.
    """
    gold = [sentence.gold for sentence in sentences]
    predicted = [sentence.predicted for sentence in sentences]
    scheme = tags.scheme(labels)
    numbers = {label: number for number, label in enumerate(labels)}
    gold_ids, predicted_ids = (np.array([numbers[tag] for row in rows for tag in row]) for rows in (gold, predicted))
    units = int(scheme.begins[gold_ids].sum()) if len(gold_ids) else 0
    if not units:
        raise InputError("found no entity or word in the subset, expected some to score; check the subset and its data")
    lengths = np.array([len(row) for row in gold])
    first = np.isin(np.arange(len(gold_ids)), np.cumsum(lengths) - lengths)
    f1 = tags.micro_f1 if scheme.spans else tags.macro_f1
    return [
        ("accuracy", float((gold_ids == predicted_ids).mean()), len(gold_ids)),
        ("f1", f1(tags.counts(predicted_ids, gold_ids, first, scheme)), units),
        ("seqeval_f1", tags.micro_f1(tags.lenient_counts(predicted, gold)), units),
    ]


def write(path: Path, sentences: Iterable[Sentence], entities: bool) -> None:
    """Write a file of predictions; it appears under its name only when it is complete."""
    with writing(path) as file:
        for sentence in sentences:
            for number, (word, gold, predicted) in enumerate(zip(*sentence, strict=True), 1):
                columns = [word or "_", gold, predicted]
                if not entities:
                    columns = [str(number), word or "_", "_", predicted, *"_____", f"Gold={gold}"]
                file.write("\t".join(columns) + "\n")
            file.write("\n")
