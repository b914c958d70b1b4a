"""Sentences in the word order of another language: trees from CoNLL-U, reordered, and written back.

How the nouns and verbs of a language order their dependents, and how its other words do, is learnt from a treebank
(``order_fitting``) and applied to the trees of another language (``reordering``). Each head is ordered by itself and
its phrase stays whole, so the result is projective:

    verbs of a language in which they come last:    She | reads | old books | .    ->    She | old books | reads | .

Forms do not change: a word that began the sentence keeps its capital. Punctuation is not ordered by the model:

- sentence-final punctuation (``sentences.TERMINATORS``) stays last, as in ``transforms``;
- marks at an edge of their head's phrase stay at that edge: brackets and quotes enclose what they enclosed;
- any other mark stays after the dependent, or the head, that it follows.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from itertools import islice
from typing import NamedTuple

from conllu import Token, TokenList

from fairseq_align.derivation.word_order import EXACT, KEEP, Head, WordOrder, universal
from fairseq_align.downstream.conllu import UPOS, Sentence
from fairseq_align.errors import InputError
from fairseq_align.lazy import np
from fairseq_align.text.normalise import normalise
from fairseq_align.text.sentences import TERMINATORS

HEADS = {"nouns": ("NOUN", "PROPN", "PRON"), "verbs": ("VERB", "AUX")}
HEADS["others"] = tuple(tag for tag in UPOS if tag not in HEADS["nouns"] + HEADS["verbs"])
CLASS = {tag: name for name, tags in HEADS.items() for tag in tags}
SPACING = frozenset({"SpaceAfter", "SpacesAfter", "SpacesBefore", "SpacesInToken"})  # of MISC
_TEXT = re.compile(r"#\s*text\s*=")  # the comment
CHUNK = 1000  # sentences held in memory at a time


class Tree(NamedTuple):
    """The dependency tree of a sentence; words are numbered from 0.

    Attributes:
        words: syntactic words; multiword tokens and empty nodes are left out.
        heads: number of each word's head, -1 for the root.
        dependents: of each word, in the order of the sentence.
    """

    words: list[Token]
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


def tree(sentence: Sentence) -> Tree:
    """The tree of a sentence.

    Raises:
        InputError: a word has no HEAD, DEPREL or UPOS, a head is not in the sentence, or the words form no tree.
    """
    numbered = [(token, f"{sentence.path}:{number}") for token, number in zip(sentence, sentence.lines, strict=True)]
    words = [(token, where) for token, where in numbered if isinstance(token["id"], int)]
    for token, where in numbered:
        if not words or (_is_range(token) and token["id"][2] > len(words)):
            raise InputError(
                f"{where}: found {token['form']!r} in a sentence of {len(words)} words, "
                "expected a line for each of its words; mend the sentence"
            )
    heads = [_head(token, where, len(words)) for token, where in words]
    dependents = _dependents(heads)
    roots = [word for word, head in enumerate(heads) if head < 0]
    if len(roots) != 1:
        _, where = words[roots[1] if roots else 0]
        raise InputError(f"{where}: found {len(roots)} words with HEAD 0, expected one root a sentence; mend the tree")
    cyclic = set(range(len(words))) - set(_below(roots[0], dependents))
    if cyclic:
        token, where = words[min(cyclic)]
        raise InputError(f"{where}: found {token['form']!r} in a cycle of heads, expected a tree; mend its HEAD")
    return Tree([token for token, _ in words], heads, dependents)


def _dependents(heads: list[int]) -> list[list[int]]:
    """The words that depend on each word, in their order."""
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


def _head(token: Token, where: str, words: int) -> int:
    """Number of a word's head, from 0, or -1 for the root, in a sentence of so many words; ``where`` is path:line."""
    for column, name in (("upos", "UPOS"), ("head", "HEAD"), ("deprel", "DEPREL")):
        if token[column] in (None, "_"):
            raise InputError(
                f"{where}: found no {name} of {token['form']!r}, expected a dependency tree; "
                "use a treebank with trees, or parse the text (docs/data.md, Derived languages)"
            )
    if not 0 <= token["head"] <= words or token["head"] == token["id"]:
        raise InputError(
            f"{where}: found HEAD {token['head']} of word {token['id']}, expected 0 or another word up to {words}; "
            "mend the tree"
        )
    return token["head"] - 1


def is_projective(heads: list[int], order: list[int] | None = None) -> bool:
    """Whether each phrase, a word and all that depends on it, is contiguous.

    Args:
        heads: as in ``Tree``.
        order: the words in another order than their own, a permutation.

    Example:
        >>> is_projective([1, -1, 1]), is_projective([2, -1, 1])
        (True, False)
    """
    dependents = _dependents(heads)
    order = range(len(heads)) if order is None else order
    spans = {word: (index, index, 1) for index, word in enumerate(order)}
    for word in reversed([*_below(heads.index(-1), dependents)]):
        first, last, size = zip(spans[word], *(spans[dependent] for dependent in dependents[word]), strict=True)
        spans[word] = min(first), max(last), sum(size)
    return all(last - first + 1 == size for first, last, size in spans.values())


def learn(trees: Iterable[Tree], l2: float) -> dict[str, WordOrder]:
    """The word orders of a treebank: of ``nouns``, ``verbs`` and ``others``, where it has any.

    Args:
        l2: see ``order_fitting.fit``.

    Raises:
        InputError: no word of the trees has a dependent that is not punctuation.
    """
    from fairseq_align.derivation import order_fitting  # with torch and scipy, which take seconds to import

    heads = {name: [] for name in HEADS}
    for parsed in trees:
        for word, token in enumerate(parsed.words):
            name = CLASS.get(token["upos"])
            if name and len(parsed.group(word)) > 1:
                heads[name].append(parsed.elements(word))
    names = [name for name in HEADS if any(len(head.elements) - 1 <= EXACT for head in heads[name])]
    if not names:
        raise InputError("found no word with dependents, expected trees to learn an order from; give another treebank")
    return {name: order_fitting.fit(heads[name], l2) for name in names}


def final_punctuation(sentence: Tree) -> list[int]:
    """Words that stay at the end of a sentence: sentence-final punctuation without dependents that is not the root."""
    final = []
    for word in reversed(range(len(sentence.words))):
        mark = TERMINATORS.issuperset(sentence.words[word]["form"])
        if not mark or not sentence.is_punctuation(word) or sentence.dependents[word]:
            break
        final.insert(0, word)
    return final


def _with_punctuation(order: list[int], punctuation: list[int]) -> list[int]:
    """Put the punctuation of one head back between its elements.

    Marks at an edge of the source stay at that edge, so that brackets and quotes enclose what they enclosed; any other
    mark stays after the element that it follows.

    Args:
        order: the head and its other dependents.
        punctuation: dependents that are punctuation, in the order of the source.
    """
    source = sorted(order)
    leading = [mark for mark in punctuation if mark < source[0]]
    trailing = [mark for mark in punctuation if mark > source[-1]]
    following = defaultdict(list)
    for mark in punctuation[len(leading) : len(punctuation) - len(trailing)]:
        following[max(word for word in source if word < mark)].append(mark)
    return leading + [item for word in order for item in (word, *following[word])] + trailing


def linearise(sentence: Tree, orders: dict[int, list[int]]) -> list[int]:
    """The words of a sentence in their new order.

    Args:
        orders: for heads that get a new order, the head and its dependents without punctuation; others keep theirs.

    Returns:
        a permutation of the words. Sentence-final punctuation is last; apart from it, each phrase (a word and all that
        depends on it) is contiguous, gathered around its head if it was not in the source.
    """
    final = final_punctuation(sentence)
    waiting, result = [(sentence.heads.index(-1), False)], []
    while waiting:
        word, done = waiting.pop()
        if done:
            result.append(word)
            continue
        dependents = [dependent for dependent in sentence.dependents[word] if dependent not in final]
        marks = [dependent for dependent in dependents if sentence.is_punctuation(dependent)]
        order = orders.get(word) or sorted({word, *dependents}.difference(marks))
        phrase = _with_punctuation(order, marks)
        waiting += [(item, item == word) for item in reversed(phrase)]
    return result + final


def rewrite(sentence: Sentence, parsed: Tree, order: list[int]) -> Sentence:
    """A sentence with its words in another order.

    Every column moves with its word; ID and HEAD are numbered anew. Sentence-final punctuation is attached to the root
    if the tree would not be projective otherwise. The line of a multiword token stays if its words still follow each
    other. Empty nodes and DEPS, which may name them, are left out, and so is SpaceAfter: the comment ``text`` has a
    space between all tokens. All other comments stay as they are.
    """
    ids = {word: index for index, word in enumerate(order, 1)}
    heads = parsed.heads
    if not is_projective(heads, order):
        final, root = final_punctuation(parsed), heads.index(-1)
        heads = [root if word in final else head for word, head in enumerate(heads)]
    ranges = {ids[token["id"][0] - 1]: token for token in sentence if _stays(token, ids)}
    tokens, text, covered = [], [], 0
    for index, word in enumerate(order, 1):
        if index in ranges:
            old = ranges[index]
            covered = index + old["id"][2] - old["id"][0]
            tokens.append(_renewed(old, id=(index, "-", covered)))
        head = ids[heads[word]] if heads[word] >= 0 else 0
        tokens.append(_renewed(parsed.words[word], id=index, head=head, deps=None))
        if index in ranges or index > covered:
            text.append(tokens[-1 - (index in ranges)]["form"])
    metadata = dict(sentence.metadata) | {"text": " ".join(text)}
    result = Sentence(tokens, metadata, default_fields=sentence.default_fields)
    comment = f"# text = {metadata['text']}"
    result.comments = [comment if _TEXT.match(old) else old for old in sentence.comments]
    if comment not in result.comments:
        result.comments.append(comment)
    return result


def _stays(token: Token, ids: dict[int, int]) -> bool:
    """Whether a token is a multiword token whose words, with their new ids, still follow each other."""
    if not _is_range(token):
        return False
    first, _, last = token["id"]
    return all(ids[word] == ids[word - 1] + 1 for word in range(first, last))


def _is_range(token: Token) -> bool:
    return isinstance(token["id"], tuple) and token["id"][1] == "-"


def _renewed(token: Token, **columns) -> Token:
    misc = {name: value for name, value in (token["misc"] or {}).items() if name not in SPACING}
    return Token(dict(token) | columns | {"misc": misc or None})


def words(sentence: TokenList) -> str:
    """The syntactic words of a sentence, normalised and separated by spaces."""
    forms = (normalise(token["form"]) for token in sentence if isinstance(token["id"], int))
    return " ".join(form for form in forms if form)


def _generator(parsed: Tree, seed: int) -> np.random.Generator:
    """Random numbers that depend on the seed and the sentence alone."""
    rows = [(token["form"], token["upos"], token["deprel"], token["head"]) for token in parsed.words]
    digest = blake2b(json.dumps([seed, rows]).encode(), digest_size=16).digest()
    return np.random.default_rng(int.from_bytes(digest, "big"))


def apply(
    sentences: Iterable[Sentence],
    orders: dict[str, WordOrder],
    seed: int | None,
    keep: float = KEEP,
) -> Iterator[tuple[Sentence, TokenList, bool]]:
    """Reorder sentences.

    Args:
        orders: order of ``nouns``, ``verbs``, ``others``; heads of a class without one keep theirs.
        seed: to sample; the result is a pure function of the seed and the sentence. None: the best order of each head.
        keep: see ``reordering.reorder``.

    Yields:
        each sentence, the same in its new order, and whether it was projective before.
    """
    for sentence, parsed, order in linearised(sentences, orders, seed, keep):
        yield sentence, rewrite(sentence, parsed, order), is_projective(parsed.heads)


def linearised(
    sentences: Iterable[Sentence], orders: dict[str, WordOrder], seed: int | None, keep: float = KEEP
) -> Iterator[tuple[Sentence, Tree, list[int]]]:
    """Each sentence, its tree, and its words in their new order, as ``linearise`` gives them; see ``apply``."""
    sentences = iter(sentences)
    while chunk := list(islice(sentences, CHUNK)):
        trees = [tree(sentence) for sentence in chunk]
        for sentence, parsed, new in zip(chunk, trees, _new_orders(trees, orders, seed, keep), strict=True):
            yield sentence, parsed, linearise(parsed, new)


def _new_orders(
    trees: list[Tree], orders: dict[str, WordOrder], seed: int | None, keep: float
) -> list[dict[int, list[int]]]:
    """For each tree the new orders of its heads, as ``linearise`` takes them."""
    from fairseq_align.derivation import reordering  # with torch, which takes seconds to import

    words, heads, draws = defaultdict(list), defaultdict(list), defaultdict(list)
    for number, parsed in enumerate(trees):
        generator = None if seed is None else _generator(parsed, seed)
        for word, token in enumerate(parsed.words):
            name = CLASS.get(token["upos"])
            if name not in orders or len(parsed.group(word)) == 1:
                continue
            words[name].append((number, word))
            heads[name].append(parsed.elements(word))
            if generator is not None:
                draws[name].append(generator.random(reordering.draws_of(len(heads[name][-1].elements) - 1)))
    new = [{} for _ in trees]
    for name in heads:
        reordered = reordering.reorder(heads[name], orders[name], draws.get(name), keep)
        for (number, word), order in zip(words[name], reordered, strict=True):
            group = trees[number].group(word)
            new[number][word] = [group[position] for position in order]
    return new
