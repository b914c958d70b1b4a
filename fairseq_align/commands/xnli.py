"""Binarize sentence pairs (XNLI, MultiNLI) for fairseq's task sentence_prediction; every language is a subset.

    fairseq-align xnli --model spm.model --dict dict.txt --lang en --out xnli-bin --max-tokens 128 \\
        --train multinli_1.0_train.jsonl --valid xnli.dev.tsv --test xnli.test.tsv
    fairseq-align xnli --model spm.model --dict dict.txt --lang fr --out xnli-bin --max-tokens 128 \\
        --valid xnli.dev.tsv --test xnli.test.tsv

Reads TSV and JSONL of XNLI 1.0 and MultiNLI 1.0, the TSV of XNLI-MT, and TSV with a header of premise, hypothesis,
label. Several files of a split become one. Writes <out>/{input0,input1,label}/<split>_<lang>.{bin,idx},
<out>/input0/dict.txt and <out>/label/dict.txt; copies the SentencePiece model to <out>/spm.model.
"""

import argparse
import itertools
from collections import Counter
from pathlib import Path

from fairseq_align.commands.progress import progress
from fairseq_align.downstream import nli
from fairseq_align.errors import InputError
from fairseq_align.files import check_exists
from fairseq_align.text import subword, vocabulary
from fairseq_align.text.encoder import TextEncoder

SPLITS = ("train", "valid", "test")


def add_parser(subparsers) -> None:
    """Add the command ``xnli`` to ``fairseq-align``."""
    parser = subparsers.add_parser(
        "xnli",
        help="sentence pairs -> binarized data",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--model", type=Path, required=True, help="spm.model of the pre-training data; copied to <out>")
    parser.add_argument("--dict", type=Path, required=True, help="dict.txt of the pre-training data; copied to <out>")
    parser.add_argument("--lang", required=True, help="ISO 639-1 code of the language, in the names of its subsets")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the pairs of all languages")
    for split in SPLITS:
        parser.add_argument(
            f"--{split}",
            type=Path,
            nargs="+",
            metavar="FILE",
            help=f"TSV or JSONL, plain or .gz, .bz2, .xz; Parquet, or a folder of a dataset; without it no {split}",
        )
    parser.add_argument("--tokenized", action="store_true", help="words are separated by spaces already")
    parser.add_argument(
        "--max-tokens",
        type=int,
        default=512,
        help="most tokens of a pair, with <s> and </s>; the longer sentence of a longer pair is cut at its end, "
        "and such pairs are counted (default: %(default)s)",
    )
    parser.set_defaults(func=binarize)


def binarize(args) -> None:
    files = {split: getattr(args, split) for split in SPLITS if getattr(args, split)}
    if not files:
        raise InputError("found no file, expected --train, --valid or --test; name at least one")
    if args.max_tokens < 8:
        raise InputError(f"found --max-tokens {args.max_tokens}, expected at least 8; four of them are specials")
    for path in itertools.chain.from_iterable(files.values()):
        check_exists(path)
    processor = subword.load(args.model)
    dictionary = vocabulary.load(args.dict)
    subword.check_vocabulary(processor, dictionary, args.dict)
    labels = vocabulary.of_symbols(nli.LABELS)
    vocabulary.install(dictionary, args.out / "input0" / "dict.txt", str(args.dict))
    subword.install(args.model, args.out)
    vocabulary.install(labels, args.out / "label" / "dict.txt", "XNLI")
    encode = TextEncoder(processor, dictionary, args.lang, args.tokenized)
    for split, paths in files.items():
        left_out = Counter()
        pairs = itertools.chain.from_iterable(nli.read(path, args.lang, left_out) for path in paths)
        with progress(f"{args.lang} {split}", "pairs") as bar:
            counts = nli.binarize(pairs, args.out, f"{split}_{args.lang}", encode, labels, args.max_tokens, bar)
        unknown = 100 * counts["unknown"] / max(counts["tokens"], 1)
        print(
            f"{args.lang} {split}: {counts['pairs']:,} pairs, {counts['tokens']:,} tokens, {unknown:.3f} % <unk>, "
            f"{counts['shortened']:,} shortened; left out: {left_out['no_consensus']:,} without consensus, "
            f"{left_out['other']:,} of other languages"
        )
