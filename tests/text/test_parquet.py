"""Tables in Parquet and Arrow, and folders of Hugging Face's datasets, as text and as pairs of sentences."""

import json
from collections import Counter

import pytest

from fairseq_align.downstream import nli
from fairseq_align.errors import InputError
from fairseq_align.text import corpus, parquet

arrow = pytest.importorskip("pyarrow")

NAMES = ["entailment", "neutral", "contradiction"]
ROWS = [
    {"premise": "A dog runs.", "hypothesis": "It moves.", "label": 0},
    {"premise": "A cat sits.", "hypothesis": "It is old.", "label": 1},
    {"premise": "It rains.", "hypothesis": "It is dry.", "label": 2},
    {"premise": "x", "hypothesis": "y", "label": -1},
]
PAIRS = [nli.Pair(row["premise"], row["hypothesis"], name) for row, name in zip(ROWS, NAMES, strict=False)]


def table(rows, names=None):
    """A table as datasets makes them, with the names of its classes in the schema."""
    made = arrow.Table.from_pylist(rows)
    features = {"label": {"names": names, "_type": "ClassLabel"}} if names else {}
    return made.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})


def write_parquet(path, made):
    path.parent.mkdir(parents=True, exist_ok=True)
    pytest.importorskip("pyarrow.parquet").write_table(made, path, row_group_size=2)
    return path


def save_to_disk(folder, *tables):
    """The files of ``Dataset.save_to_disk``: Arrow streams, and their names in their order."""
    folder.mkdir(parents=True)
    names = [f"data-{number:05}-of-{len(tables):05}.arrow" for number, _ in enumerate(tables)]
    for name, made in zip(names, tables, strict=True):
        with arrow.OSFile(str(folder / name), "wb") as file, arrow.ipc.new_stream(file, made.schema) as out:
            out.write_table(made, max_chunksize=2)
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": name} for name in names]}))
    (folder / "dataset_info.json").write_text("{}")
    return folder


def layouts(tmp_path, rows, names=None):
    yield write_parquet(tmp_path / "a.parquet", table(rows, names))
    for part in range(2):
        write_parquet(tmp_path / "hub" / f"train-0000{part}-of-00002.parquet", table(rows[2 * part :][:2], names))
    yield tmp_path / "hub"
    yield save_to_disk(tmp_path / "saved" / "train", table(rows[:3], names), table(rows[3:], names))
    yield tmp_path / "saved" / "train" / "data-00000-of-00002.arrow"


@pytest.mark.parametrize("names", [NAMES, NAMES[::-1], None])
def test_pairs_of_sentences(tmp_path, names):
    """Numbers mean what the schema says, and without it what they mean in xnli, multi_nli and snli."""
    wanted = [pair._replace(label=(names or NAMES)[number]) for number, pair in enumerate(PAIRS)]
    *whole, part = layouts(tmp_path, ROWS, names)
    for path in whole:
        counts = Counter()
        assert list(nli.read(path, "en", counts)) == wanted and counts == {"no_consensus": 1}
    assert list(nli.read(part, "en", Counter())) == wanted


def test_all_languages_in_a_cell(tmp_path):
    """As the configuration all_languages of xnli has them."""
    rows = [
        {
            "premise": {"en": pair.premise, "fr": pair.premise.upper()},
            "hypothesis": {"language": ["en", "fr"], "translation": [pair.hypothesis, pair.hypothesis.upper()]},
            "label": NAMES.index(pair.label),
        }
        for pair in PAIRS
    ]
    path = write_parquet(tmp_path / "a.parquet", table(rows, NAMES))
    assert list(nli.read(path, "en", Counter())) == PAIRS
    french = [nli.Pair(pair.premise.upper(), pair.hypothesis.upper(), pair.label) for pair in PAIRS]
    assert list(nli.read(path, "fr", Counter())) == french
    with pytest.raises(InputError, match="a.parquet: found languages en fr, expected pairs of de; check --lang"):
        list(nli.read(path, "de", Counter()))


def test_a_corpus_of_tables(tmp_path):
    """Cells may hold several lines, or nothing; the splits are those of the same text in a file."""
    rows = [{"text": "One sentence. Another one.\nA line."}, {"text": None}, {"text": ""}, {"text": "Last."}]
    (tmp_path / "a.txt").write_text("One sentence. Another one.\nA line.\n\n\nLast.\n")
    cleaning, plain = corpus.Cleaning("en"), tmp_path / "plain"
    counts = corpus.build([(tmp_path / "a.txt", False)], plain, cleaning, 1, 1, 1)
    for number, path in enumerate([*layouts(tmp_path, rows)][:3]):
        out = tmp_path / str(number)
        assert corpus.build([(path, False)], out, cleaning, 1, 1, 1) == counts
        assert all((out / file.name).read_bytes() == file.read_bytes() for file in plain.iterdir())
    other = write_parquet(tmp_path / "b.parquet", table([{"body": "One sentence."}, {"body": "Two."}]))
    assert list(parquet.texts(other, "body")) == ["One sentence.", "Two."]


def test_what_is_wrong_with_a_table_is_said_in_one_line(tmp_path):
    path = write_parquet(tmp_path / "a.parquet", table(ROWS))
    (tmp_path / "bad.parquet").write_bytes(path.read_bytes()[:-9])
    (tmp_path / "bad.arrow").write_bytes(b"no table")
    write_parquet(tmp_path / "two" / "test-00000-of-00001.parquet", table(ROWS))
    write_parquet(tmp_path / "two" / "train-00000-of-00001.parquet", table(ROWS))
    save_to_disk(tmp_path / "dict" / "train", table(ROWS))
    (tmp_path / "empty").mkdir()
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "state.json").write_text("[]")
    for name, message in [
        (
            "a.parquet",
            "a.parquet: found columns premise, hypothesis, label, expected text; name another",
        ),
        ("bad.parquet", "bad.parquet: found .*, expected a .parquet; get it again"),
        ("bad.arrow", "bad.arrow: found .*, expected a .arrow; get it again"),
        ("no.parquet", "no.parquet: found .*No such file.*, expected a .parquet"),
        ("two", "two: found tables test, train, expected one; name the files of one of them"),
        ("dict", "dict: found folders train, expected .parquet or .arrow files; name a folder of some"),
        ("empty", "empty: found no table, expected .parquet or .arrow files"),
        ("state", "state/state.json: found .*, expected a dataset's; save it again"),
    ]:
        with pytest.raises(InputError, match=message) as error:
            list(parquet.texts(tmp_path / name))
        assert "\n" not in str(error.value)
    with pytest.raises(InputError, match="a.parquet:1: found 0 in column label, expected text; name another one"):
        list(parquet.texts(path, "label"))
    path = write_parquet(path, table([{"premise": "a", "hypothesis": "b"}]))
    with pytest.raises(InputError, match="a.parquet:1: found no label, expected gold_label or label"):
        list(nli.read(path, "en", Counter()))
