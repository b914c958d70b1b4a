"""Named entities and sentence pairs in the word order of another language, by the trees of their sentences.

Text has one line a sentence, and so has what is made here to be parsed: the words of an IOB2 sentence, or, each on a
line of its own, the premise and the hypothesis of a pair, tokenised as text is. From the trees of these lines, in their
order, come the same data reordered as ``syntax`` reorders text: words, and with them their tags; pairs of tokenised
sentences. A sentence without words has no line and no tree.

    Mary Smith sleeps .     B-PER I-PER O O     ->     sleeps Mary Smith .     O B-PER I-PER O
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from fairseq_align.derivation import syntax
from fairseq_align.derivation.word_order import KEEP, WordOrder
from fairseq_align.downstream import conllu, iob2, labels, nli
from fairseq_align.downstream.tagging import ENTITY_TYPES
from fairseq_align.errors import InputError
from fairseq_align.files import writing
from fairseq_align.text.corpus import Cleaning
from fairseq_align.text.normalise import normalise

TASKS = ("ner", "xnli")
NOTHING = "_"  # stands for a word of which the normaliser leaves nothing


class Trees:
    """The trees of a file, one after the other, each with the order of its words.

    Args:
        path: CoNLL-U with a tree for each line of ``lines``.
        orders, seed, keep: as ``syntax.apply``.
    """

    def __init__(self, path: str | Path, orders: dict[str, WordOrder], seed: int | None, keep: float = KEEP):
        self.path = path
        self._trees = syntax.linearised(conllu.read(path), orders, seed, keep)

    def order(self, line: str, where: str) -> list[int]:
        """The numbers of a line's words in their new order.

        Raises:
            InputError: the next tree has other words; ``where`` names the line.
        """
        sentence, _, order = next(self._trees, (None, None, None))
        words = sentence and syntax.words(sentence)
        if words != line or len(order) != len(line.split()):
            found = f"the words {words!r:.80}" if sentence else "no more trees"
            raise InputError(f"{self.path}: found {found}, expected a tree of {where}, {line!r:.80}; parse it again")
        return order

    def end(self) -> None:
        """Raise ``InputError`` if there are more trees."""
        if next(self._trees, None) is not None:
            raise InputError(f"{self.path}: found more trees than sentences, expected one for each; parse them again")


def lines(paths: Iterable[str | Path], task: str, lang: str, tokenized: bool = False) -> Iterator[str]:
    """Lines to parse: the words of sentences, separated by spaces.

    Args:
        paths: IOB2 (task ``ner``) or pairs (task ``xnli``), see ``iob2.read`` and ``nli.read``.
        lang: ISO 639-1 code of the pairs, for the rules of tokenisation.
        tokenized: the words of the pairs are separated by spaces already.
    """
    for path in paths:
        if task == "ner":
            yield from (_line(words) for words, _ in iob2.read(path, ENTITY_TYPES))
        else:
            for pair in nli.read(path, lang, Counter()):
                yield from filter(None, _sides(pair, lang, tokenized))


def _line(words: Iterable[str]) -> str:
    return " ".join("_".join(normalise(word).split()) or NOTHING for word in words)


def _sides(pair: nli.Pair, lang: str, tokenized: bool) -> tuple[str, str]:
    """Premise and hypothesis, tokenised as ``TextEncoder`` does."""
    cleaning = Cleaning(lang, split=False)
    texts = (" ".join(cleaning.sentences(text, tokenized)) for text in (pair.premise, pair.hypothesis))
    premise, hypothesis = (" ".join(text.split()) for text in texts)
    return premise, hypothesis


def entities(path: str | Path, trees: Trees) -> Iterator[tuple[list[str], list[str]]]:
    """Words and tags of an IOB2 file in their new order; an entity that is torn apart becomes several."""
    known = labels.iob2_labels(ENTITY_TYPES)
    scheme = labels.scheme(known)
    for number, (words, tags) in enumerate(iob2.read(path, ENTITY_TYPES), 1):
        order = trees.order(_line(words), f"sentence {number} of {path}")
        ids = np.array([known.index(tag) for tag in tags])
        moved = labels.well_formed(ids, np.array(order), scheme)
        yield [words[word] for word in order], [known[tag] for tag in moved]


def pairs(path: str | Path, trees: Trees, lang: str, tokenized: bool = False) -> Iterator[nli.Pair]:
    """Pairs with their words, separated by spaces, in their new order; see ``lines``."""
    for number, pair in enumerate(nli.read(path, lang, Counter()), 1):
        sides = []
        for side in _sides(pair, lang, tokenized):
            words = side.split()
            order = trees.order(side, f"pair {number} of {path}") if words else []
            sides.append(" ".join(words[word] for word in order))
        yield nli.Pair(*sides, pair.label)


def reorder(
    paths: Iterable[str | Path],
    out: str | Path,
    task: str,
    trees: Trees,
    lang: str = "en",
    tokenized: bool = False,
) -> int:
    """Write an IOB2 file, or a TSV of tokenised pairs, in the new order; see ``lines``.

    Returns:
        number of sentences or pairs.
    """
    count = 0
    with writing(out) as file:
        if task == "xnli":
            file.write("premise\thypothesis\tlabel\n")
        for path in paths:
            if task == "ner":
                for words, tags in entities(path, trees):
                    file.write("".join(f"{word}\t{tag}\n" for word, tag in zip(words, tags, strict=True)) + "\n")
                    count += 1
            else:
                for pair in pairs(path, trees, lang, tokenized):
                    file.write("\t".join(pair) + "\n")
                    count += 1
        trees.end()
    return count
