"""The console script ``fairseq-align``: one table of commands, each read only when it is the one to run."""

import argparse
import logging
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NamedTuple

import fairseq_align
from fairseq_align import ranges
from fairseq_align.errors import InputError, status_of


class Command(NamedTuple):
    """A line of the table; ``add_parser`` in ``module`` adds the command's parser and sets ``func``."""

    name: str
    module: str
    help: str
    add_parser: str = "add_parser"


COMMANDS = (
    Command(
        "alignment",
        "fairseq_align.evaluation.command",
        "score how well the words of two languages coincide",
        "add_alignment_parser",
    ),
    Command("evaluate", "fairseq_align.evaluation.command", "score a checkpoint on subsets", "add_evaluate_parser"),
    Command("align", "fairseq_align.alignment.command", "align the word embeddings of a checkpoint alone"),
    Command("map", "fairseq_align.evaluation.map_command", "a map of the word embeddings of two languages"),
    Command("report", "fairseq_align.results.command", "tables and figures from results"),
    Command("export", "fairseq_align.huggingface.command", "a checkpoint as a Hugging Face model", "add_export_parser"),
    Command("import", "fairseq_align.huggingface.command", "XLM-R as a fairseq checkpoint", "add_import_parser"),
    Command("doctor", "fairseq_align.doctor", "show what is installed and what is wrong with it"),
)


def load(command: Command):
    """The function that adds a command's parser, with the ranges of its numbers in their help."""
    add_parser = getattr(import_module(command.module), command.add_parser)

    def add(subparsers) -> None:
        add_parser(subparsers)
        ranges.add_to_help(subparsers.choices[command.name])

    return add


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse the arguments; only the chosen command is imported, the others are names with a line of help."""
    parser = argparse.ArgumentParser(prog="fairseq-align", description="Score and compare models of fairseq_align.")
    parser.add_argument("--version", action="version", version=f"fairseq_align {fairseq_align.__version__}")
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    chosen = next((argument for argument in arguments if not argument.startswith("-")), None)
    for command in COMMANDS:
        if command.name == chosen:
            load(command)(subparsers)
        else:
            subparsers.add_parser(command.name, help=command.help)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: those after the program's name; None: those of this process.

    Returns:
        exit status: what the command returned, 0 if nothing, 1 after an ``InputError``, whose message is shown.
    """
    logging.basicConfig()  # before a module of fairseq asks for DEBUG, which matplotlib floods
    logging.getLogger().setLevel(logging.INFO)
    logging.getLogger("fairseq").setLevel(logging.WARNING)
    return status_of(run, sys.argv[1:] if arguments is None else arguments)


def run(arguments: Sequence[str]) -> int | None:
    """Parse the arguments and run the command.

    Raises:
        InputError: something that the command needs is not installed or does not import.
    """
    try:
        args = parse(arguments)
        ranges.check_arguments(args)
        return args.func(args)
    except (ImportError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # of a file; a library that does not load, such as one of CUDA's, has no number
        raise InputError(
            f"fairseq-align {arguments[0]}: found {error}, expected a complete installation; run fairseq-align doctor"
        ) from error


if __name__ == "__main__":
    raise SystemExit(main())
