"""What the site has beyond the pages of this folder: tables of flags, the Python API, and files of the repository.

mkdocs calls the functions ``on_...`` (mkdocs.yml). Flags are read from the parsers themselves, so that the site shows
what the commands accept. In a page, a comment ``<!-- generated: NAME -->`` names the entry of ``GENERATED`` to put
there. Links of the repository's files work in both places: ``in_site`` changes those that lead to another page, and
leaves only the text of those to files that the site does not have.
"""

import argparse
import posixpath
import re
import sys
from collections.abc import Iterator
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]
if str(REPO) not in sys.path:
    sys.path.insert(0, str(REPO))

import fairseq_align  # noqa: E402   that of this repository

PAGES = {  # files outside docs/ that are pages
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "examples/cluster/README.md": "cluster.md",
    "examples/encoder/README.md": "encoder.md",
}
LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!\w+:)([^)#\s]*)(#[^)\s]*)?\)")
MISSING = "???"  # omegaconf's, of a field that has to be given
MARK = re.compile(r"<!-- generated: (\w+) -->")


def commands() -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """The commands of ``fairseq-align`` by name, and each of their own commands by its."""
    from fairseq_align import cli

    for command in cli.COMMANDS:
        subparsers = argparse.ArgumentParser(prog="fairseq-align").add_subparsers()
        cli.load(command)(subparsers)
        parser = subparsers.choices[command.name]
        yield f"fairseq-align {command.name}", parser
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                for name, own in action.choices.items():
                    yield f"fairseq-align {command.name} {name}", own


def training() -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Flags that the plugin gives to ``fairseq-train``: those of each dataclass that it registers."""
    import fairseq  # noqa: F401   registers the plugin
    from fairseq import registry, tasks
    from fairseq.dataclass.utils import gen_parser_from_dataclass

    registered = [("--task", tasks.TASK_DATACLASS_REGISTRY)]
    registered += [(f"--{kind}", entry["dataclass_registry"]) for kind, entry in registry.REGISTRIES.items()]
    for flag, dataclasses in registered:
        for name, dataclass in dataclasses.items():
            if dataclass is not None and dataclass.__module__.startswith("fairseq_align."):
                parser = argparse.ArgumentParser(prog="fairseq-train", add_help=False)
                gen_parser_from_dataclass(parser, dataclass())
                yield f"{flag} {name}", parser


def flags_of(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """What a parser accepts, ``--help`` and names of commands left out."""
    skipped = (argparse._HelpAction, argparse._SubParsersAction)
    return [action for action in parser._actions if not isinstance(action, skipped)]


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*").replace("_", "\\_")


def _default(action: argparse.Action) -> str:
    if action.required or action.default == MISSING:
        return "required"
    default = ",".join(action.default) if isinstance(action.default, list) else action.default
    if default is None or default is argparse.SUPPRESS or default == "" or default is False or action.nargs == 0:
        return ""
    return f"`{default}`"


def _flag(action: argparse.Action) -> str:
    """How a flag is given, or the name of an argument: its long forms, and the values or the metavar that it has."""
    names = [flag for flag in action.option_strings if flag.startswith("--")] or [action.metavar or action.dest]
    values = [] if action.nargs == 0 or not action.option_strings else [action.metavar] if action.metavar else []
    values = list(action.choices or values)
    return ", ".join(f"`{name}`" for name in names) + " " * bool(values) + ", ".join(f"`{value}`" for value in values)


def table(parser: argparse.ArgumentParser) -> str:
    """The flags of a parser: how each is given, its default, and its help."""
    actions, formatter = flags_of(parser), parser._get_formatter()
    if not actions:
        return ""
    lines = ["| flag | default | what it does |", "| --- | --- | --- |"]
    for action in actions:
        about = _cell(formatter._expand_help(action)) if action.help else ""
        lines.append(f"| {_flag(action)} | {_default(action)} | {about} |")
    return "\n".join(lines) + "\n"


def sections(parsers: Iterator[tuple[str, argparse.ArgumentParser]]) -> str:
    """A heading for each parser, what it is, and the table of its flags."""
    made = []
    for name, parser in parsers:
        first, _, rest = (parser.description or "").strip().partition("\n\n")
        example = re.match(r"(?: {4}.*\n?)+", rest)
        about = first + (f"\n\n{example[0].rstrip()}" if example else "")
        made.append(f"### `{name}`\n\n{about}\n\n{table(parser)}")
    return "\n".join(made)


def api() -> str:
    """The names of ``fairseq_align.API``, from their docstrings."""
    made = []
    for name, where in fairseq_align.API.items():
        options = f"heading: fairseq_align.{name}\n      heading_level: 2\n      toc_label: {name}"
        made.append(f"::: fairseq_align.{where}\n    options:\n      {options}\n")
    return "\n".join(made)


def modules() -> str:
    """Every module of the package, by room: its first line, and its documented members."""
    made = []
    for room in sorted(path.parent for path in (REPO / "fairseq_align").glob("*/__init__.py")):
        name = f"fairseq_align.{room.name}"
        made.append(f"## {room.name}/\n\n{_first_line(room / '__init__.py')}\n")
        for path in sorted(room.glob("[!_]*.py")):
            made.append(f"::: {name}.{path.stem}\n")
    return "\n".join(made)


def _first_line(path: Path) -> str:
    import ast

    return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))).partition("\n\n")[0]


def patches() -> str:
    """The functions of fairseq that the plugin replaces."""
    from fairseq_align.training.patches import PATCHES

    lines = ["| replaced | by | because otherwise |", "| --- | --- | --- |"]
    for patch in PATCHES:
        by = f"{patch.wrapper.__module__.removeprefix('fairseq_align.training.')}.{patch.wrapper.__name__}"
        lines.append(f"| `{patch.name}` | `{by}` | {_cell(patch.why)} |")
    return "\n".join(lines)


GENERATED = {
    "patches": patches,
    "commands": lambda: sections(commands()),
    "training": lambda: sections(training()),
    "api": api,
    "modules": modules,
}


def in_site(markdown: str, path: str) -> str:
    """A file of the repository as a page of the site.

    Args:
        path: of the file, in the repository.
    """
    page = PAGES.get(path, path.removeprefix("docs/"))

    def link(match: re.Match) -> str:
        image, text, target, anchor = match[1], match[2], match[3], match[4] or ""
        if not target:
            return match[0]
        file = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
        if file in PAGES or file.startswith("docs/"):
            there = PAGES.get(file, file.removeprefix("docs/"))
            return f"{image}[{text}]({posixpath.relpath(there, posixpath.dirname(page) or '.')}{anchor})"
        return text

    return LINK.sub(link, markdown)


def on_files(files, config):
    from mkdocs.structure.files import File

    for source, page in PAGES.items():
        text = in_site((REPO / source).read_text(encoding="utf-8"), source)
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown, page, config, files):
    if page.file.src_uri not in PAGES.values():
        markdown = in_site(markdown, f"docs/{page.file.src_uri}")
    return MARK.sub(lambda match: GENERATED[match[1]](), markdown)
