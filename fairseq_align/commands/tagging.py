"""Binarize CoNLL-U treebanks or IOB2 files for tagging: token ids, and a label on the first subword of each word.

    fairseq-align tagging --model spm.model --dict dict.txt --lang en --out pos-bin \\
        --train en_ewt-ud-train.conllu --valid en_ewt-ud-dev.conllu --test en_ewt-ud-test.conllu
    fairseq-align tagging --task ner --model spm.model --dict dict.txt --lang en --out ner-bin \\
        --train panx-en-train.iob2.gz --valid panx-en-dev.iob2 --test panx-en-test.iob2

Writes <out>/<lang>/<split>.{bin,idx} and <split>.label.{bin,idx}, <out>/dict.txt and
<out>/label/dict.txt; copies the SentencePiece model to <out>/spm.model.
"""

import argparse
from pathlib import Path

from fairseq_align.commands.progress import progress
from fairseq_align.downstream import iob2, tagging
from fairseq_align.errors import InputError
from fairseq_align.files import check_exists
from fairseq_align.text import subword, vocabulary

SPLITS = ("train", "valid", "test")


def add_parser(subparsers) -> None:
    """Add the command ``tagging`` to ``fairseq-align``."""
    parser = subparsers.add_parser(
        "tagging",
        help="treebanks, named entities -> binarized data",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--model", type=Path, required=True, help="spm.model of the pre-training data; copied to <out>")
    parser.add_argument("--dict", type=Path, required=True, help="dict.txt of the pre-training data; copied to <out>")
    parser.add_argument("--lang", required=True, help="ISO 639-1 code of the language, the name of its folder in <out>")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder of the tagging data of all languages"
    )
    for split in SPLITS:
        parser.add_argument(
            f"--{split}", type=Path, metavar="FILE", help=f"CoNLL-U or IOB2, plain or packed; without it no {split}"
        )
    parser.add_argument(
        "--task",
        choices=tagging.TASKS,
        default="pos",
        help="pos: universal parts of speech of CoNLL-U; ner: named entities of IOB2 (default: %(default)s)",
    )
    parser.add_argument(
        "--types",
        default=",".join(tagging.ENTITY_TYPES),
        help="comma-separated types of the named entities, the same for every language (default: %(default)s)",
    )
    parser.add_argument(
        "--scheme", choices=iob2.SCHEMES, default="iob2", help="of the named entities' files (default: %(default)s)"
    )
    parser.add_argument(
        "--columns",
        metavar="WORD,TAG",
        help="of the named entities' files, from 1 (default: first and last; 2,3 if the first counts the words)",
    )
    parser.set_defaults(func=binarize)


def binarize(args) -> None:
    files = {split: getattr(args, split) for split in SPLITS if getattr(args, split)}
    if not files:
        raise InputError("found no file, expected --train, --valid or --test; name at least one")
    for path in files.values():
        check_exists(path)
    columns = iob2.parse_columns(args.columns) if args.columns else None
    if columns and args.task == "pos":
        raise InputError(
            "--columns: found them for treebanks, whose columns are fixed, expected --task ner; leave it out"
        )
    processor = subword.load(args.model)
    dictionary = vocabulary.load(args.dict)
    subword.check_vocabulary(processor, dictionary, args.dict)
    types = args.types.split(",")
    labels = tagging.label_dictionary(args.task, types)
    vocabulary.install(dictionary, args.out / "dict.txt", str(args.dict))
    subword.install(args.model, args.out)
    vocabulary.install(labels, args.out / "label" / "dict.txt", f"task {args.task}")
    for split, path in files.items():
        sentences = tagging.tagged_sentences(path, args.task, types, args.scheme, columns)
        with progress(f"{args.lang} {split}", "sentences") as bar:
            counts = tagging.binarize(sentences, args.out / args.lang / split, processor, dictionary, labels, bar)
        unknown = 100 * counts["unknown"] / max(counts["tokens"], 1)
        print(
            f"{args.lang} {split}: {counts['sentences']:,} sentences, {counts['words']:,} words, "
            f"{counts['tokens']:,} tokens, {unknown:.3f} % <unk>"
        )
