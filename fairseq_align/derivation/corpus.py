"""Derived languages as folders of binarized data, made from a source language with the same ``dict.txt``.

    <data>/dict.txt                      vocabulary of all languages; doubled once, by the first change of script
    <data>/<lang>/<split>.bin, .idx      token ids
    <data>/<lang>/<split>.label.bin      labels of tokens, where there are any; they move with their tokens
    <data>/<lang>/derivation.json        the record, see ``record.py``

Sizes never change. A word of labelled data begins where its label is, whatever its pieces: ``<unk>`` may stand inside a
word, and a word may have a space in it. IOB2 labels are made well formed in the new order (``labels.well_formed``). In
a folder of sentence pairs (``downstream/nli.py``), where a language is a subset of each split, the subsets are derived.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from fairseq_align.derivation.record import RECORD, Derivation, check
from fairseq_align.derivation.transforms import TRANSFORMS, Chunk, Deriver, scatter
from fairseq_align.downstream import labels, nli
from fairseq_align.errors import InputError
from fairseq_align.files import checksum, new_folder
from fairseq_align.lazy import np
from fairseq_align.text import subword, vocabulary

if TYPE_CHECKING:
    from fairseq.data import Dictionary

    from fairseq_align.data.binarized import Corpus

logger = logging.getLogger(__name__)

CHUNK_TOKENS = 1 << 16  # few enough for a processor's cache

Progress = Callable[[str, int], object]  # called with a split and the number of tokens just done


class Derived(NamedTuple):
    """A derived language.

    Attributes:
        derivation: its record.
        tokens: number of tokens of each split.
    """

    derivation: Derivation
    tokens: dict[str, int]


def derive(
    source: str | Path,
    target: str | Path,
    transforms: Sequence[str] = (),
    like: str | Path | None = None,
    unit: str = "word",
    seed: int = 1,
    overlap: float = 0.0,
    progress: Progress = lambda split, tokens: None,
) -> Derived:
    """Make a derived language: every split of the source, labels beside it, and the record.

    Args:
        source: folder of the source language, ``<data>/<lang>``; in data of sentence pairs there need not be one.
        target: folder to make, in the same ``<data>``; one that holds a derived language is replaced.
        transforms: names in ``transforms.TRANSFORMS``, applied in this order.
        like: ``derivation.json`` of a language, instead of transforms, unit, seed and overlap: do the same to data of
            the same source language, a folder of the same name.
        unit, seed, overlap: see ``Derivation``.
        progress: called after each chunk with its split and its number of tokens.

    Raises:
        InputError: the settings are no derivation, or the data are missing or do not fit together, or ``like`` is of
            another source language. Then nothing is written: a target appears only when it is complete.

    Example:
        >>> from fairseq_align.data import binarized
        >>> from fairseq.data import Dictionary
        >>> dictionary = Dictionary()
        >>> the, cat, sleeps = [dictionary.add_symbol(piece) for piece in ("\u2581the", "\u2581cat", "\u2581sleeps")]
        >>> vocabulary.save(dictionary, "data/dict.txt")
        >>> with binarized.writer("data/en/train", len(dictionary)) as out:
        ...     out.add([the, cat, sleeps, dictionary.eos()], [4])
        >>> derive("data/en", "data/en-x", ["transliterate", "invert"]).tokens
        {'train': 4}
        >>> vocabulary.load("data/dict.txt").string(binarized.read("data/en-x/train").tokens)
        '\u2581sleeps~ \u2581cat~ \u2581the~'
    """
    source, target = Path(source), Path(target)
    if bool(transforms) == (like is not None):
        raise InputError(
            "found none or both of transforms and like, expected one of them; say what to do, or whom to follow"
        )
    _check_target(source, target)
    model = None if like is None else Derivation.load(like)
    if model is None:
        check(transforms, unit, overlap)
    elif model.source != source.name:  # the same transforms of another language, e.g. of one in another word order
        raise InputError(
            f"{like}: found a derivation of {model.source}, expected one of {source.name}, the language of {source}; "
            f"derive from a folder {model.source}, or follow another record"
        )
    data, pairs = source.parent, nli.is_data(source.parent)
    home = data / nli.INPUTS[0] if pairs else data  # of dict.txt
    splits = _splits_of_pairs(source) if pairs else _splits(source)
    names = model.transforms if model else transforms
    before, after = _dictionaries(home, source, doubled=any(TRANSFORMS[name].new_script for name in names))
    sizes = [len(vocabulary.pieces(dictionary)) for dictionary in (before, after)]
    symbols = vocabulary.checksum(before)
    sentencepiece = subword.beside(data)
    pieces = sentencepiece and checksum(sentencepiece)
    record = model or Derivation(source.name, tuple(transforms), unit, seed, *sizes, symbols, overlap, pieces)
    if record.dictionary != symbols:
        raise InputError(
            f"{home}/dict.txt: found dictionary {symbols}, expected {record.dictionary} of {like}; "
            "binarize this data with the dictionary of that"
        )
    record = _with_sentencepiece(record, pieces, str(sentencepiece), str(like))
    if record.unit == "subword" and "permute" in record.transforms:
        where = "; a label is on the first piece of its word in the new order" if _labelled(source, splits) else ""
        logger.warning("%s: permute by subwords scatters the pieces of a word over its sentence%s", target, where)
    if pairs:  # the old record must not vouch for subsets that are replaced one by one
        shutil.rmtree(target, ignore_errors=True)
    with new_folder(target, replace=True) as part:
        make = partial(_derive_pairs, source, target) if pairs else partial(_derive_split, source, part)
        tokens = {split: make(split, record, after, partial(progress, split)) for split in splits}
        record.save(part / RECORD)
        vocabulary.save(after, home / "dict.txt")
    return Derived(record, tokens)


def _with_sentencepiece(record: Derivation, found: str | None, path: str, like: str) -> Derivation:
    """The record of data with a SentencePiece model, held against that of the record which they follow.

    Args:
        found: checksum of the model; None: these data have none, so that nothing can be compared.
        path: of the model.
        like: path of the record.

    Raises:
        InputError: the record names another model.
    """
    if found and record.sentencepiece is None:
        logger.warning("%s has no checksum of a SentencePiece model: whether it was %s is not known", like, path)
    elif found and record.sentencepiece != found:
        raise InputError(
            f"{path}: found SentencePiece model {found}, expected {record.sentencepiece} of {like}; "
            "segment this data with the model of that"
        )
    return replace(record, sentencepiece=found or record.sentencepiece)


def _check_target(source: Path, target: Path) -> None:
    """Raise ``InputError`` unless the target is a sibling of the source, and new or a derived language."""
    if source.parent.resolve() != target.parent.resolve():
        raise InputError(
            f"{target}: found another folder than that of {source}, expected its sibling; they share dict.txt"
        )
    if target.exists() and not (target / RECORD).exists():
        raise InputError(
            f"{target}: found a folder without {RECORD}, expected a new name or a derived language to replace"
        )


def _splits(source: Path) -> list[str]:
    """Names of the splits of a language, labels not counted."""
    names = sorted(path.name.removesuffix(".idx") for path in source.glob("*.idx"))
    splits = [name for name in names if not name.endswith(".label")]
    if not splits:
        raise InputError(
            f"{source}: found no binarized data, expected train.bin and train.idx; run fairseq-preprocess first"
        )
    return splits


def _labelled(source: Path, splits: list[str]) -> bool:
    """Whether any of these splits has labels of words."""
    return any((source / f"{split}.label.idx").exists() for split in splits)


def _splits_of_pairs(source: Path) -> list[str]:
    """Names of the splits that a language has in a folder of sentence pairs."""
    splits = nli.splits(source.parent, source.name)
    if not splits:
        raise InputError(
            f"{source.parent}: found no subset of {source.name}, expected train_{source.name} or the like; "
            "run fairseq-align xnli first"
        )
    return splits


def _dictionaries(home: Path, source: Path, doubled: bool) -> tuple[Dictionary, Dictionary]:
    """Vocabulary before and after the derivation; the second is not yet written.

    Args:
        doubled: whether the derivation writes derived pieces; a dictionary that has them already stays as it is.
    """
    current = vocabulary.load(home / "dict.txt")
    half = vocabulary.derived_size(current)
    before = current if half is None else vocabulary.head(current, half)
    own = source / "dict.txt"
    if own.exists() and vocabulary.checksum(vocabulary.load(own)) not in map(vocabulary.checksum, (before, current)):
        raise InputError(
            f"{own}: found another dictionary than {home}/dict.txt, expected the same pieces; binarize {source} with it"
        )
    return before, vocabulary.double(before) if doubled and half is None else current


def _derive_split(
    source: Path,
    folder: Path,
    split: str,
    derivation: Derivation,
    dictionary: Dictionary,
    progress: Callable[[int], object],
) -> int:
    """Derive a split of a language into a folder, which gets the dictionary as well; returns the number of tokens."""
    label_path = source.parent / "label" / "dict.txt"
    label_dictionary = vocabulary.load(label_path) if label_path.exists() else None
    vocabulary.save(dictionary, folder / "dict.txt")
    return derive_corpus(source / split, folder / split, derivation, dictionary, progress, label_dictionary)


def _derive_pairs(
    source: Path,
    target: Path,
    split: str,
    derivation: Derivation,
    dictionary: Dictionary,
    progress: Callable[[int], object],
) -> int:
    """Derive the subset ``<split>_<lang>`` of sentence pairs, with copied classes; returns the number of tokens."""
    from fairseq_align.data import binarized

    data, old, new = source.parent, f"{split}_{source.name}", f"{split}_{target.name}"
    classes = binarized.read(data / "label" / old)
    with binarized.writer(data / "label" / new, int(classes.tokens.max(initial=0)) + 1) as out:
        out.add(classes.tokens, classes.sizes)
    return sum(
        derive_corpus(data / side / old, data / side / new, derivation, dictionary, progress) for side in nli.INPUTS
    )


def chunks(corpus: Corpus, chunk_tokens: int = CHUNK_TOKENS) -> Iterator[tuple[slice, slice]]:
    """Slices of tokens and of sentences that together hold at most ``chunk_tokens`` tokens, or one longer sentence."""
    offsets = corpus.offsets
    first = 0
    while first < len(corpus.sizes):
        last = max(int(np.searchsorted(offsets, offsets[first] + chunk_tokens, side="right")) - 1, first + 1)
        yield slice(int(offsets[first]), int(offsets[last])), slice(first, last)
        first = last


def moved_labels(
    values: np.ndarray, begins: np.ndarray, positions: np.ndarray | None, dictionary: Dictionary | None, pad: int
) -> np.ndarray:
    """Labels at the new positions of their words, well-formed IOB2 if they were.

    Where the pieces of a word have changed their order (unit ``subword``), its label is on the first of them again.

    Args:
        values: label ids of tokens, shape (N,).
        begins: tokens that begin a word, bool, shape (N,).
        positions: target position of each token, shape (N,); None: every token stays where it is.
        dictionary: of the labels; None: they are no IOB2 tags.
        pad: the id that stands where there is no label.
    """
    if positions is None:
        return values
    word = scatter(np.cumsum(begins), positions)
    firsts = np.flatnonzero(np.diff(word, prepend=0))  # of the pieces of one word that follow each other
    labelled = np.flatnonzero(values != pad)
    order = np.argsort(positions[labelled])
    new = values[labelled[order]]
    if dictionary is not None and labels.is_iob2(names := vocabulary.pieces(dictionary)):
        tags = values[labelled].astype(np.int64) - dictionary.nspecial
        new = dictionary.nspecial + labels.well_formed(tags, order, labels.scheme(names))
    moved = np.full_like(values, pad)
    moved[firsts[np.searchsorted(firsts, positions[labelled[order]], side="right") - 1]] = new
    return moved


def derive_corpus(
    source: str | Path,
    target: str | Path,
    derivation: Derivation,
    dictionary: Dictionary,
    progress: Callable[[int], object] = lambda tokens: None,
    label_dictionary: Dictionary | None = None,
) -> int:
    """Derive ``<source>.bin`` and, where there are any, the labels beside it.

    Args:
        source, target: paths without ``.bin`` / ``.idx``; the target appears only when it is complete.
        dictionary: the vocabulary after derivation.
        progress: called with the number of tokens of each chunk that is done.
        label_dictionary: of the labels, if there are any; tells whether they are IOB2 tags.

    Returns:
        number of tokens.

    Raises:
        InputError: the data cannot be read, or have ids that are not in the dictionary before derivation.
    """
    from fairseq_align.data import binarized

    if binarized.exists(f"{source}.label"):
        corpus, label_corpus = binarized.read_labelled(source)
    else:
        corpus, label_corpus = binarized.read(source), None
    deriver = Deriver(derivation, dictionary)
    limit = dictionary.nspecial + derivation.source_pieces
    with ExitStack() as stack:
        out = stack.enter_context(binarized.writer(target, len(dictionary)))
        if label_corpus:
            label_limit = int(label_corpus.tokens.max(initial=0)) + 1
            label_out = stack.enter_context(binarized.writer(f"{target}.label", label_limit))
        for span, sentences in chunks(corpus):
            tokens = corpus.tokens[span].astype(np.int64)
            if tokens.max(initial=0) >= limit:
                raise InputError(
                    f"{source}.bin: found token id {tokens.max()}, expected ids below {limit}, the size of the "
                    "dictionary before derivation; binarize it with dict.txt, and derive from the source language"
                )
            values = label_corpus.tokens[span] if label_corpus else None
            begins = None if values is None else (values != dictionary.pad()) | (tokens == dictionary.eos())
            chunk = Chunk(tokens, corpus.sizes[sentences], begins)
            derived, positions = deriver(chunk)
            out.add(derived, chunk.sizes)
            if values is not None:
                moved = moved_labels(values, begins, positions, label_dictionary, dictionary.pad())
                label_out.add(moved, chunk.sizes)
            progress(len(tokens))
    return len(corpus.tokens)
