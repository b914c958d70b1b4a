"""Raw text to sentences: how text is cleaned, split, tokenised, deduplicated and divided.

A corpus folder holds ``train.txt``, ``valid.txt`` and ``test.txt``, one tokenised sentence a line, and ``counts.json``.
Which split a sentence belongs to is a pure function of the seed and the *set* of sentences: they are ranked by a
seeded 64-bit digest of their text, the first go to valid, the next to test, the rest to train. The order of the files
and the number of workers move no sentence, and equal sentences, kept once, are never in two splits.
"""

import heapq
import json
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache, partial
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import TextIO

from sacremoses import MosesTokenizer

from fairseq_align.errors import InputError
from fairseq_align.files import normalise, read_lines, writing

SPLITS = ("train", "valid", "test")
CHUNK = 500  # lines that a worker gets at a time

TERMINATORS = ".!?\u2026\u203d\u06d4\u061f\u0964\u0965\u3002\uff01\uff1f"  # also Urdu, Arabic, Devanagari, CJK
UNSPACED_TERMINATORS = "\u0964\u0965\u3002\uff01\uff1f"  # the next sentence may follow without a space
CLOSERS = "\"'\u2019\u201d\u00bb\u203a\u00b4)]\u300d\u300f\uff09"
OPENERS = "\"'`\u2018\u201c\u201e\u00ab\u2039([\u00bf\u00a1\u300c\u300e\uff08"
DASHES = "-\u2010\u2011\u2012\u2013\u2014\u2015"
ABBREVIATIONS = frozenset({"Mr", "Mrs", "Dr", "St", "Mdlle", "Lieut", "Sergt", "Sept", "viz"})  # beside Moses' lists

_END, _CLOSER = f"[{re.escape(TERMINATORS)}]", f"[{re.escape(CLOSERS)}]"
_ENDS = re.compile(f"{_END}(?:{_END}|{_CLOSER})*$")
_CLOSERS_ONLY = re.compile(f"{_CLOSER}+$")
_UNSPACED = re.compile(f"([{UNSPACED_TERMINATORS}]{_CLOSER}*)(?!{_END}|{_CLOSER})(?=\\S)")
_SINGLE_DOT = re.compile(f"(?P<body>.*[^.])\\.{_CLOSER}*$")
_BEFORE_BODY = re.compile(f".*[{re.escape(DASHES)}]|[{re.escape(OPENERS)}]+")
_ACRONYM = re.compile(r"[^\W\d_](\.[^\W\d_]+)*")  # J, U.S, a.m, e.g, Ph.D


@cache
def _tokenizer(lang: str) -> MosesTokenizer:
    return MosesTokenizer(lang)


@cache
def _abbreviations(lang: str) -> tuple[frozenset[str], frozenset[str]]:
    """Words that keep their dot: always, and only before a number (``No. 5``)."""
    tokenizer = _tokenizer(lang)
    numeric = frozenset(tokenizer.NUMERIC_ONLY_PREFIXES)
    return ABBREVIATIONS.union(tokenizer.NONBREAKING_PREFIXES) - numeric, numeric


def _is_abbreviation(body: str, following: str, lang: str) -> bool:
    """Whether a word keeps its dot; ``body`` is the word without it, ``following`` the next word."""
    body = _BEFORE_BODY.sub("", body)
    always, before_number = _abbreviations(lang)
    known = {body, body.capitalize()} if body.isupper() else {body}
    return bool(known & always or (known & before_number and following[:1].isdigit()) or _ACRONYM.fullmatch(body))


def _ends_sentence(word: str, following: str, lang: str) -> bool:
    if not _ENDS.search(word):
        return False
    dotted = _SINGLE_DOT.match(word)
    return dotted is None or not _is_abbreviation(dotted["body"], following, lang)


def _starts_sentence(text: str) -> bool:
    """Whether ``text`` starts, behind quotes and brackets, with a capital, a digit, a caseless letter or ``<unk>``."""
    text = text.lstrip(OPENERS)
    first = text[:1]
    return first.isdigit() or (first.isalpha() and not first.islower()) or text.startswith("<unk>")


def split_sentences(paragraph: str, lang: str) -> list[str]:
    """Cut a paragraph, normalised and tokenised or not, where a sentence ends and another may start.

    A sentence ends at a word that ends with one of ``TERMINATORS``, closing quotes and brackets included, if the next
    word starts with a capital, a digit or a letter of a script without capitals. A single dot does not count after
    Moses' abbreviations of the language and a few more (``Mr.``, and ``No.`` before a number), an initial or an
    acronym (``U.S.``). Danda and full-width stops end a sentence without a space, too. A straight double quote that
    stands alone, as in tokenised text, closes if an odd number of them came before it in the paragraph.

        "Is it he?" said Mr. Smith. "No. It is U.S. Grant."
        -> "Is it he?" said Mr. Smith.  |  "No.  |  It is U.S. Grant."
    """
    words = _UNSPACED.sub(r"\1 ", paragraph).split()
    sentences, start, ended, in_quotes = [], 0, False, False
    for index, word in enumerate(words):
        following = words[index + 1] if index + 1 < len(words) else ""
        closes = index > start and bool(_CLOSERS_ONLY.match(word)) and (in_quotes or word != '"')
        if ended and not closes and _starts_sentence(word + following):
            sentences.append(" ".join(words[start:index]))
            start = index
        ended = _ends_sentence(word, following, lang) or (ended and closes)
        in_quotes ^= word.count('"') % 2 == 1
    return [*sentences, " ".join(words[start:])] if words else []


@dataclass(frozen=True)
class Cleaning:
    """What is done to each line.

    Attributes:
        lang: ISO 639-1 code, for the rules of tokenisation and abbreviations; English rules where Moses has none.
        split: a line is a paragraph and may hold several sentences.
        min_words, max_words: sentences with fewer or more words (after tokenisation) are dropped; 0: no maximum.
    """

    lang: str
    split: bool = True
    min_words: int = 1
    max_words: int = 0

    def sentences(self, line: str, tokenized: bool = False) -> list[str]:
        """Sentences of one line, words separated by single spaces.

        Args:
            tokenized: the words of the line are separated by spaces already and stay as they are.
        """
        line = normalise(line)
        found = split_sentences(line, self.lang) if self.split else [line]
        if not tokenized:
            found = [" ".join(_tokenizer(self.lang).tokenize(sentence, escape=False)) for sentence in found]
        return [sentence for sentence in found if self._keeps(sentence)]

    def _keeps(self, sentence: str) -> bool:
        words = len(sentence.split())
        return max(self.min_words, 1) <= words and (not self.max_words or words <= self.max_words)

    def chunk(self, lines: tuple[list[str], bool]) -> list[str]:
        """Sentences of several lines of one file; what a worker does."""
        texts, tokenized = lines
        return [sentence for line in texts for sentence in self.sentences(line, tokenized)]


def _chunks(files: Iterable[tuple[str | Path, bool]]) -> Iterator[tuple[list[str], bool]]:
    for path, tokenized in files:
        lines = (line for _, line in read_lines(path))
        while chunk := list(islice(lines, CHUNK)):
            yield chunk, tokenized


def _map_in_order(function: Callable, items: Iterable, workers: int) -> Iterator:
    """``map`` over processes, results in order; at most four items a worker are read ahead."""
    if workers <= 1:
        yield from map(function, items)
        return
    with ProcessPoolExecutor(workers) as pool:
        pending = deque()
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) >= 4 * workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def _digest(sentence: str, seed: int) -> int:
    """Place of a sentence in the seeded order of all sentences, an integer of 64 bits.

    Of n different sentences two share a digest, and one of them is lost, with probability n^2 / 2^65: 3e-4 for 10^8.
    """
    return int.from_bytes(blake2b(sentence.encode(), digest_size=8, key=str(seed).encode()).digest(), "big")


def _unique(sentences: Iterable[str], digest: Callable[[str], int], out: TextIO) -> set[int]:
    """Write each sentence the first time it comes; returns the digests of all that were written."""
    seen = set()
    for sentence in sentences:
        place = digest(sentence)
        if place not in seen:
            seen.add(place)
            out.write(sentence + "\n")
    return seen


def build(
    files: Iterable[tuple[str | Path, bool]],
    out: str | Path,
    cleaning: Cleaning,
    valid: int,
    test: int,
    seed: int,
    workers: int = 1,
    progress: Callable[[int], object] = lambda sentences: None,
) -> dict[str, dict[str, int]]:
    """Make a corpus folder.

    Memory is one 64-bit digest a sentence (about 70 bytes each in Python's set), whatever the length of the text.

    Args:
        files: paths, plain or .gz, each with whether it is tokenised already.
        out: folder of the splits; a split of 0 sentences has no file.
        valid, test: sentences of these splits, >= 0; the rest is train.
        seed: chooses which sentences go to valid and test.
        workers: processes that clean and tokenise; the output is the same for any number.
        progress: called with the number of sentences that have been read since the last call.

    Returns:
        ``{"train": {"sentences": n, "words": n}, ...}``, also written to ``counts.json``.

    Raises:
        InputError: a file cannot be read, or has too few sentences for the splits.
    """
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    digest = partial(_digest, seed=seed)

    def sentences():
        for chunk in _map_in_order(cleaning.chunk, _chunks(files), workers):
            progress(len(chunk))
            yield from chunk

    everything = out / "sentences.part"
    try:
        with open(everything, "w", encoding="utf-8", newline="\n") as file:
            places = _unique(sentences(), digest, file)
        if len(places) <= valid + test:
            raise InputError(
                f"{out}: found {len(places):,} different sentences, expected more than the {valid + test:,} of "
                "valid and test; give more text or smaller splits"
            )
        first = heapq.nsmallest(valid + test, places)
        split_of = dict.fromkeys(first[:valid], "valid") | dict.fromkeys(first[valid:], "test")
        return _divide(everything, out, lambda sentence: split_of.get(digest(sentence), "train"))
    finally:
        everything.unlink(missing_ok=True)


def _divide(everything: Path, out: Path, split_of: Callable[[str], str]) -> dict[str, dict[str, int]]:
    """Write the splits and ``counts.json``; files of splits without sentences are removed."""
    counts = {split: {"sentences": 0, "words": 0} for split in SPLITS}
    with ExitStack() as stack:
        files = {split: stack.enter_context(writing(out / f"{split}.txt")) for split in SPLITS}
        for _, sentence in read_lines(everything):
            split = split_of(sentence)
            files[split].write(sentence + "\n")
            counts[split]["sentences"] += 1
            counts[split]["words"] += sentence.count(" ") + 1
    for split in SPLITS:
        if not counts[split]["sentences"]:
            (out / f"{split}.txt").unlink()
    with writing(out / "counts.json") as file:
        file.write(json.dumps(counts, indent=2) + "\n")
    return counts
