"""Seconds to split and to tokenise one paragraph by its length, for words of several kinds:
python -m benchmarks.sentence_splitting --letters 1000000
"""

import argparse
import statistics
import time
from pathlib import Path

from benchmarks.common.timing import RESULTS, save
from fairseq_align.text.corpus import Cleaning
from fairseq_align.text.sentences import split_sentences

KINDS = {  # what a paragraph repeats, and what it ends with
    "a word": ("a", "."),
    "leaders": (".", " 5"),
    "base64": ("QUJD", "."),
    "dashes": ("-", "a."),
    "brackets": ("(", "a."),
    "initials": ("a.", " B"),
    "sentences": ("The cat sat. ", "It left."),
}


def seconds(work, rounds: int) -> float:
    """The median of several rounds."""
    taken = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--letters", type=int, default=1_000_000, help="of the longest paragraph")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the record (default: %(default)s)")
    args = parser.parse_args()
    clean, rows = Cleaning("en"), []
    clean.sentences("Moses' rules are loaded.")
    for kind, (repeated, end) in KINDS.items():
        for letters in (args.letters // 100, args.letters // 10, args.letters):
            text = repeated * (letters // len(repeated)) + end
            split = seconds(lambda text=text: split_sentences(text, "en"), args.rounds)
            tokenised = seconds(lambda text=text: clean.sentences(text), args.rounds)
            rows.append({"kind": kind, "letters": letters, "split_seconds": split, "cleaned_seconds": tokenised})
            print(f"{kind:<10} {letters:>11,} letters: split in {split:.4f} s, cleaned in {tokenised:.4f} s")
    save("sentence_splitting", {"rows": rows}, args.results)


if __name__ == "__main__":
    main()
