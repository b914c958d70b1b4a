"""Tagged sentences, of parts of speech or named entities, binarized with a label a word.

Layout of a tagging corpus ``<data>``:

    <data>/dict.txt, <data>/label/dict.txt            vocabulary; labels in a fixed order, the same for every language
    <data>/<lang>/<split>.bin, .idx                   token ids, ``</s>`` at the end of each sentence
    <data>/<lang>/<split>.label.bin, .idx             as many label ids: the word's on its first subword, else ``<pad>``

    \u2581the  \u2581ch  ased  </s>
    DET   VERB  <pad> <pad>
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from fairseq_align.downstream import conllu, iob2
from fairseq_align.downstream.labels import iob2_labels
from fairseq_align.lazy import np
from fairseq_align.text import subword, vocabulary
from fairseq_align.text.encoder import WordEncoder

if TYPE_CHECKING:
    from fairseq.data import Dictionary
    from sentencepiece import SentencePieceProcessor

ENTITY_TYPES = ("LOC", "ORG", "PER")  # of PAN-X
TASKS = ("pos", "ner")


def tagged_sentences(
    path: str | Path,
    task: str,
    types: Iterable[str] = ENTITY_TYPES,
    scheme: str = "iob2",
    columns: tuple[int, int] | None = None,
) -> Iterator[tuple[list[str], list[str]]]:
    """Words and tags of each sentence of a CoNLL-U file (task ``pos``) or an IOB2 file (task ``ner``).

    Args:
        types, scheme, columns: as ``iob2.read``; not used for ``pos``.
    """
    return iob2.read(path, types, scheme, columns) if task == "ner" else map(conllu.words_and_tags, conllu.read(path))


def label_dictionary(task: str, types: Iterable[str] = ENTITY_TYPES) -> Dictionary:
    """Labels of a task in their fixed order, each with the count 1; the first label has id 4."""
    return vocabulary.of_symbols(iob2_labels(list(types)) if task == "ner" else conllu.UPOS)


def encode(
    words: list[str],
    word_tags: list[str],
    encoder: WordEncoder,
    dictionary: Dictionary,
    labels: Dictionary,
) -> tuple[list[int], list[int]]:
    """Token ids of a sentence and, at the same positions, label ids; both end with ``</s>`` and its ``<pad>``.

    A word that yields no piece becomes ``<unk>``, so that every word keeps its label.
    """
    tokens, label_ids = [], []
    for pieces, tag in zip(encoder(words), word_tags, strict=True):
        ids = [dictionary.index(piece) for piece in pieces or [subword.UNKNOWN]]
        tokens += ids
        label_ids += [labels.index(tag)] + [labels.pad()] * (len(ids) - 1)
    return tokens + [dictionary.eos()], label_ids + [labels.pad()]


def binarize(
    sentences: Iterable[tuple[list[str], list[str]]],
    prefix: str | Path,
    processor: SentencePieceProcessor,
    dictionary: Dictionary,
    labels: Dictionary,
    progress: Callable[[int], object] = lambda sentences: None,
) -> Counter:
    """Write ``<prefix>`` and ``<prefix>.label``, items parallel and of equal sizes.

    Args:
        sentences: words and tags, equally many and at least one, as ``tagged_sentences`` gives them.

    Returns:
        counts of ``sentences``, ``words``, ``tokens`` (subwords and ``</s>``) and ``unknown`` (how many are ``<unk>``).
    """
    from fairseq_align.data import binarized

    encoder = WordEncoder(processor)
    counts = Counter({name: 0 for name in ("sentences", "words", "tokens", "unknown")})
    with (
        binarized.writer(prefix, len(dictionary)) as token_file,
        binarized.writer(f"{prefix}.label", len(labels)) as label_file,
    ):
        for words, word_tags in sentences:
            tokens, label_ids = encode(words, word_tags, encoder, dictionary, labels)
            token_file.add(np.array(tokens), np.array([len(tokens)]))
            label_file.add(np.array(label_ids), np.array([len(label_ids)]))
            counts.update(sentences=1, words=len(words), tokens=len(tokens), unknown=tokens.count(dictionary.unk()))
            progress(1)
    return counts
