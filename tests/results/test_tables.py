from hypothesis import given, settings

from fairseq_align.results import rendering, tables
from tests.results.scores import DISTINCT, alignment, cells_of, tables_of


@settings(deadline=None)
@given(DISTINCT)
def test_a_table_is_rectangular_and_padded(records):
    for lines in tables_of(cells_of(records)).values():
        assert len({len(line) for line in lines}) == 1
        assert len({len(line) for line in rendering.markdown_table(lines).split("\n")}) == 1


def test_alignment_in_detail_has_a_line_for_all_that_was_compared():
    about = {"n": 90, "oov": 10, "ties": 0}
    records = [
        alignment(0.5, **about), alignment(0.75, metric="csls_p@1", **about | {"ties": 3}),
        alignment(0.25, direction="backward", band="frequency:10-99", layer=2, mapping="procrustes", split="heldout"),
    ]  # fmt: skip
    title = "Alignment in detail"
    header, *lines = tables.detail_table(records, title)
    retrieval = ["P@1", "P@5", "P@10", "MRR"]
    metrics = [*retrieval, *(f"CSLS {name}" for name in retrieval), "cosine"]
    assert header[3:] == ["lang", "vectors", "asked", "pairs", "words", "seeds", *metrics, "n", "ties", "OOV"]
    few = [[cell for cell in line[3:] if cell != "—"] for line in lines]
    assert few == [
        ["en-x", "embeddings", "source", "seen", "all", "1", "50.0", "75.0", "90", "0–3", "10"],
        ["en-x", "layer 2, procrustes", "target", "held-out", "frequency:10-99", "1", "25.0", "1,000"],
    ]
    assert [line[header.index("CSLS P@1")] for line in lines] == ["75.0", "—"]
    header, *lines = tables.detail_table([*records, alignment(0.125, metric="spelling_p@1", **about)], title)
    assert [line[header.index("spelling P@1")] for line in lines] == ["12.5", "—"]
