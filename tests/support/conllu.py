"""A small CoNLL-U file with every kind of line."""

from pathlib import Path


def row(number: str, form: str, tag: str, *others: str) -> str:
    """A line of CoNLL-U with ``others`` in the columns from XPOS on."""
    columns = [number, form, "_", tag, *others]
    return "\t".join(columns + ["_"] * (10 - len(columns)))


# "Du thé" with the multiword token du = de le, an empty node, a decomposed é and a comment between sentences
FRENCH = [
    "# sent_id = 1",
    row("1-2", "Du", "_"),
    row("1", "de", "ADP"),
    row("2", "le", "DET", "_", "Gender=Masc|Number=Sing", "3", "det"),
    row("3", "the\u0301", "NOUN"),
    row("3.1", "est", "AUX"),
    "",
    "",
    "# newpar",
    "",
    "# sent_id = 2",
    row("1", "50 000", "NUM"),
    row("2", "\u200b", "X"),
    row("3", ".", "PUNCT"),
]


def write(path: Path, lines: list[str]) -> Path:
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path
