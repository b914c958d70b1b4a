#!/usr/bin/env python3
"""Make the notebook of the page docs/python.md: the same text and the same blocks, as cells.

python docs/notebook.py            # writes docs/python.ipynb
"""

import argparse
import json
import re
from pathlib import Path

DOCS = Path(__file__).resolve().parent
BLOCK = re.compile(r"^```python\n(.*?)^```$\n?", re.MULTILINE | re.DOTALL)


def notebook(page: str) -> dict:
    """A notebook, format 4.5: a cell for each block of Python, and one for the text before it."""
    cells = []
    for number, part in enumerate(BLOCK.split(page)):
        text = part.strip("\n")
        if text:
            cells.append(cell("code" if number % 2 else "markdown", text, len(cells)))
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}


def cell(kind: str, text: str, number: int) -> dict:
    """A cell without output."""
    made = {"cell_type": kind, "id": f"cell-{number}", "metadata": {}, "source": text.splitlines(keepends=True)}
    return made | ({"execution_count": None, "outputs": []} if kind == "code" else {})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=DOCS / "python.ipynb", help="file to write (default: %(default)s)")
    args = parser.parse_args()
    made = notebook((DOCS / "python.md").read_text(encoding="utf-8"))
    args.out.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
