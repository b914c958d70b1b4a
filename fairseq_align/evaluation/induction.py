"""An induced dictionary: the words of two languages that are nearest to each other, and how many of them are right.

    training texts -> ``whole_words`` -> ``induce`` (pairs, the best first) -> ``precision_scores`` on held-out pairs

The words are whole words of the texts, of however many pieces, whether a lexicon has them or not. A word of both texts
is its own nearest one, whatever was learnt, so that pair is no answer. A model is scored by the answers that it gives
for the source words of held-out pairs: with the best answers alone precision is high and coverage low, with all of them
it is the other way round.
"""

import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from fairseq.data import Dictionary

from fairseq_align.data import whole_words
from fairseq_align.embeddings import induction, retrieval, spelling
from fairseq_align.evaluation.alignment import spaces_of
from fairseq_align.evaluation.checkpoint import Checkpoint
from fairseq_align.evaluation.score import Score
from fairseq_align.evaluation.whole_vocabulary import has_new_script, record_of
from fairseq_align.lexicon import coverage
from fairseq_align.lexicon.wordlist import Pair
from fairseq_align.lexicon.words import Pairs, Words

logger = logging.getLogger(__name__)

TASK = "induction"
STEP = 0.05  # of the coverage between two scores
Word = tuple[int, ...]
Gold = Mapping[Word, set[Word]]


class Answer(NamedTuple):
    """A source word, the target word that is taken for its translation, and their score."""

    source: Word
    target: Word
    score: float


class Induced(NamedTuple):
    """What ``induce`` found.

    Attributes:
        words: that were compared, of source and target language, the most frequent first.
        answers: at most one for each source word, the best first; of equal scores the more frequent word.
    """

    words: tuple[list[Word], list[Word]]
    answers: list[Answer]


def induce(
    checkpoint: Checkpoint,
    langs: tuple[str, str],
    count: int = 20_000,
    similarity: str = "csls",
    both_ways: bool = True,
    layer: int | None = None,
    block: int = retrieval.BLOCK,
) -> Induced:
    """Pair the words of two languages that are nearest to each other.

    Args:
        checkpoint: see ``checkpoint.load``; its data hold the training text of both languages.
        langs: source and target language, folders of the data.
        count: words of each language that are compared, the most frequent.
        similarity: ``csls`` or ``cosine``.
        both_ways: pair a source word with its nearest target word only if it is the nearest of that; else always.
        layer: of the encoder, whose states of a word on its own are compared; None: word embeddings.
        block: words that are compared at a time, see ``retrieval.memory``.

    Raises:
        InputError: as ``whole_words``, or the model lacks the layer.

    Source: Conneau et al. 2018, https://arxiv.org/abs/1710.04087
    """
    source, target = (whole_words.frequent(checkpoint.data, lang, checkpoint.dictionary, count) for lang in langs)
    spaces = spaces_of(checkpoint, (Words.of(source), Words.of(target)), layer)
    means = retrieval.mean_similarities(*spaces, block=block) if similarity == "csls" else None
    of_source, of_target = induction.nearest(*spaces, means, block)
    rows = induction.mutual(of_source, of_target) if both_ways else torch.arange(len(source))
    nearest, scores = of_source.row.tolist(), of_source.score.tolist()
    answers = [Answer(source[row], target[nearest[row]], scores[row]) for row in rows.tolist()]
    answers = [answer for answer in answers if answer.source != answer.target]
    return Induced((source, target), sorted(answers, key=lambda answer: -answer.score))


def spelling_answers(induced: Induced, gold: Gold, dictionary: Dictionary, both_ways: bool = True) -> list[Answer]:
    """What spelling alone answers for the same words, the best first: see ``spelling``.

    Words without a pair of characters in common are no answer to each other, nor are words that are the same.

    Args:
        gold: answers are given for its words alone, as each takes a comparison with all candidates.
    """
    source, target = induced.words
    asked = [word for word in source if word in gold]
    if not asked:
        return []

    def spelt(words: Sequence[Word]) -> list[str]:
        return ["".join(map(dictionary.symbols.__getitem__, word)) for word in words]

    rows, scores = spelling.nearest(spelt(asked), spelt(target))
    answers = [Answer(word, target[row], score) for word, row, score in zip(asked, rows, scores.tolist(), strict=True)]
    if both_ways:
        nearest = list(dict.fromkeys(answer.target for answer in answers))
        back, _ = spelling.nearest(spelt(nearest), spelt(source))
        nearest_of = dict(zip(nearest, back.tolist(), strict=True))
        answers = [answer for answer in answers if source[nearest_of[answer.target]] == answer.source]
    answers = [answer for answer in answers if answer.score > 0 and answer.source != answer.target]
    return sorted(answers, key=lambda answer: -answer.score)


def gold_of(pairs: Pairs) -> Gold:
    """The translations of each source word of a lexicon."""
    gold = defaultdict(set)
    for source, target in zip(pairs.source.tuples(), pairs.target.tuples(), strict=True):
        gold[source].add(target)
    return dict(gold)


def precision_at(answers: Sequence[Answer], gold: Gold) -> Iterator[dict]:
    """Precision of the best answers that make up a share of the words that are asked for, as fields of a ``Score``.

    The shares are multiples of ``STEP`` as far as there are answers (bands ``coverage:0.05``, ...); of each share also
    the least score. At last, in no band, precision and coverage of all answers.

    >>> gold = {(4,): {(8,)}, (5,): {(9,)}}
    >>> answers = [Answer((4,), (8,), 0.5), Answer((7,), (8,), 0.4), Answer((5,), (8,), 0.3)]
    >>> [(s["metric"], s["value"]) for s in precision_at(answers, gold) if s["band"] == "coverage:0.5"]
    [('precision', 1.0), ('score', 0.5)]
    >>> [(s["metric"], s["value"]) for s in precision_at(answers, gold) if s["band"] is None]
    [('precision', 0.5), ('coverage', 1.0)]

    Args:
        answers: the best first; those for other words do not count.
        gold: translations of each word that is asked for, at least one word.
    """
    answers = [answer for answer in answers if answer.source in gold]
    right = np.cumsum([answer.target in gold[answer.source] for answer in answers])
    for level in np.arange(1, round(1 / STEP) + 1) * STEP:
        taken = round(level * len(gold))
        if 0 < taken <= len(answers):
            fields = {"n": taken, "band": f"coverage:{level:.3g}"}
            yield {"metric": "precision", "value": float(right[taken - 1] / taken)} | fields
            yield {"metric": "score", "value": answers[taken - 1].score} | fields
    if answers:
        yield {"metric": "precision", "value": float(right[-1] / len(answers)), "n": len(answers), "band": None}
    yield {"metric": "coverage", "value": len(answers) / len(gold), "n": len(gold), "band": None}


def chance(gold: Gold, candidates: Sequence[Word]) -> float:
    """Share of the words of which a candidate that is drawn at random is a translation, in the mean.

    >>> chance({(4,): {(8,), (9,)}, (5,): {(7,)}}, [(8,), (9,), (6,), (3,)])
    0.25
    """
    known = set(candidates)
    return sum(len(known & translations) for translations in gold.values()) / (len(gold) * len(candidates))


def precision_scores(
    checkpoint: Checkpoint,
    langs: tuple[str, str],
    induced: Induced,
    pairs: Pairs,
    similarity: str = "csls",
    both_ways: bool = True,
    layer: int | None = None,
) -> Iterator[Score]:
    """Precision at each coverage of the source words of held-out pairs, beside spelling alone and beside chance.

    Of languages that ``derive`` wrote in another script spelling says nothing, and is left out.

    Args:
        langs, similarity, both_ways, layer: as ``induce`` had them.
        pairs: held out, of the checkpoint's vocabulary; a source word that is not among the most frequent ones has no
            answer.
    """
    gold = gold_of(pairs)
    compared = len(gold.keys() & set(induced.words[0]))
    logger.info("%d of %d held-out source words are among those that were compared", compared, len(gold))
    about = {"task": TASK, "lang": langs[1], "split": "heldout", "layer": layer, "oov": pairs.oov}
    about |= {"similarity": similarity, "pairing": None if both_ways else "one-way"}
    for fields in precision_at(induced.answers, gold):
        yield Score(**about, **fields)
    if not any(has_new_script(record_of(checkpoint.data / lang)) for lang in langs):
        for fields in precision_at(spelling_answers(induced, gold, checkpoint.dictionary, both_ways), gold):
            if fields["metric"] != "score":
                yield Score(**about, **fields | {"metric": f"spelling_{fields['metric']}"})
    yield Score(**about, metric="chance", value=chance(gold, induced.words[1]), n=len(gold))


def word_pairs(induced: Induced, dictionary: Dictionary, least: float = 0.0) -> list[Pair]:
    """The answers with a higher score than ``least`` as pairs of words, as a dictionary writes them."""

    def spelt(word: Word) -> str:
        return coverage.spelling([dictionary[piece] for piece in word])

    return [
        Pair(spelt(answer.source), spelt(answer.target), answer.score)
        for answer in induced.answers
        if answer.score > least
    ]
