"""The console script ``fairseq-align``: one table of commands, each read only when it is the one to run."""

import argparse
import logging
import os
import re
import signal
import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import nullcontext, redirect_stdout
from importlib import import_module
from typing import NamedTuple

import fairseq_align
from fairseq_align import ranges
from fairseq_align.errors import INTERRUPTED, InputError, status_of


class Command(NamedTuple):
    """A line of the table; ``add_parser`` in ``module`` adds the command's parser and sets ``func``."""

    name: str
    module: str
    help: str
    add_parser: str = "add_parser"


COMMANDS = (
    Command("corpus", "fairseq_align.commands.corpus", "raw text -> sentences in train, valid and test"),
    Command("subword", "fairseq_align.commands.subword", "SentencePiece: train a model, apply it"),
    Command("parallel", "fairseq_align.commands.parallel", "tables of sentences -> parallel text"),
    Command("lexicon", "fairseq_align.commands.lexicon", "dictionaries -> pairs to train on and to score"),
    Command("derive", "fairseq_align.commands.derive", "a language in another script or order, from a binarized one"),
    Command("syntax", "fairseq_align.commands.syntax", "trees in the word order of another language"),
    Command("tagging", "fairseq_align.commands.tagging", "treebanks, named entities -> binarized data"),
    Command("xnli", "fairseq_align.commands.xnli", "sentence pairs -> binarized data"),
    Command(
        "alignment",
        "fairseq_align.evaluation.command",
        "score how well the words of two languages coincide",
        "add_alignment_parser",
    ),
    Command("evaluate", "fairseq_align.evaluation.command", "score a checkpoint on subsets", "add_evaluate_parser"),
    Command("align", "fairseq_align.alignment.command", "align the word embeddings of a checkpoint alone"),
    Command(
        "induce", "fairseq_align.evaluation.induce_command", "a dictionary of the words that are nearest to each other"
    ),
    Command("map", "fairseq_align.evaluation.map_command", "a map of the word embeddings of two languages"),
    Command("report", "fairseq_align.results.command", "tables and figures from results"),
    Command("export", "fairseq_align.huggingface.command", "a checkpoint as a Hugging Face model", "add_export_parser"),
    Command("import", "fairseq_align.huggingface.command", "XLM-R as a fairseq checkpoint", "add_import_parser"),
    Command("watch", "fairseq_align.commands.watch", "run a command, show how far its trainings are"),
    Command("completion", "fairseq_align.commands.completion", "print the completion script of a shell"),
    Command("doctor", "fairseq_align.doctor", "show what is installed and what is wrong with it"),
)


def load(command: Command):
    """The function that adds a command's parser, with the ranges of its numbers in their help."""
    add_parser = getattr(import_module(command.module), command.add_parser)

    def add(subparsers) -> None:
        add_parser(subparsers)
        ranges.add_to_help(subparsers.choices[command.name])

    return add


class Parser(argparse.ArgumentParser):
    """A parser that asks whether a name near to an unknown one was meant; its commands get parsers like it."""

    def error(self, message: str):
        super().error(message + hint(message, self))


def options(parser: argparse.ArgumentParser) -> Iterator[str]:
    """The flags of a parser and of its commands."""
    for action in parser._actions:
        yield from action.option_strings
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from options(command)


def hint(message: str, parser: argparse.ArgumentParser) -> str:
    """`` (did you mean ...?)`` behind a message of argparse about a name that it does not know; else nothing."""
    from difflib import get_close_matches

    if unknown := re.search(r"invalid choice: '([^']*)' \(choose from (.*)\)", message):
        known = re.findall(r"[^\s,']+", unknown[2])
    elif unknown := re.match(r"unrecognized arguments: (?:.* )??(--[^\s=]+)", message):
        known = list(options(parser))
    else:
        return ""
    near = get_close_matches(unknown[1], known, n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def add_verbosity(parser: argparse.ArgumentParser) -> None:
    """Add ``-q`` and ``-v`` to a parser and to its commands, so that they may stand anywhere."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument("-q", "--quiet", action="store_true", default=argparse.SUPPRESS, help="print errors alone")
    group.add_argument(
        "-v",
        "--verbose",
        action="store_true",
        default=argparse.SUPPRESS,
        help="print details, of errors the call stack",
    )
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                add_verbosity(command)


def parser_of(names: Collection[str]) -> Parser:
    """The parser of the program; of the commands that are not named there is only the name and a line of help."""
    parser = Parser(
        prog="fairseq-align", description="Make data for models of fairseq_align, and score and compare the models."
    )
    parser.add_argument("--version", action="version", version=f"fairseq_align {fairseq_align.__version__}")
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        if command.name in names:
            load(command)(subparsers)
        else:
            subparsers.add_parser(command.name, help=command.help)
    add_verbosity(parser)
    return parser


def whole() -> Parser:
    """The parser with everything that all commands accept."""
    return parser_of([command.name for command in COMMANDS])


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse the arguments; only the chosen command is imported."""
    parser = parser_of([argument for argument in arguments if not argument.startswith("-")][:1])
    parser.set_defaults(whole=whole)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: those after the program's name; None: those of this process, which after Ctrl-C ends by that signal,
            so that a shell's loop around it ends as well.

    Returns:
        exit status: what the command returned, 0 if nothing, 1 after an ``InputError``, whose message is shown, 130
        after Ctrl-C.
    """
    logging.basicConfig()  # before a module of fairseq asks for DEBUG, which matplotlib floods
    logging.getLogger().setLevel(logging.INFO)
    logging.getLogger("fairseq").setLevel(logging.WARNING)
    status = status_of(run, sys.argv[1:] if arguments is None else arguments)
    if status == INTERRUPTED and arguments is None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    return status


def run(arguments: Sequence[str]) -> int | None:
    """Parse the arguments and run the command.

    Raises:
        InputError: something that the command needs is not installed or does not import.
    """
    try:
        args = parse(arguments)
        ranges.check_arguments(args)
        quiet, verbose = getattr(args, "quiet", False), getattr(args, "verbose", False)
        if quiet:
            logging.getLogger().setLevel(logging.ERROR)
        if verbose:
            logging.getLogger("fairseq_align").setLevel(logging.DEBUG)
            logging.getLogger("fairseq").setLevel(logging.INFO)
        with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere) if quiet else nullcontext():
            return args.func(args)
    except (ImportError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # of a file; a library that does not load, such as one of CUDA's, has no number
        raise InputError(
            f"fairseq-align {arguments[0]}: found {error}, expected a complete installation; run fairseq-align doctor"
        ) from error


if __name__ == "__main__":
    raise SystemExit(main())
