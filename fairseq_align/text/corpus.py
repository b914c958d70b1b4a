"""Raw text to sentences: how text is cleaned, split, tokenised, deduplicated and divided.

A corpus folder holds ``train.txt``, ``valid.txt`` and ``test.txt``, one tokenised sentence a line, and ``counts.json``.
Which split a sentence belongs to is a pure function of the seed and the *set* of sentences: they are ranked by a
seeded 64-bit digest of their text, the first go to valid, the next to test, the rest to train. The order of the files
and the number of workers move no sentence, and equal sentences, kept once, are never in two splits.
"""

import heapq
import json
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import TextIO

from fairseq_align.errors import InputError
from fairseq_align.files import read_lines, writing
from fairseq_align.text import parquet
from fairseq_align.text.normalise import normalise
from fairseq_align.text.sentences import split_sentences
from fairseq_align.text.tokens import tokenize
from fairseq_align.text.unspaced import Watch

SPLITS = ("train", "valid", "test")
CHUNK = 500  # lines that a worker gets at a time


@dataclass(frozen=True)
class Cleaning:
    """Cleaning of the lines of a text: normalised, split into sentences, tokenised, filtered by length.

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

        Example:
            >>> Cleaning("en").sentences("He doesn't know. Do you?")
            ["He doesn 't know .", 'Do you ?']
        """
        line = normalise(line)
        sentences = split_sentences(line, self.lang) if self.split else [line]
        if not tokenized:
            sentences = [" ".join(tokenize(sentence, self.lang)) for sentence in sentences]
        return [sentence for sentence in sentences if self._keeps(sentence)]

    def _keeps(self, sentence: str) -> bool:
        words = len(sentence.split())
        return max(self.min_words, 1) <= words and (not self.max_words or words <= self.max_words)

    def chunk(self, lines: tuple[list[str], bool]) -> list[str]:
        """Sentences of several lines of one file; what a worker does."""
        texts, tokenized = lines
        return [sentence for line in texts for sentence in self.sentences(line, tokenized)]


def _chunks(files: Iterable[tuple[str | Path, bool]], column: str) -> Iterator[tuple[list[str], bool]]:
    for path, tokenized in files:
        lines = parquet.texts(path, column)
        while chunk := list(islice(lines, CHUNK)):
            yield chunk, tokenized


def _map_in_order(function: Callable, items: Iterable, workers: int) -> Iterator:
    """``map`` over processes, results in order; at most four items a worker are read ahead."""
    if workers <= 1:
        yield from map(function, items)
        return
    from concurrent.futures import ProcessPoolExecutor

    # Ctrl-C reaches workers, too, and each would print a call stack
    pool = ProcessPoolExecutor(workers, initializer=signal.signal, initargs=(signal.SIGINT, signal.SIG_IGN))
    try:
        pending = deque()
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) >= 4 * workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _digest(sentence: str, seed: int) -> int:
    """Rank of a sentence in the seeded order of all sentences, an integer of 64 bits.

    Of n different sentences two share a digest, and one of them is lost, with probability n^2 / 2^65: 3e-4 for 10^8.
    """
    return int.from_bytes(blake2b(sentence.encode(), digest_size=8, key=str(seed).encode()).digest(), "big")


def _unique(sentences: Iterable[str], digest: Callable[[str], int], out: TextIO) -> set[int]:
    """Write each sentence once, at its first occurrence; returns the digests of all that were written."""
    seen = set()
    for sentence in sentences:
        rank = digest(sentence)
        if rank not in seen:
            seen.add(rank)
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
    column: str = "text",
) -> dict[str, dict[str, int]]:
    """Make a corpus folder.

    Memory is one 64-bit digest a sentence (about 70 bytes each in Python's set), whatever the length of the text.

    Args:
        files: paths of text, plain or packed, or of tables (``parquet``), each with whether it is tokenised already.
        out: folder of the splits; a split of 0 sentences has no file.
        valid, test: sentences of these splits, >= 0; the rest is train.
        seed: chooses which sentences go to valid and test.
        workers: processes that clean and tokenise; the output is the same for any number.
        progress: called with the number of sentences that have been read since the last call.
        column: of the text in tables.

    Returns:
        ``{"train": {"sentences": n, "words": n}, ...}``, also written to ``counts.json``.

    Raises:
        InputError: a file cannot be read, or has too few sentences for the splits.
    """
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    digest, watch = partial(_digest, seed=seed), Watch()

    def sentences():
        for chunk in _map_in_order(cleaning.chunk, _chunks(files, column), workers):
            progress(len(chunk))
            for sentence in chunk:
                watch.see(sentence)
                yield sentence
        watch.warn(out)

    everything = out / "sentences.part"
    try:
        with open(everything, "w", encoding="utf-8", newline="\n") as file:
            ranks = _unique(sentences(), digest, file)
        if len(ranks) <= valid + test:
            raise InputError(
                f"{out}: found {len(ranks):,} different sentences, expected more than the {valid + test:,} of "
                "valid and test; give more text or smaller splits"
            )
        first = heapq.nsmallest(valid + test, ranks)
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
