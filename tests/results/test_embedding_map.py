import json

import pytest

from fairseq_align.errors import InputError
from fairseq_align.results import embedding_map, plots, report
from fairseq_align.results.charts import Dot, Segment
from fairseq_align.results.embedding_map import EmbeddingMap, Pair, Panel
from tests.results.scores import pos

MAP = EmbeddingMap(
    ("en", "fr"),
    "pca",
    (Pair("dog", "chien", "seen"), Pair("cat", "chat", "heldout"), Pair("<i>", "$x$", "heldout")),
    (
        Panel("MLM", ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0)), ((0.0, 2.0), (1.0, 2.0), (2.0, 2.0)), (0.1, 0.2, 0.4), 0.75),
        Panel(
            "ALIGN", ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0)), ((0.0, 0.0), (1.0, 0.5), (1.0, 1.0)), (1.0, 0.5, 0.9), None
        ),
    ),
)


def test_a_map_is_read_as_it_was_written(tmp_path):
    embedding_map.write(tmp_path / "map.json", MAP)
    assert embedding_map.read(tmp_path / "map.json") == MAP


@pytest.mark.parametrize(
    "change",
    [
        {"langs": ["en"]}, {"langs": ["en", 3]}, {"method": "tsne"}, {"pairs": []}, {"pairs": 1}, {"panels": []},
        {"pairs": [{"source": "a", "target": "b", "split": "train"}]}, {"panels": [{"name": "x"}]}, {"panels": {}},
        {"panels": [{"name": "x", "source": [[0, 0]], "target": [[0, 0]], "cosines": [1], "explained": None}]},
        {"panels": [{"name": "x", "source": [[0, 1e400]] * 3, "target": [[0, 0]] * 3, "cosines": [1] * 3,
                     "explained": None}]},
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_map_is_refused_in_one_line(tmp_path, change):
    path = tmp_path / "map.json"
    embedding_map.write(path, MAP)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(InputError, match=r"map.json: found .*, expected a map of fairseq-align map") as error:
        embedding_map.read(path)
    assert "\n" not in str(error.value) and len(str(error.value)) < 400
    (tmp_path / "results.jsonl").write_text(json.dumps(pos(0.5)) + "\n")
    with pytest.raises(InputError, match="map.json"):
        report.tabulate(tmp_path / "results.jsonl", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("text", ["", "[]", "null", "{", "[" * 100_000, '{"langs": 1}'])
def test_a_file_that_is_no_map_is_refused(tmp_path, text):
    (tmp_path / "map.json").write_text(text)
    with pytest.raises(InputError, match="map.json: found .*, expected a map"):
        embedding_map.read(tmp_path / "map.json")


def test_pairs_are_joined_by_lines_in_the_colours_of_their_languages():
    figure = plots.embeddings(MAP)
    first, second = figure.charts
    assert [(s.start, s.end) for s in second.of(Segment)] == [((0, 0), (0, 0)), ((1, 0), (1, 0.5)), ((1, 1), (1, 1))]
    assert [bool(segment.dash) for segment in first.of(Segment)] == [False, True, True]  # held-out ones are dashed
    assert {(dot.colour, dot.filled) for dot in first.of(Dot)} == {("blue", True), ("green", False)}
    assert first.of(Segment)[0].tip == "dog – chien: cosine 0.100, seen"
    assert first.note == "mean cosine 0.100 seen, 0.300 held-out; the plane has 75 % of the variance"
    assert first.x.high - first.x.low == pytest.approx(first.y.high - first.y.low)  # one scale
    written = [dot.label for dot in second.of(Dot) if dot.label]
    assert written == ["dog", "cat", "chat", "<i>"]  # a word that would hide another is left out


def test_the_report_shows_the_map_beside_the_results(tmp_path):
    embedding_map.write(tmp_path / "map.json", MAP)
    (tmp_path / "results.jsonl").write_text(json.dumps(pos(0.5)) + "\n")
    made = report.tabulate(tmp_path / "results.jsonl", tmp_path / "out")
    assert (
        made.figures[-1].name == "map"
        and "![Map of the embeddings](map.png)" in (tmp_path / "out/report.md").read_text()
    )
    page = (tmp_path / "out" / "report.html").read_text()
    assert "dog – chien: cosine 0.100, seen" in page and "&lt;i&gt;" in page and "<i>" not in page
    assert report.tabulate(tmp_path / "results.jsonl", tmp_path / "out", maps=[]).figures[-1].name == "scatter"
