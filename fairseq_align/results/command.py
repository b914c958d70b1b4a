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
    logs: tuple[Path, ...] | None = None
    maps: tuple[Path, ...] | None = None


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
        help="folder for report.{html,md,csv,tex} and the figures as PNG and SVG",
    )
    parser.add_argument(
        "--logs",
        nargs="*",
        type=Path,
        metavar="TRAIN.log",
        help="logs of fairseq-train, --log-format simple or json, for learning curves; default: "
        "runs/*/pretrain/train.log beside the results; no name: none",
    )
    parser.add_argument(
        "--maps",
        nargs="*",
        type=Path,
        metavar="MAP.json",
        help="maps of fairseq-align map; default: map.json beside the results; no name: none",
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
    optional = (None if paths is None else tuple(paths) for paths in (args.logs, args.maps))
    request = Request(tuple(args.results), args.out, *optional)
    expected = (request.results, "a results file of JSON lines"), (request.logs, "a log of fairseq-train")
    for paths, what in (*expected, (request.maps, "a map of fairseq-align map")):
        for path in paths or ():
            files.check_exists(path, what)
    from fairseq_align.results import report

    written = report.tabulate(request.results, request.out, request.logs, request.maps)
    if not args.brief:
        print(written)  # before the figures: the tables are shown even without matplotlib
    drawn = report.draw(written, request.out)
    if args.brief:
        from fairseq_align.results.brief import brief

        print(brief(written.cells, written.tables, (*written.paths, *drawn)))
    return 0
