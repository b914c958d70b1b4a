"""What the terms of docs/beyond.md that are no loss of pairs add to training: python -m benchmarks.terms

Each is trained in turn with what it is added to, ALIGN-MLM with the contrastive loss of 1,024 pairs: updates of
fairseq's Trainer with the flags that a user would give, the making of the batch included. Of a search, which comes
every so many updates, one is timed at every update, and its share is what that is at the default. Two languages with
random texts, sentence by sentence translations of each other, and a lexicon of their words.
"""

import argparse
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from fairseq.data.iterators import GroupedIterator

from benchmarks.common.corpora import dictionary_of, write_corpus
from benchmarks.common.shapes import SHAPES, SPECIAL
from benchmarks.common.timing import RESULTS, WARM, models, ratio, save
from benchmarks.common.trainers import fast, flags, trainer
from benchmarks.training_loop import window
from fairseq_align.text import vocabulary

SHIFT = 10  # a piece and its translation: their numbers differ by it, and both begin a word or neither does


class Term(NamedTuple):
    """Flags of a term, of what it is compared with, and updates from one time that it acts to the next."""

    flags: str
    without: str = ""
    every: int = 1


TERMS = {
    "code-switching": Term("--code-switch en:fr:{lexicon}"),
    "characters": Term("--align-characters 20000"),
    "hard negatives": Term("--hard-negatives 10"),
    "hard negatives, a search": Term("--hard-negatives 10 --hard-negatives-every 1", "--hard-negatives 10", every=1000),
    "self-learning, a search": Term("--self-learn en:fr --self-learn-every 1", every=1000),
    "alignment before pre-training": Term("--prealign-updates 1000000 --align-pairs 512", "--align-pairs 512"),
    "contextual realignment": Term("--tlm-pairs en:fr --realign en:fr:{lexicon}", "--tlm-pairs en:fr"),
    "angles": Term("--log-angles 1 --logits-chunk 0", "--logits-chunk 0", every=500),
}


def updates(data: Path, command: list[str], count: int) -> Callable[[], int]:
    """A piece of work, which returns how many updates it did: ``count`` of a new run of the flags."""
    run = trainer(data, command)
    batches = GroupedIterator(run.get_train_iterator(epoch=1).next_epoch_itr(), 1)
    run.begin_epoch(1)

    def work() -> int:
        window(run, batches, count)
        return count

    return work


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--shape", choices=SHAPES, default="paper", help="paper: 8 layers of 512, 80,000 words")
    parser.add_argument("--tokens", type=int, default=512, help="in an item")
    parser.add_argument("--items", type=int, default=2, help="in an update")
    parser.add_argument("--pairs", type=int, default=20000, help="of the lexicon")
    parser.add_argument("--updates", type=int, default=1, help="of a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=TERMS, default=list(TERMS), metavar="TERM")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the record (default: %(default)s)")
    args = parser.parse_args()
    pieces = SHAPES[args.shape][3] - SPECIAL
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        data, lexicon = Path(folder), Path(folder) / "lexicon.tsv"
        tokens = (WARM + args.rounds + 1) * args.updates * args.items * args.tokens
        for lang, shift in (("en", 0), ("fr", SHIFT)):
            write_corpus(data / lang / "train", tokens, pieces, shift)
        dictionary_of(pieces).save(str(data / "dict.txt"))
        write_translations(lexicon, pieces, args.pairs)
        common = flags(args.shape, args.tokens, "fp32") + fast("fp32")
        common += ["--task", "align_mlm", "--langs", "en,fr", "--criterion", "align_mlm", "--lexicon", str(lexicon)]
        common += ["--align-loss", "contrastive", "--align-pairs", "1024"]
        common += ["--batch-size", str(args.items), "--num-workers", "0", "--data-buffer-size", "0"]
        for name in args.only:
            term = TERMS[name]
            sides = {"with": term.flags.format(lexicon=lexicon), "without": term.without}
            makers = {
                side: partial(updates, data, [*common, *more.split()], args.updates) for side, more in sides.items()
            }
            times = ratio(models(makers, args.rounds), "without", "with")
            added = (times - 1) / term.every
            rows.append({"term": name, "times": times, "every": term.every, "added": added})
            print(f"{name:29} {times:6.2f} times an update without; every {term.every:,} updates, {added:.1%} of each")
    settings = {name: value for name, value in vars(args).items() if name not in ("results", "only")}
    save("terms", {**settings, "rows": rows}, args.results)


def write_translations(path: Path, pieces: int, pairs: int) -> None:
    """Pairs of a piece that can begin a word and its translation."""
    symbols = dictionary_of(pieces).symbols[-pieces:]
    whole = [number for number, symbol in enumerate(symbols) if symbol.startswith(vocabulary.WORD_START)][:pairs]
    rows = (f"{symbols[number]}\t{symbols[(number + SHIFT) % pieces]}\n" for number in whole)
    path.write_text("".join(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
