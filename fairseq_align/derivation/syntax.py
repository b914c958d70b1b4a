"""Sentences in the word order of another language: trees from CoNLL-U, reordered, and written back.

How the nouns and verbs of a language order their dependents, and how its other words do, is learnt from a treebank
(``word_order.py``) and applied to the trees of another language. Each head is ordered by itself and its phrase stays
whole, so the result is projective:

    verbs of a language in which they come last:    She | reads | old books | .    ->    She | old books | reads | .

Forms do not change: a word that began the sentence keeps its capital. Punctuation is not ordered by the model:

- sentence-final punctuation (``sentences.TERMINATORS``) stays last, as in ``derivation.py``;
- marks at an edge of their head's phrase stay at that edge: brackets and quotes enclose what they enclosed;
- any other mark stays behind the dependent, or the head, that it follows.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from itertools import islice
from typing import NamedTuple

import conllu
import numpy as np

from fairseq_align.derivation import word_order
from fairseq_align.derivation.word_order import Head, WordOrder, universal
from fairseq_align.downstream import tagging as treebank
from fairseq_align.errors import InputError
from fairseq_align.text.normalise import normalise
from fairseq_align.text.sentences import TERMINATORS

HEADS = {"nouns": ("NOUN", "PROPN", "PRON"), "verbs": ("VERB", "AUX")}
HEADS["others"] = tuple(tag for tag in treebank.UPOS if tag not in HEADS["nouns"] + HEADS["verbs"])
CLASS = {tag: name for name, tags in HEADS.items() for tag in tags}
SPACING = frozenset({"SpaceAfter", "SpacesAfter", "SpacesBefore", "SpacesInToken"})  # of MISC
CHUNK = 1000  # sentences held in memory at a time


class Tree(NamedTuple):
    """The dependency tree of a sentence; words are numbered from 0.

    Attributes:
        words: syntactic words; multiword tokens and empty nodes are left out.
        heads: number of each word's head, -1 for the root.
        dependents: of each word, in the order of the sentence.
    """

    words: list[conllu.Token]
    heads: list[int]
    dependents: list[list[int]]

    def is_punctuation(self, word: int) -> bool:
        return universal(self.words[word]["deprel"]) == "punct"

    def group(self, head: int) -> list[int]:
        """A word and its dependents without punctuation, in the order of the sentence."""
        return sorted([head, *(word for word in self.dependents[head] if not self.is_punctuation(word))])

    def elements(self, head: int) -> Head:
        """``group`` as the model sees it."""
        group = self.group(head)
        elements = [(self.words[word]["upos"], self.words[word]["deprel"]) for word in group]
        column = group.index(head)
        tag, relation = elements[column]
        elements[column] = "@" + tag, universal(relation)
        return Head(elements, column)


def tree(sentence: treebank.Sentence) -> Tree:
    """The tree of a sentence.

    Raises:
        InputError: a word has no HEAD, DEPREL or UPOS, a head is not in the sentence, or the words form no tree.
    """
    places = [
        (token, f"{sentence.path}:{number}")
        for token, number in zip(sentence, sentence.lines, strict=True)
        if isinstance(token["id"], int)
    ]
    for token, number in zip(sentence, sentence.lines, strict=True):
        if not places or (_is_range(token) and token["id"][2] > len(places)):
            raise InputError(
                f"{sentence.path}:{number}: found {token['form']!r} in a sentence of {len(places)} words, "
                "expected a line for each of its words; mend the sentence"
            )
    heads = [_head(token, place, len(places)) for token, place in places]
    dependents = _dependents(heads)
    roots = [word for word, head in enumerate(heads) if head < 0]
    if len(roots) != 1:
        place = places[roots[1] if roots else 0][1]
        raise InputError(f"{place}: found {len(roots)} words with HEAD 0, expected one root a sentence; mend the tree")
    lost = set(range(len(places))) - set(_below(roots[0], dependents))
    if lost:
        token, place = places[min(lost)]
        raise InputError(f"{place}: found {token['form']!r} in a cycle of heads, expected a tree; mend its HEAD")
    return Tree([token for token, _ in places], heads, dependents)


def _dependents(heads: list[int]) -> list[list[int]]:
    dependents = [[] for _ in heads]
    for word, head in enumerate(heads):
        if head >= 0:
            dependents[head].append(word)
    return dependents


def _below(root: int, dependents: list[list[int]]) -> Iterator[int]:
    """A word and everything that depends on it, in any order."""
    waiting = [root]
    while waiting:
        word = waiting.pop()
        waiting += dependents[word]
        yield word


def _head(token: conllu.Token, place: str, words: int) -> int:
    """Number of a word's head from 0, -1 for the root, of a sentence of so many words."""
    for column, name in (("upos", "UPOS"), ("head", "HEAD"), ("deprel", "DEPREL")):
        if token[column] in (None, "_"):
            raise InputError(
                f"{place}: found no {name} of {token['form']!r}, expected a dependency tree; "
                "use a treebank with trees, or parse the text (README, Syntax)"
            )
    if not 0 <= token["head"] <= words or token["head"] == token["id"]:
        raise InputError(
            f"{place}: found HEAD {token['head']} of word {token['id']}, expected 0 or another word up to {words}; "
            "mend the tree"
        )
    return token["head"] - 1


def is_projective(heads: list[int], order: list[int] | None = None) -> bool:
    """Whether each word and all that depends on it stand together.

    Args:
        heads: as in ``Tree``.
        order: the words in another order than their own, a permutation.
    """
    dependents = _dependents(heads)
    place = {word: index for index, word in enumerate(range(len(heads)) if order is None else order)}
    spans = {word: (index, index, 1) for word, index in place.items()}
    for word in reversed([*_below(heads.index(-1), dependents)]):
        first, last, size = zip(spans[word], *(spans[each] for each in dependents[word]), strict=True)
        spans[word] = min(first), max(last), sum(size)
    return all(last - first + 1 == size for first, last, size in spans.values())


def learn(trees: Iterable[Tree], l2: float) -> dict[str, WordOrder]:
    """The word orders of a treebank: of ``nouns``, ``verbs`` and ``others``, where it has any; see ``word_order.fit``.

    Raises:
        InputError: no word of the trees has a dependent that is not punctuation.
    """
    heads = {name: [] for name in HEADS}
    for each in trees:
        for word, token in enumerate(each.words):
            name = CLASS.get(token["upos"])
            if name and len(each.group(word)) > 1:
                heads[name].append(each.elements(word))
    names = [name for name, own in heads.items() if any(len(head.elements) - 1 <= word_order.EXACT for head in own)]
    if not names:
        raise InputError("found no word with dependents, expected trees to learn an order from; give another treebank")
    return {name: word_order.fit(heads[name], l2) for name in names}


def _final_punctuation(sentence: Tree) -> list[int]:
    """Words at the end of a sentence that stay there: sentence-final punctuation alone, not the root, no dependents."""
    final = []
    for word in reversed(range(len(sentence.words))):
        mark = TERMINATORS.issuperset(sentence.words[word]["form"])
        if not mark or not sentence.is_punctuation(word) or sentence.dependents[word]:
            break
        final.insert(0, word)
    return final


def _with_punctuation(sentence: Tree, order: list[int], punctuation: list[int]) -> list[int]:
    """Put the punctuation of one head back between its elements.

    Marks at an edge of the source stay at that edge, so that brackets and quotes enclose what they enclosed; any other
    mark stays behind the element that it follows.

    Args:
        order: the head and its other dependents.
        punctuation: dependents that are punctuation, in the order of the source.
    """
    source = sorted(order)
    leading = [mark for mark in punctuation if mark < source[0]]
    trailing = [mark for mark in punctuation if mark > source[-1]]
    behind = defaultdict(list)
    for mark in punctuation[len(leading) : len(punctuation) - len(trailing)]:
        behind[max(word for word in source if word < mark)].append(mark)
    return leading + [item for word in order for item in (word, *behind[word])] + trailing


def linearise(sentence: Tree, orders: dict[int, list[int]]) -> list[int]:
    """The words of a sentence in their new order.

    Args:
        orders: for heads that get a new order, the head and its dependents without punctuation; others keep theirs.

    Returns:
        a permutation of the words. Sentence-final punctuation is last; apart from it, the words of each phrase (a word
        and all that depends on it) stand together, gathered around its head if the source had them apart.
    """
    final = _final_punctuation(sentence)
    waiting, result = [(sentence.heads.index(-1), False)], []
    while waiting:
        word, done = waiting.pop()
        if done:
            result.append(word)
            continue
        dependents = [each for each in sentence.dependents[word] if each not in final]
        marks = [each for each in dependents if sentence.is_punctuation(each)]
        order = orders.get(word) or sorted([word, *(each for each in dependents if each not in marks)])
        arranged = _with_punctuation(sentence, order, marks)
        waiting += [(each, each == word) for each in reversed(arranged)]
    return result + final


def rewrite(sentence: treebank.Sentence, parsed: Tree, order: list[int]) -> conllu.TokenList:
    """A sentence with its words in another order.

    Every column moves with its word; ID and HEAD are numbered anew. Sentence-final punctuation hangs from the root if
    the tree would not be projective otherwise. The line of a multiword token stays if its words still follow each
    other. Empty nodes and DEPS, which may name them, are left out, and so is SpaceAfter: the comment ``text`` has a
    space between all tokens.
    """
    place = {word: index for index, word in enumerate(order, 1)}
    heads = parsed.heads
    if not is_projective(heads, order):
        final, root = _final_punctuation(parsed), heads.index(-1)
        heads = [root if word in final else head for word, head in enumerate(heads)]
    ranges = {place[token["id"][0] - 1]: token for token in sentence if _stays(token, place)}
    tokens, text, covered = [], [], 0
    for index, word in enumerate(order, 1):
        if index in ranges:
            old = ranges[index]
            covered = index + old["id"][2] - old["id"][0]
            tokens.append(_renewed(old, id=(index, "-", covered)))
        head = place[heads[word]] if heads[word] >= 0 else 0
        tokens.append(_renewed(parsed.words[word], id=index, head=head, deps=None))
        if index in ranges or index > covered:
            text.append(tokens[-1 - (index in ranges)]["form"])
    metadata = dict(sentence.metadata) | {"text": " ".join(text)}
    return conllu.TokenList(tokens, metadata, default_fields=sentence.default_fields)


def _stays(token: conllu.Token, place: dict[int, int]) -> bool:
    """Whether a token stands for several words, and these follow each other at their new places."""
    if not _is_range(token):
        return False
    first, _, last = token["id"]
    return all(place[word] == place[word - 1] + 1 for word in range(first, last))


def _is_range(token: conllu.Token) -> bool:
    return isinstance(token["id"], tuple) and token["id"][1] == "-"


def _renewed(token: conllu.Token, **columns) -> conllu.Token:
    misc = {name: value for name, value in (token["misc"] or {}).items() if name not in SPACING}
    return conllu.Token(dict(token) | columns | {"misc": misc or None})


def words(sentence: conllu.TokenList) -> str:
    """The syntactic words of a sentence, normalised and separated by spaces."""
    found = (normalise(token["form"]) for token in sentence if isinstance(token["id"], int))
    return " ".join(word for word in found if word)


def _generator(parsed: Tree, seed: int) -> np.random.Generator:
    """Random numbers that depend on the seed and the sentence alone."""
    rows = [(token["form"], token["upos"], token["deprel"], token["head"]) for token in parsed.words]
    digest = blake2b(json.dumps([seed, rows]).encode(), digest_size=16).digest()
    return np.random.default_rng(int.from_bytes(digest, "big"))


def apply(
    sentences: Iterable[treebank.Sentence],
    orders: dict[str, WordOrder],
    seed: int | None,
    keep: float = word_order.KEEP,
) -> Iterator[tuple[treebank.Sentence, conllu.TokenList, bool]]:
    """Reorder sentences.

    Args:
        orders: order of ``nouns``, ``verbs``, ``others``; heads without one keep theirs.
        seed: to sample; the result is a pure function of it and of the sentence. None: the best order of each head.
        keep: see ``word_order.reorder``.

    Yields:
        each sentence, the same in its new order, and whether it was projective before.
    """
    sentences = iter(sentences)
    while chunk := list(islice(sentences, CHUNK)):
        trees = [tree(sentence) for sentence in chunk]
        new = _new_orders(trees, orders, seed, keep)
        for sentence, parsed, own in zip(chunk, trees, new, strict=True):
            yield sentence, rewrite(sentence, parsed, linearise(parsed, own)), is_projective(parsed.heads)


def _new_orders(
    trees: list[Tree], orders: dict[str, WordOrder], seed: int | None, keep: float
) -> list[dict[int, list[int]]]:
    """For each tree the new orders of its heads, as ``linearise`` takes them."""
    places, heads, draws = defaultdict(list), defaultdict(list), defaultdict(list)
    for number, each in enumerate(trees):
        generator = None if seed is None else _generator(each, seed)
        for word, token in enumerate(each.words):
            name = CLASS.get(token["upos"])
            if name not in orders or len(each.group(word)) == 1:
                continue
            places[name].append((number, word))
            heads[name].append(each.elements(word))
            if generator is not None:
                draws[name].append(generator.random(word_order.draws_of(len(heads[name][-1].elements) - 1)))
    new = [{} for _ in trees]
    for name in heads:
        found = word_order.reorder(heads[name], orders[name], draws.get(name), keep)
        for (number, word), order in zip(places[name], found, strict=True):
            group = trees[number].group(word)
            new[number][word] = [group[place] for place in order]
    return new
