"""Tables as Markdown and LaTeX, cells as CSV."""

import csv
import io
import re
from collections.abc import Mapping, Sequence

from fairseq_align.results.aggregate import Cells, Row
from fairseq_align.results.tables import NAMES, Table


def markdown_table(lines: Table) -> str:
    """A Markdown table whose columns are padded to read well raw; names to the left, numbers to the right.

    Example:
        >>> print(markdown_table([["objective", "seeds"], ["MLM", "3"]]))
        | objective | seeds |
        | --------- | ----: |
        | MLM       |     3 |
    """
    left = {i for i, title in enumerate(lines[0]) if title in NAMES}
    lines = [list(map(markdown_text, line)) for line in lines]
    widths = [max(3, *(len(line[i]) for line in lines)) for i in range(len(lines[0]))]

    def padded(line: Sequence[str]) -> str:
        cells = (cell.ljust(widths[i]) if i in left else cell.rjust(widths[i]) for i, cell in enumerate(line))
        return f"| {' | '.join(cells)} |"

    rule = ["-" * w if i in left else "-" * (w - 1) + ":" for i, w in enumerate(widths)]
    return "\n".join([padded(lines[0]), padded(rule), *map(padded, lines[1:])])


def markdown_text(text: str) -> str:
    """A cell whose characters mean themselves: no HTML, links, code, or emphasis around words.

    Example:
        >>> print(markdown_text("fr_ca <b> *w*"))
        fr_ca &lt;b> \\*w\\*
    """
    text = re.sub(r"([\\`*|]|\](?=[(\[:])|~~|\b_(?!\w)|(?<!\w)_)", r"\\\1", text)
    return re.sub(r"&(?=[#\w]+;)", "&amp;", text).replace("<", "&lt;")


LATEX = str.maketrans(
    {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "`": r"\textasciigrave{}"}
    | {"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}"}
    | {"±": r"$\pm$", "−": "$-$", "—": "--", "–": "--"}
    | {special: "\\" + special for special in "_%&#${}"}
)


def latex_table(title: str, lines: Table) -> str:
    """A table for LaTeX with the package booktabs."""
    columns = "".join("l" if name in NAMES else "r" for name in lines[0])
    header, *body = (" & ".join(map(_latex, line)) + r" \\" for line in lines)
    rows = [r"\begin{table}", r"\centering", rf"\caption{{{_latex(title)}}}", rf"\begin{{tabular}}{{{columns}}}"]
    rows += [r"\toprule", header, r"\midrule", *body, r"\bottomrule", r"\end{tabular}", r"\end{table}"]
    return "\n".join(rows)


def _latex(text: str) -> str:
    """A shown cell in LaTeX's characters."""
    return text.translate(LATEX)


def to_latex(tables: Mapping[str, Table]) -> str:
    """The whole report.tex, to be read by ``\\input``, from tables by title."""
    parts = [latex_table(title, lines) for title, lines in tables.items()]
    return "% needs \\usepackage{booktabs}\n" + "\n\n".join(parts) + "\n"


def to_csv(cells: Cells) -> str:
    """The whole report.csv: one line a cell, values unrounded fractions or nats, empty where there is none.

    ``lang`` is empty for the mean over languages, ``n`` the items of each seed, in the order of ``seeds``.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*Row._fields, "score", "split", "lang", "mean", "sd", "seeds", "n"])
    for (row, lang, column), cell in cells.items():
        writer.writerow([
            *row, column.kind, column.split, lang, cell.mean, cell.spread,
            " ".join(map(str, cell.seeds)), " ".join(map(str, cell.n)),
        ])  # fmt: skip
    return out.getvalue()
