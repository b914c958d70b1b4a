"""Make the bilingual dictionary that training reads, and the held-out pairs that only score it.

    fairseq-align lexicon derived --dict data-bin/dict.txt --rate 0.5 --out lexicon.tsv \\
        --heldout lexicon.heldout.tsv
    fairseq-align lexicon inspect lexicon.tsv --source-text corpus/en/train.txt --target-text corpus/fr/train.txt
    fairseq-align lexicon words en-fr.txt --model spm.model --dict dict.txt --out lexicon.tsv \\
        --heldout lexicon.heldout.tsv --heldout-input en-fr.test.txt
    fairseq-align lexicon pivot en-fr.tsv en-ar.tsv --dict dict.txt --out fr-ar.tsv

Training and held-out pairs share no source word and no target word.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from fairseq_align.errors import InputError
from fairseq_align.files import check_exists
from fairseq_align.lexicon import build, coverage, file
from fairseq_align.text import subword, vocabulary

if TYPE_CHECKING:
    from fairseq.data import Dictionary


def add_parser(subparsers) -> None:
    """Add the command ``lexicon`` to ``fairseq-align``."""
    parser = subparsers.add_parser(
        "lexicon",
        help="dictionaries -> pairs to train on and to score",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="derived|words|pivot|inspect")

    derived = commands.add_parser("derived", help="pairs of each piece with its transliteration")
    derived.add_argument(
        "--rate", type=float, default=0.5, help="fraction of the vocabulary in the lexicon (default: %(default)s)"
    )
    derived.add_argument(
        "--derivation", type=Path, help="derivation.json of the language; needed where it shares pieces (--overlap)"
    )
    derived.set_defaults(func=make_derived)

    words = commands.add_parser("words", help="pairs of word lists and dictionaries")
    words.add_argument(
        "input",
        type=Path,
        nargs="+",
        help="MUSE 'source target', TSV, PanLex's columns, FreeDict's TEI (.tei), each plain or packed; dictd's .index",
    )
    words.add_argument("--model", type=Path, required=True, help="SentencePiece model of the corpus")
    words.add_argument("--heldout-input", type=Path, nargs="+", default=[], help="word lists to hold out whole")
    words.add_argument(
        "--heldout-rate", type=float, default=0.0, help="fraction of the pairs to hold out; 0: none (default)"
    )
    words.add_argument("--languages", metavar="eng:fra", help="source and target, where files name languages")
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
    words.set_defaults(func=make_words)

    pivot = commands.add_parser("pivot", help="a lexicon of two languages from those of a third with each of them")
    pivot.add_argument(
        "lexicon", type=Path, nargs=2, help="lexicons with the third language first, made by this script"
    )
    pivot.add_argument("--heldout-lexicon", type=Path, nargs=2, help="their held-out pairs")
    pivot.set_defaults(func=make_pivot)

    inspect = commands.add_parser("inspect", help="what is in a lexicon, and how much of the text it covers")
    inspect.add_argument("lexicon", type=Path)
    for side in ("source", "target"):
        inspect.add_argument(f"--{side}-text", type=Path, help="tokenised training text of that language")
    inspect.set_defaults(func=inspect_lexicon)

    for command in (derived, words, pivot):
        command.add_argument("--dict", type=Path, required=True, help="dict.txt of the data that training reads")
        command.add_argument("--out", type=Path, required=True, help="lexicon to write")
        command.add_argument("--heldout", type=Path, help="file for the held-out pairs; none written without it")
    for command in (derived, words):
        command.add_argument("--seed", type=int, default=1, help="seed of the random split (default: %(default)s)")


def make_derived(args) -> None:
    if args.derivation:
        check_exists(args.derivation, "derivation.json of the derived language; run fairseq-align derive")
    dictionary = vocabulary.load(args.dict)
    shared = ()
    if args.derivation:
        from fairseq_align.derivation.record import Derivation
        from fairseq_align.derivation.transforms import shared_pieces

        shared = shared_pieces(Derivation.load(args.derivation))
    write(args, build.of_derivation(dictionary, args.rate, args.seed, shared), dictionary)


def check_heldout(args, given: bool, advice: str) -> None:
    """Refuse a file for held-out pairs where no pair is held out."""
    if args.heldout is not None and not given:
        raise InputError(f"--heldout: found no pairs to hold out, expected {advice}; give it, or leave --heldout out")


def make_words(args) -> None:
    check_heldout(args, bool(args.heldout_input or args.heldout_rate), "--heldout-rate above 0 or --heldout-input")
    lists = build.WordLists(
        files=tuple(args.input),
        heldout_files=tuple(args.heldout_input),
        languages=languages(args.languages),
        lower=args.lower,
        form=args.normalization,
        several_words=args.several_words == "pool",
        heldout_rate=args.heldout_rate,
        seed=args.seed,
        frequency=args.frequency and tuple(args.frequency),
        frequency_power=args.frequency_power,
    )
    for path in (*lists.files, *lists.heldout_files, *(lists.frequency or ())):
        check_exists(path)
    processor = subword.load(args.model)
    dictionary = vocabulary.load(args.dict)
    write(args, build.of_word_lists(lists, processor, dictionary), dictionary)


def languages(flag: str | None) -> tuple[str, str] | None:
    """``eng:fra`` -> ``("eng", "fra")``."""
    if flag is None:
        return None
    source, _, target = flag.partition(":")
    if not source or not target or ":" in target:
        raise InputError(f"--languages: found {flag!r}, expected source and target like eng:fra")
    return source, target


def make_pivot(args) -> None:
    check_heldout(args, bool(args.heldout_lexicon), "--heldout-lexicon")
    lexicon = build.of_pivot(args.lexicon, args.heldout_lexicon)
    write(args, lexicon, vocabulary.load(args.dict))


def inspect_lexicon(args) -> None:
    texts = {"source": args.source_text, "target": args.target_text}
    for text in filter(None, texts.values()):
        check_exists(text)
    entries, _ = file.read(args.lexicon)
    sides = {"source": [entry.source for entry in entries], "target": [entry.target for entry in entries]}
    identical = sum(entry.source == entry.target for entry in entries)
    duplicate = len(entries) - len({entry[:2] for entry in entries})
    print(f"{args.lexicon}: {len(entries):,} pairs, {identical:,} identical, {duplicate:,} duplicate")
    for side, words in sides.items():
        split = coverage.in_characters(words)
        sizes = ", ".join(f"{count:,} of {size}" for size, count in coverage.lengths(words).items())
        examples = f", e.g. {' '.join(map(coverage.spelling, split[:5]))}" if split else ""
        print(f"{side}: {len(set(words)):,} words; pieces: {sizes}; {len(split):,} in single characters{examples}")
    for side, text in texts.items():
        if text:
            show_coverage(side, text, sides[side])


def show_coverage(side: str, text: Path, words: list[coverage.Word]) -> None:
    bands = coverage.bands(coverage.count_words(text), words)
    line = "{:>12}  {:>9}  {:>8}  {:>13}  {:>8}".format
    print(f"{side} text {text}:")
    print(line("occurrences", "words", "covered", "running words", "covered"))
    for band in bands:
        types, tokens = band.covered_types / max(band.types, 1), band.covered_tokens / max(band.tokens, 1)
        print(line(band.name, f"{band.types:,}", f"{types:.1%}", f"{band.tokens:,}", f"{tokens:.1%}"))
    if 2 * bands[-1].covered_tokens < bands[-1].tokens:
        print(
            f"warning: fewer than half of the running words of {text} are in the lexicon; are its words spelt as there "
            "(--lower, --normalization), and of that language?"
        )


def write(args, lexicon: build.Lexicon, dictionary: Dictionary) -> None:
    for names, counts in lexicon.counts:
        print(f"{names}: {', '.join(f'{count:,} {name}' for name, count in counts.items())}")
    if lexicon.left_out is not None:
        print(f"{lexicon.left_out:,} pairs left out of training: one of their words is held out")
    build.write(lexicon, args.out, args.heldout, dictionary)
    print(f"{args.out}: {len(lexicon.train):,} training pairs")
    if args.heldout is not None:
        print(f"{args.heldout}: {len(lexicon.heldout):,} held-out pairs" + ("" if lexicon.heldout else ", no file"))
