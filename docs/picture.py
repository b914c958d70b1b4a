#!/usr/bin/env python3
"""Draw the README's picture from the table of docs/results.md: zero-shot tagging of three derived languages.

python docs/picture.py              writes docs/images/zero-shot.svg
"""

import argparse
import re
from pathlib import Path

import matplotlib

DOCS = Path(__file__).parent
HEADING = "### Four objectives, three derivations"
LANGUAGES = {  # derivations of the table, as the picture names them
    "trans": "another script",
    "trans + inv": "and every sentence\nin reverse",
    "trans + syn": "and the word order of\nFrench and Turkish",
}
COLOURS = {"MLM": "#666666", "DICT-MLM": "#E69F00", "ALIGN-MLM": "#D55E00"}  # Okabe and Ito


def scores(page: Path) -> dict[tuple[str, str], tuple[float, float]]:
    """B_S and B_Z by derivation and objective: tuned on the derived language, and on English; accuracy in %."""
    lines = page.read_text(encoding="utf-8").split(HEADING)[1].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| trans")]
    values = {(row[0], row[1]): tuple(float(re.match(r"[\d.]+", cell)[0]) for cell in row[3:5]) for row in rows}
    missing = {(language, objective) for language in LANGUAGES for objective in COLOURS} - values.keys()
    if missing:
        raise ValueError(f"{page}: found no row of {sorted(missing)} under {HEADING!r}, expected all of the picture")
    return values


def draw(values: dict[tuple[str, str], tuple[float, float]], path: Path) -> None:
    """Bars of B_Z in a group for each derivation, a tick at B_S."""
    from matplotlib.figure import Figure

    style = {"svg.fonttype": "none", "svg.hashsalt": "fairseq_align", "font.size": 13, "font.family": "sans-serif"}
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(9, 4.2), facecolor="white", layout="constrained")
        axes = figure.add_subplot()
        width = 0.8 / len(COLOURS)
        for number, (objective, colour) in enumerate(COLOURS.items()):
            at = [group + (number - (len(COLOURS) - 1) / 2) * width for group in range(len(LANGUAGES))]
            supervised, zero_shot = zip(*(values[language, objective] for language in LANGUAGES), strict=True)
            bars = axes.bar(at, zero_shot, 0.9 * width, color=colour, label=objective)
            axes.bar_label(bars, fmt="%.1f", padding=2, fontsize=11)
            label = "tuned on that language itself" if number == 0 else None
            axes.hlines(
                supervised, [x - 0.45 * width for x in at], [x + 0.45 * width for x in at], "black", label=label
            )
        axes.set_xticks(range(len(LANGUAGES)), LANGUAGES.values())
        axes.set_ylim(0, 100)
        axes.set_ylabel("zero-shot POS accuracy, %")
        axes.set_title("English, turned into a language of …", loc="left", fontsize=13)
        axes.spines[["top", "right"]].set_visible(False)
        figure.legend(
            loc="outside upper center",
            ncols=len(COLOURS) + 1,
            frameon=False,
            fontsize=11,
            handlelength=1.2,
            columnspacing=1.2,
        )
        figure.savefig(path, format="svg", metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=DOCS / "images" / "zero-shot.svg", help="file to write")
    args = parser.parse_args()
    args.out.parent.mkdir(parents=True, exist_ok=True)
    draw(scores(DOCS / "results.md"), args.out)


if __name__ == "__main__":
    main()
