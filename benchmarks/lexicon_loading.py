"""Seconds to make a lexicon of a word list and to load it, and what drawing pairs costs an update, in one thread:
python -m benchmarks.lexicon_loading

Words are random strings of 2 to 12 letters, in pieces of a SentencePiece model that is learnt from some of them.
"""

import argparse
import io
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from sentencepiece import SentencePieceProcessor, SentencePieceTrainer

from benchmarks.common.timing import RESULTS, interleaved, peak, save
from fairseq_align.criterions.align_mlm import AlignMlmLoss
from fairseq_align.lexicon import build, wordlist
from fairseq_align.lexicon import file as lexicon
from fairseq_align.text import subword

LETTERS = np.array(list("eeeaaiioonnrrsttllducmp"))
DRAWN = 1024


class Task:
    """What the criterion asks of a task."""

    def __init__(self, dictionary):
        self.source_dictionary = dictionary
        self.update_num = 0


def write_words(path: Path, pairs: int) -> list[str]:
    """A word list of random pairs; returns its lines."""
    rng = np.random.default_rng(1)
    letters = iter(rng.choice(LETTERS, 24 * pairs))
    lines = []
    for sizes in rng.integers(2, 13, (pairs, 2)).tolist():
        lines.append("\t".join("".join(next(letters) for _ in range(size)) for size in sizes))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pairs", type=int, default=1_000_000)
    parser.add_argument("--vocabulary", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the record (default: %(default)s)")
    args = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        lines = write_words(Path(folder) / "words.tsv", args.pairs)
        model = io.BytesIO()
        SentencePieceTrainer.train(
            sentence_iterator=iter(lines[:20000]),
            model_writer=model,
            vocab_size=args.vocabulary,
            hard_vocab_limit=False,
            minloglevel=2,
        )
        processor = SentencePieceProcessor(model_proto=model.getvalue())
        dictionary = subword.to_dictionary(processor)
        rows, sampled = [], {}
        for pairs in sorted({min(args.pairs, 10**exponent) for exponent in range(3, 7)}):
            path = Path(folder) / f"{pairs}.tsv"
            (Path(folder) / "some.tsv").write_text("\n".join(lines[:pairs]) + "\n", encoding="utf-8")
            start = time.perf_counter()
            entries, counts = build.encode(wordlist.read(Path(folder) / "some.tsv"), processor, dictionary)
            lexicon.write(path, entries, dictionary)
            made = time.perf_counter() - start
            start = time.perf_counter()
            loss = AlignMlmLoss(Task(dictionary), str(path), align_pairs=DRAWN)
            loaded = time.perf_counter() - start
            weighted = AlignMlmLoss(Task(dictionary), str(path), align_pairs=DRAWN, align_sampling="weights")
            sampled |= {f"{pairs} evenly": drawing(loss), f"{pairs} by weights": drawing(weighted)}
            rows.append({"pairs": pairs, "kept": counts["kept"], "made_seconds": made, "loaded_seconds": loaded})
        rates = interleaved(sampled, args.rounds)
    for row in rows:
        for kind in ("evenly", "by weights"):
            row[f"drawn_ms {kind}"] = float(1000 / np.median(rates[f"{row['pairs']} {kind}"]))
        print(
            f"{row['pairs']:>9,} pairs: made in {row['made_seconds']:.2f} s, loaded in {row['loaded_seconds']:.2f} s; "
            f"{DRAWN:,} drawn in {row['drawn_ms evenly']:.2f} ms evenly, {row['drawn_ms by weights']:.2f} ms by weights"
        )
    highest = peak()
    print(f"peak memory {highest:.0f} MiB")
    save("lexicon_loading", {"drawn": DRAWN, "rows": rows, "peak_mib": highest}, args.results)


def drawing(loss: AlignMlmLoss):
    """A piece of work: the pairs of one more update."""

    def work() -> int:
        loss.task.update_num += 1
        loss.draw()
        return 1

    return work


if __name__ == "__main__":
    main()
