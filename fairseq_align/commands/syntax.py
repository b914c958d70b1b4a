"""Give sentences the word order of another language: learn it from a treebank, apply it to trees, compare.

    fairseq-align syntax learn --treebank fr.conllu --output fr.order.json
    fairseq-align syntax apply --nouns fr.order.json --verbs hi.order.json --input en.conllu \\
        --output en-syn.conllu --text en-syn.txt
    fairseq-align syntax compare --source en.conllu --result en-syn.conllu --target fr.conllu

Files are CoNLL-U with dependency trees, plain or packed: treebanks of Universal Dependencies, or what a parser wrote.
"""

import argparse
import json
from collections.abc import Iterable
from contextlib import ExitStack
from itertools import zip_longest
from pathlib import Path

from fairseq_align.commands.progress import progress
from fairseq_align.derivation import syntax, typology, word_order
from fairseq_align.downstream import conllu
from fairseq_align.errors import InputError
from fairseq_align.files import check_exists, read_lines, writing


def add_parser(subparsers) -> None:
    """Add the command ``syntax`` to ``fairseq-align``."""
    parser = subparsers.add_parser(
        "syntax",
        help="trees in the word order of another language",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="learn|apply|compare")

    learn = commands.add_parser("learn", help="treebank -> word order of its nouns, its verbs and its other words")
    learn.add_argument("--treebank", type=Path, nargs="+", required=True, metavar="FILE", help="trees of one language")
    learn.add_argument("--output", type=Path, required=True, metavar="JSON", help="file to write")
    learn.add_argument(
        "--l2",
        type=float,
        default=2.0,
        help="penalty on squared weights, in nats; > 0, small: none (default: %(default)s)",
    )
    learn.set_defaults(func=run_learn)

    apply = commands.add_parser("apply", help="trees -> the same trees in another order")
    for name in syntax.HEADS:
        tags = ", ".join(syntax.HEADS[name]) if name != "others" else "all other words"
        apply.add_argument(f"--{name}", type=Path, metavar="JSON", help=f"order of {tags}; without it theirs stays")
    files = {"type": Path, "nargs": "+", "metavar": "FILE"}
    apply.add_argument("--input", required=True, help="trees to reorder", **files)
    apply.add_argument("--output", help="CoNLL-U to write, a file for each input", **files)
    apply.add_argument("--text", help="words in the new order to write, one sentence a line, a file for each", **files)
    apply.add_argument(
        "--like", help="text whose lines the trees must be of, a file for each: --text is parallel to it", **files
    )
    how = apply.add_mutually_exclusive_group()
    how.add_argument("--map", action="store_true", help="the best order of each head instead of a sampled one")
    how.add_argument(
        "--seed", type=int, default=1, help="of the sample, which depends on it and the sentence (default: %(default)s)"
    )
    apply.add_argument(
        "--keep",
        type=float,
        default=word_order.KEEP,
        help="log odds by which two words prefer their old order, in nats; 0: none (default: %(default)s)",
    )
    apply.set_defaults(func=run_apply)

    compare = commands.add_parser("compare", help="word-order statistics before and after, beside the target's")
    compare.add_argument("--source", type=Path, required=True, metavar="FILE", help="trees before reordering")
    compare.add_argument("--result", type=Path, required=True, metavar="FILE", help="trees after it")
    compare.add_argument("--target", type=Path, required=True, metavar="FILE", help="trees of the language aimed at")
    compare.add_argument(
        "--minimum", type=int, default=50, help="occurrences in source and target to count (default: %(default)s)"
    )
    compare.add_argument("--subtypes", action="store_true", help="keep nmod and nmod:poss apart")
    compare.add_argument("--json", type=Path, metavar="FILE", help="file to write all statistics to")
    compare.set_defaults(func=run_compare)


def check_all_exist(paths: Iterable[Path]) -> None:
    for path in paths:
        check_exists(path)


def sentences(path: Path):
    """Sentences of a file, with a progress bar on a terminal."""
    with progress(path, "sentences") as bar:
        for sentence in conllu.read(path):
            bar()
            yield sentence


def trees(*paths: Path):
    """Trees of files."""
    for path in paths:
        for sentence in sentences(path):
            yield syntax.tree(sentence)


def run_learn(args) -> None:
    if args.l2 <= 0:
        raise InputError(f"--l2: found {args.l2:g}, expected more than 0; leave it out for the default")
    check_all_exist(args.treebank)
    orders = syntax.learn(trees(*args.treebank), args.l2)
    word_order.save(orders, args.output, treebank=[path.name for path in args.treebank], l2=args.l2)
    for name, order in orders.items():
        weights = sum(len(row) for rows in order.weights.values() for row in rows.values())
        print(
            f"{args.output}: {name}: {order.heads:,} heads ({order.skipped:,} with more than {word_order.EXACT} "
            f"dependents left out), {weights:,} weights"
        )


def run_apply(args) -> None:
    order_paths = {name: getattr(args, name) for name in syntax.HEADS if getattr(args, name)}
    if args.keep < 0:
        raise InputError(f"--keep: found {args.keep:g}, expected 0 or more; leave it out for the default")
    if not order_paths:
        raise InputError("found no word order, expected --nouns, --verbs or --others; write one with learn")
    if not args.output and not args.text:
        raise InputError("found no file to write, expected --output for trees, --text for words, or both; name a file")
    for name in ("output", "text", "like"):
        paths = getattr(args, name) or [None] * len(args.input)
        if len(paths) != len(args.input):
            raise InputError(f"--{name}: found {len(paths)} files, expected {len(args.input)}; name one for each input")
        setattr(args, name, paths)
    orders = {name: word_order.load(path, name) for name, path in order_paths.items()}
    check_all_exist(args.input)
    check_all_exist(filter(None, args.like))
    for files in zip(args.input, args.output, args.text, args.like, strict=True):
        reorder(*files, orders, None if args.map else args.seed, args.keep)


def reorder(source: Path, output: Path | None, text: Path | None, like: Path | None, *how) -> None:
    """Reorder one file; ``how``: orders, seed and keep."""
    trees_in = checked(sentences(source), like) if like else sentences(source)
    count = projective = moved = 0
    with ExitStack() as stack:
        trees_out, text_out = (stack.enter_context(writing(path)) if path else None for path in (output, text))
        for before, after, was_projective in syntax.apply(trees_in, *how):
            words = syntax.words(after)
            if trees_out:
                trees_out.write(after.serialize())
            if text_out:
                text_out.write(words + "\n")
            count, projective = count + 1, projective + was_projective
            moved += words != syntax.words(before)
    print(
        f"{output or text}: {count:,} sentences, {moved:,} in another order, {count - projective:,} were not projective"
    )


def checked(parsed, text: Path):
    """The parsed sentences, if their words are the lines of a text; else ``InputError``."""
    for sentence, numbered in zip_longest(parsed, read_lines(text)):
        number, line = numbered or ("end", None)
        words = sentence and syntax.words(sentence)
        if words != line:
            raise InputError(f"{text}:{number}: found {line!r}, expected the tree's {words!r}; parse the text again")
        yield sentence


def run_compare(args) -> None:
    files = {"source": args.source, "result": args.result, "target": args.target}
    check_all_exist(files.values())
    treebanks = [typology.statistics(trees(path), args.subtypes) for path in files.values()]
    report = {}
    for name in typology.Statistics._fields:
        rows = typology.compare(*(getattr(statistics, name) for statistics in treebanks), args.minimum)
        report[name] = {"summary": typology.summary(rows), "statistics": rows}
    print_report(report)
    if args.json:
        names = {name: path.name for name, path in files.items()}
        with writing(args.json) as file:
            file.write(json.dumps({**names, "minimum": args.minimum, **report}, indent=1) + "\n")


def print_report(report: dict) -> None:
    """Print each direction, then the counts of both kinds of statistics."""
    print("share of dependents before their head     source  result  target")
    for row in report["direction"]["statistics"]:
        shares = "".join(f"{100 * row[name]:8.1f}" for name in ("before", "after", "target"))
        verdict = "was there" if row["there"] else "moved towards it" if row["moved"] else "not moved towards it"
        print(f"{row['head']:6} {row['relations'][0]:32} {shares}  {verdict}")
    for name, kind in report.items():
        for group, counts in kind["summary"].items():
            share = f" ({100 * counts['moved'] / counts['away']:.0f} %)" if counts["away"] else ""
            print(
                f"{name}, {group}: {counts['statistics']} statistics, {counts['closer']} came closer; "
                f"{counts['there']} were there, "
                f"{counts['stayed']} of them stayed; {counts['moved']} of the other {counts['away']} moved towards the "
                f"target{share}, {counts['arrived']} arrived; mean distance {counts['distance_before']:.3f} -> "
                f"{counts['distance_after']:.3f}"
            )
