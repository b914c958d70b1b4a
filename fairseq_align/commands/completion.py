"""Print a script that completes commands, flags and files in a shell.

fairseq-align completion bash > ~/.local/share/bash-completion/completions/fairseq-align
fairseq-align completion zsh > ~/.zfunc/_fairseq-align
"""

import argparse

from fairseq_align.errors import InputError

SHELLS = ("bash", "zsh", "tcsh")


def add_parser(subparsers) -> None:
    """Add the command ``completion`` to ``fairseq-align``."""
    parser = subparsers.add_parser(
        "completion",
        help="print the completion script of a shell",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("shell", choices=SHELLS, metavar="|".join(SHELLS), help="the shell that reads it")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> None:
    """Print the script of ``args.whole()``, the parser of all commands.

    Raises:
        InputError: shtab, which makes it, is not installed.
    """
    try:
        import shtab
    except ImportError as error:
        raise InputError(
            f"fairseq-align completion: found {error}, expected what the extra shell installs; run "
            "EXTRAS=shell bash install.sh"
        ) from error
    parser = args.whole()
    _complete_files(parser, shtab.FILE)
    print(shtab.complete(parser, args.shell))


def _complete_files(parser: argparse.ArgumentParser, files: dict) -> None:
    """Complete paths where an argument takes a value that is no choice; of its commands, too."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                _complete_files(command, files)
        elif action.nargs != 0 and not action.choices:
            action.complete = files
