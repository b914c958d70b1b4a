import csv

import pytest

from fairseq_align.results import rendering
from tests.results.scores import STUDY, cells_of, table_of


def test_markdown_reads_well_raw():
    assert rendering.markdown_table(table_of(STUDY[:3])) == (
        "| objective | lexicon | seeds | POS zero-shot |\n"
        "| --------- | ------: | ----: | ------------: |\n"
        "| ALIGN-MLM |    50 % |     3 |    44.0 ± 4.0 |\n"
        "| n         |         |       |         1,000 |"
    )


def test_csv_holds_unrounded_cells():
    lines = list(csv.DictReader(rendering.to_csv(cells_of(STUDY)).splitlines()))
    assert lines[0] == {
        "derivation": "transliterate+invert", "objective": "mlm", "lexicon_rate": "", "variant": "",
        "score": "POS zero-shot", "split": "test", "lang": "", "mean": "0.089", "sd": "", "seeds": "1", "n": "1000",
    }  # fmt: skip
    (zero_shot,) = (line for line in lines if line["score"] == "POS zero-shot" and line["objective"] == "align_mlm")
    assert float(zero_shot["mean"]) == pytest.approx(0.44) and float(zero_shot["sd"]) == pytest.approx(0.04)
    assert zero_shot["seeds"] == "0 1 2" and zero_shot["n"] == "1000 1000 1000"


def test_latex_has_the_table_with_its_characters_escaped():
    text = rendering.latex_table("A & B", [["objective", "seeds"], ["a_b", "5 %"], ["—", "1 ± 2"]])
    assert r"\caption{A \& B}" in text and r"\begin{tabular}{lr}" in text
    assert "a\\_b & 5 \\% \\\\" in text and r"-- & 1 $\pm$ 2 \\" in text
