#!/usr/bin/env python3
"""Make the bilingual dictionary that training reads, and the held-out pairs that only score it.

    python preprocess/lexicon.py derived --dict data-bin/dict.txt --rate 0.5 --out lexicon.tsv \\
        --heldout lexicon.heldout.tsv
    python preprocess/lexicon.py inspect lexicon.tsv --source-text corpus/en/train.txt --target-text corpus/fr/train.txt
    python preprocess/lexicon.py words en-fr.txt --model spm.model --dict dict.txt --out lexicon.tsv \\
        --heldout lexicon.heldout.tsv --heldout-input en-fr.test.txt
    python preprocess/lexicon.py pivot en-fr.tsv en-ar.tsv --dict dict.txt --out fr-ar.tsv

Training and held-out pairs share no source word and no target word.
"""

import argparse
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from fairseq_align.derivation.transforms import Derivation, shared_pieces
from fairseq_align.errors import InputError, status_of
from fairseq_align.lexicon import coverage, dictd, tei, wordlist
from fairseq_align.lexicon import file as lexicon
from fairseq_align.text import subword, vocabulary


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, metavar="derived|words|pivot|inspect")

    derived = commands.add_parser("derived", help="pairs of each piece with its transliteration")
    derived.add_argument(
        "--rate", type=float, default=0.5, help="fraction of the vocabulary in the lexicon (default: %(default)s)"
    )
    derived.add_argument(
        "--derivation", type=Path, help="derivation.json of the language; needed where it shares pieces (--overlap)"
    )
    derived.set_defaults(make=make_derived)

    words = commands.add_parser("words", help="pairs of word lists and dictionaries")
    words.add_argument(
        "input",
        type=Path,
        nargs="+",
        help="MUSE 'source target', TSV, PanLex's columns, FreeDict's TEI (.tei), each plain or .gz; dictd's .index",
    )
    words.add_argument("--model", type=Path, required=True, help="SentencePiece model of the corpus")
    words.add_argument("--heldout-input", type=Path, nargs="+", default=[], help="word lists to hold out whole")
    words.add_argument(
        "--heldout-rate", type=float, default=0.0, help="fraction of the pairs to hold out; 0: none (default)"
    )
    words.add_argument("--languages", metavar="eng:fra", help="source and target, where the file has columns of them")
    words.add_argument("--lower", action="store_true", help="write the words in lower case")
    words.add_argument(
        "--normalization", choices=("NFC", "NFKC"), default="NFC", help="Unicode normal form (default: %(default)s)"
    )
    words.add_argument(
        "--several-words",
        choices=("pool", "skip"),
        default="pool",
        help="'ice cream' is the mean of its pieces, or is left out (default: %(default)s)",
    )
    words.add_argument(
        "--frequency",
        type=Path,
        nargs=2,
        metavar=("SOURCE_TEXT", "TARGET_TEXT"),
        help="tokenised training texts; pairs are weighted by how often their words occur; not given: they are not",
    )
    words.add_argument(
        "--frequency-power",
        type=float,
        default=0.5,
        help="exponent of those weights, from 0, all alike, to 1, in proportion (default: %(default)s)",
    )
    words.set_defaults(make=make_words)

    pivot = commands.add_parser("pivot", help="a lexicon of two languages from those of a third with each of them")
    pivot.add_argument(
        "lexicon", type=Path, nargs=2, help="lexicons with the third language first, made by this script"
    )
    pivot.add_argument("--heldout-lexicon", type=Path, nargs=2, help="their held-out pairs")
    pivot.set_defaults(make=make_pivot)

    inspect = commands.add_parser("inspect", help="what is in a lexicon, and how much of the text it covers")
    inspect.add_argument("lexicon", type=Path)
    for side in ("source", "target"):
        inspect.add_argument(f"--{side}-text", type=Path, help="tokenised training text of that language")
    inspect.set_defaults(make=inspect_lexicon)

    for command in (derived, words, pivot):
        command.add_argument("--dict", type=Path, required=True, help="dict.txt of the data that training reads")
        command.add_argument("--out", type=Path, required=True, help="lexicon to write")
        command.add_argument("--heldout", type=Path, help="file for the held-out pairs; none written without it")
    for command in (derived, words):
        command.add_argument("--seed", type=int, default=1, help="seed of the random split (default: %(default)s)")
    return parser.parse_args()


def make_derived(args) -> None:
    dictionary = vocabulary.load(args.dict)
    shared = shared_pieces(Derivation.load(args.derivation)) if args.derivation else ()
    train, heldout = lexicon.of_derivation(dictionary, args.rate, args.seed, shared)
    write(args, train, heldout, dictionary, [f"transliteration pairs, rate {args.rate:g}, seed {args.seed}"])


def read(path: Path, languages: str | None) -> Iterator[wordlist.Pair]:
    """Pairs of a file, by the reader that its name asks for."""
    suffix = Path(path.name.removesuffix(".gz")).suffix
    if suffix == ".index":
        return dictd.read(path)
    if suffix == ".tei":
        return tei.read(path)
    codes = tuple(languages.split(":")) if languages else None
    if codes and (len(codes) != 2 or "" in codes):
        raise InputError(f"--languages: found {languages!r}, expected source and target like eng:fra")
    return wordlist.read(path, codes)


def make_words(args) -> None:
    dictionary = vocabulary.load(args.dict)
    processor = subword.load(args.model)

    def encoded(paths):
        entries, counts = wordlist.encode(
            chain.from_iterable(read(path, args.languages) for path in paths),
            processor,
            dictionary,
            args.lower,
            args.normalization,
            args.several_words == "pool",
        )
        print(f"{' '.join(map(str, paths))}: {', '.join(f'{count:,} {name}' for name, count in counts.items())}")
        return entries

    entries = encoded(args.input)
    if args.heldout_input:
        heldout = encoded(args.heldout_input)
        train = wordlist.without_words_of(entries, heldout)
        print(f"{len(entries) - len(train):,} pairs left out of training: one of their words is held out")
    else:
        train, heldout = wordlist.split(entries, args.heldout_rate, args.seed)
    names = ", ".join(path.name for path in args.input + args.heldout_input)
    provenance = [f"word lists {names}, held-out rate {args.heldout_rate:g}, seed {args.seed}"]
    if args.frequency:
        train = coverage.weigh(train, *map(coverage.count_words, args.frequency), args.frequency_power)
        provenance.append(f"weighted by frequency in the training texts to the power {args.frequency_power:g}")
    write(args, train, heldout, dictionary, provenance)


def make_pivot(args) -> None:
    dictionary = vocabulary.load(args.dict)
    entries = lexicon.pivot(*(lexicon.read(path)[0] for path in args.lexicon))
    heldout = lexicon.pivot(*(lexicon.read(path)[0] for path in args.heldout_lexicon)) if args.heldout_lexicon else []
    train = wordlist.without_words_of(entries, heldout)
    print(f"{len(entries) - len(train):,} pairs left out of training: one of their words is held out")
    names = ", ".join(path.name for path in args.lexicon + (args.heldout_lexicon or []))
    write(args, train, heldout, dictionary, [f"pivot of {names}"])


def inspect_lexicon(args) -> None:
    entries, _ = lexicon.read(args.lexicon)
    sides = {"source": [entry.source for entry in entries], "target": [entry.target for entry in entries]}
    same = sum(entry.source == entry.target for entry in entries)
    again = len(entries) - len({entry[:2] for entry in entries})
    print(f"{args.lexicon}: {len(entries):,} pairs, {same:,} identical, {again:,} duplicate")
    for side, words in sides.items():
        split = coverage.in_characters(words)
        sizes = ", ".join(f"{count:,} of {size}" for size, count in coverage.lengths(words).items())
        print(f"{side}: {len(set(words)):,} words; pieces: {sizes}; {len(split):,} in single characters", end="")
        print(f", e.g. {' '.join(map(coverage.spelling, split[:5]))}" if split else "")
    for side, text in (("source", args.source_text), ("target", args.target_text)):
        if text:
            show_coverage(side, text, sides[side])


def show_coverage(side: str, text: Path, words) -> None:
    rows = coverage.bands(coverage.count_words(text), words)
    line = "{:>12}  {:>9}  {:>8}  {:>13}  {:>8}".format
    print(f"{side} text {text}:")
    print(line("occurrences", "words", "covered", "running words", "covered"))
    for name, distinct, covered, running, covered_running in rows:
        shares = (f"{part / max(whole, 1):.1%}" for part, whole in ((covered, distinct), (covered_running, running)))
        print(line(name, f"{distinct:,}", next(shares), f"{running:,}", next(shares)))
    if 2 * rows[-1].covered_running < rows[-1].running:
        print(
            f"warning: fewer than half of the running words of {text} are in the lexicon; are its words spelt as there "
            "(--lower, --normalization), and of that language?"
        )


def write(args, train, heldout, dictionary, provenance) -> None:
    if not train:
        raise InputError(
            f"{args.out}: no pair is left for training; check the counts above, the model and the dictionary"
        )
    lexicon.write(args.out, train, dictionary, [*provenance, f"training pairs: {len(train)}"])
    print(f"{args.out}: {len(train):,} training pairs")
    if args.heldout is None:
        return
    if heldout:
        lexicon.write(args.heldout, heldout, dictionary, [*provenance, f"held-out pairs: {len(heldout)}"])
    else:
        args.heldout.unlink(missing_ok=True)  # of an earlier run with another rate
    print(f"{args.heldout}: {len(heldout):,} held-out pairs" + ("" if heldout else ", no file"))


def main() -> int:
    args = parse_args()
    return status_of(args.make, args)


if __name__ == "__main__":
    raise SystemExit(main())
