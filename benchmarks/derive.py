"""Tokens a second of making a derived language, and the memory it takes: python -m benchmarks.derive --tokens 100000000

The corpus is random: sentences of 5 to 45 tokens, a vocabulary of 40,000 pieces of which 70 % begin a word.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.common.corpora import dictionary_of, write_corpus
from benchmarks.common.timing import RESULTS, peak, save
from fairseq_align.derivation.corpus import derive_corpus
from fairseq_align.derivation.record import Derivation
from fairseq_align.text import vocabulary

PIECES = 40000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tokens", type=int, default=100_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the record (default: %(default)s)")
    args = parser.parse_args()
    dictionary = vocabulary.double(dictionary_of(PIECES))
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        write_corpus(Path(folder) / "train", args.tokens, PIECES)
        before = peak()
        for transforms in (("transliterate",), ("invert",), ("transliterate", "invert"), ("permute",)):
            derivation = Derivation("en", transforms, "word", 1, PIECES, 2 * PIECES, "")
            rates = []
            for _ in range(args.rounds):
                start = time.perf_counter()
                done = derive_corpus(Path(folder) / "train", Path(folder) / "x", derivation, dictionary)
                rates.append(done / (time.perf_counter() - start))
            rows.append({"transforms": "+".join(transforms), "tokens_per_second": statistics.median(rates)})
            print(f"{rows[-1]['transforms']:<22} {statistics.median(rates) / 1e6:6.1f} M tokens/s")
    highest = peak()
    print(f"peak memory {highest:.0f} MiB, {highest - before:.0f} MiB above that of making the corpus")
    save("derive", {"tokens": args.tokens, "rows": rows, "peak_mib": highest}, args.results)


if __name__ == "__main__":
    main()
