"""The command ``fairseq-align report``; imports nothing heavy, so that help and missing files answer at once."""

import argparse
from dataclasses import dataclass
from pathlib import Path

from fairseq_align import files


@dataclass(frozen=True)
class Request:
    """Arguments of the command; see ``report.report``."""

    results: tuple[Path, ...]
    out: Path
    logs: tuple[Path, ...] = ()


def add_parser(subparsers) -> None:
    """Add the command ``report`` to ``fairseq-align``."""
    parser = subparsers.add_parser(
        "report",
        help="tables and figures from results",
        description="Tables and figures from results: what alignment buys in zero-shot transfer, beside the paper's "
        "figures.",
    )
    parser.add_argument("results", nargs="+", type=Path, metavar="RESULTS.jsonl", help="results files, read in order")
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder for report.{md,csv,tex,png,svg}, scatter.{png,svg} and, with --logs, curves.{png,svg}",
    )
    parser.add_argument(
        "--logs",
        nargs="+",
        type=Path,
        default=[],
        metavar="TRAIN.log",
        help="logs of fairseq-train, --log-format simple or json, for learning curves; those that differ only "
        "in a number at the end of a folder's name, the seed, share a colour; not given: no curves",
    )
    parser.add_argument(
        "--brief", action="store_true", help="print one narrow table and what it says, not all tables; default: all"
    )
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Write the report and print its tables.

    Raises:
        InputError: a file is missing, broken or holds no score, or matplotlib is not installed.
    """
    request = Request(tuple(args.results), args.out, tuple(args.logs))
    for path in request.results:
        files.check_exists(path, "a results file of JSON lines")
    for path in request.logs:
        files.check_exists(path, "a log of fairseq-train")
    from fairseq_align.results import report

    written = report.tabulate(request.results, request.out, request.logs)
    if not args.brief:
        print(written)  # before the figures: the tables are shown even without matplotlib
    drawn = report.draw(written, request.out)
    if args.brief:
        from fairseq_align.results.brief import brief

        print(brief(written.cells, written.tables, (*written.paths, *drawn)))
    return 0
