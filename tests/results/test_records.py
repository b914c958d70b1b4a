import json
import resource
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairseq_align.errors import InputError
from fairseq_align.results import records as results
from tests.stress import runs

RECORD = {
    "task": "pos", "metric": "accuracy", "value": 0.612, "n": 25094, "lang": "en-x", "source_lang": "en",
    "split": "test", "seed": 1, "objective": "align_mlm", "derivation": "transliterate+invert", "lexicon_rate": 0.5,
    "freeze_embeddings": True, "checkpoint": "1f3a9c000000", "lexicon": "0123456789ab",
    "versions": {"fairseq_align": "0.1.0", "torch": "2.13.0", "fairseq": "0.12.3.1"},
    "date": "2025-11-22T15:00:00+00:00",
}  # fmt: skip
ALIGNMENT = RECORD | {"task": "alignment", "metric": "cos", "split": "heldout", "freeze_embeddings": None}


def test_what_is_appended_is_read_back_in_order(tmp_path):
    path = tmp_path / "runs" / "results.jsonl"
    records = [RECORD, ALIGNMENT, RECORD | {"seed": 2, "lang": "日本語"}]
    for record in records:
        results.append(path, record)
    assert results.read(path) == records
    assert results.read(path, path) == records * 2


@settings(max_examples=30, deadline=None)
@given(st.text(st.characters(codec="utf-8")), st.floats(0, 1))
def test_a_name_is_refused_or_comes_back_whole(tmp_path_factory, lang, value):
    path = tmp_path_factory.mktemp("name") / "results.jsonl"
    try:
        results.append(path, RECORD | {"lang": lang, "value": value})
    except InputError:
        assert not path.exists()
        assert lang == "" or "|" in lang or any(map(str.isspace, lang)) or not lang.isprintable() or len(lang) > 200
    else:
        assert results.read(path) == [RECORD | {"lang": lang, "value": value}]


def test_signature_holds_all_that_repeats_the_score():
    assert results.signature(RECORD) == (
        "pos accuracy 61.2 | lang:en-x | source_lang:en | split:test | n:25094 | seed:1 | objective:align_mlm | "
        "derivation:transliterate+invert | lexicon_rate:0.5 | freeze_embeddings:true | checkpoint:1f3a9c000000 | "
        "lexicon:0123456789ab | fairseq_align:0.1.0 | torch:2.13.0 | fairseq:0.12.3.1"
    )


@pytest.mark.parametrize(
    ("record", "begins"),
    [
        (ALIGNMENT | {"value": -0.0004}, "alignment cos 0.000 | "),  # no minus zero
        (ALIGNMENT | {"metric": "p@1", "value": 1}, "alignment p@1 100.0 | "),
        (ALIGNMENT | {"task": "mlm", "metric": "loss", "split": "valid", "value": 4.906}, "mlm loss 4.91 | "),
    ],
)
def test_signature_shows_a_value_in_its_unit(record, begins):
    assert results.signature(record).startswith(begins)


def test_signature_leaves_out_nulls_and_the_date():
    signature = results.signature(ALIGNMENT | {"lexicon": None, "lexicon_rate": None})
    assert "lexicon" not in signature and "freeze" not in signature and "2025" not in signature


def test_the_last_record_of_a_key_counts():
    again = RECORD | {"value": 0.7, "date": "2026-01-01", "versions": RECORD["versions"] | {"torch": "2.14.0"}}
    other = RECORD | {"seed": 2}
    assert results.latest([RECORD, other, again]) == [other, again]


def test_checksum_is_the_begin_of_sha256(tmp_path):
    (tmp_path / "abc").write_bytes(b"abc")  # FIPS 180-2, example B.1: ba7816bf 8f01cfea ...
    assert results.checksum(tmp_path / "abc") == "ba7816bf8f01"
    with pytest.raises(InputError, match="none: found No such file or directory, expected a file"):
        results.checksum(tmp_path / "none")


def test_versions_and_date_make_a_valid_record(tmp_path):
    results.append(tmp_path / "results.jsonl", RECORD | {"versions": results.versions(), "date": results.now()})
    assert datetime.fromisoformat(results.now()).utcoffset().total_seconds() == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"value": 61.2}, "found pos accuracy 61.2, expected a value in .0, 1.; give fractions, not percent"),
        ({"value": float("nan")}, "found value nan, expected a finite number"),
        ({"value": True}, "found value True, expected a finite number"),
        ({"n": 0}, "found n 0, expected the number of items scored, at least 1"),
        ({"seed": "1"}, "found seed '1', expected an integer, at least 0"),
        ({"lang": "a | b"}, "found lang 'a . b', expected a name without spaces"),
        ({"objective": "xlm"}, "found objective 'xlm', expected one of mlm, tlm, dict_mlm, align_mlm"),
        (
            {"task": ["pos"]},
            r"found task \['pos'\], expected one of alignment, induction, xnli, ner, pos, retrieval, mlm",
        ),
        ({"metric": "cos"}, "found metric 'cos' of task 'pos', expected one of accuracy"),
        ({"split": "seen"}, "found pos accuracy on split 'seen', expected one of test, valid"),
        ({"lexicon_rate": 50}, r"found lexicon_rate 50, expected a fraction in \[0, 1\] or null"),
        ({"freeze_embeddings": 1}, "found freeze_embeddings 1, expected true, false or null"),
        ({"freeze_embeddings": None}, "found freeze_embeddings null, expected a value for task 'pos'; say how"),
        ({"checkpoint": "1f3a9c"}, "found checkpoint '1f3a9c', expected the first 12 hexadecimal digits"),
        ({"versions": {"torch": "2"}}, "expected an object of strings with fairseq_align, torch and fairseq"),
        ({"date": "yesterday"}, "found date 'yesterday', expected an ISO 8601 date"),
        ({"overlap": 0.5}, "found unknown field 'overlap', expected the fields task, metric, value"),
    ],
)
def test_an_invalid_score_is_refused_and_nothing_is_written(tmp_path, change, message):
    path = tmp_path / "results.jsonl"
    with pytest.raises(InputError, match=f"results.jsonl: .*{message}"):
        results.append(path, RECORD | change)
    assert not path.exists()


def test_a_missing_field_is_named(tmp_path):
    path = tmp_path / "results.jsonl"
    path.write_text(json.dumps({name: value for name, value in RECORD.items() if name != "seed"}) + "\n")
    with pytest.raises(InputError, match="results.jsonl:1: found no field 'seed', expected the fields"):
        results.read(path)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"pos accuracy 61.2\n", "results.jsonl:3: found Expecting value.*, expected one JSON object a line; mend or"),
        (b"[1, 2]\n", r"results.jsonl:3: found \[1, 2\], expected an object with the fields of a score"),
        (b'{"lang": "\xff"}\n', "results.jsonl:3: found 'utf-8' codec can't decode"),
        (b'{"task": "pos", "met', "results.jsonl:3: found a last line that breaks off after 20 bytes.*delete the line"),
    ],
)
def test_a_broken_line_is_named_with_its_number(tmp_path, line, message):
    path = tmp_path / "results.jsonl"
    results.append(path, RECORD)
    path.write_bytes(path.read_bytes() + b"\n" + line)  # an empty line is skipped and counted
    with pytest.raises(InputError, match=message):
        results.read(path)


def test_a_score_after_a_torn_line_is_not_lost(tmp_path):
    path = tmp_path / "results.jsonl"
    path.write_bytes(b'{"task": "pos", "met')
    results.append(path, RECORD)
    with pytest.raises(InputError, match="results.jsonl:1"):
        results.read(path)
    path.write_bytes(path.read_bytes().split(b"\n", 1)[1])  # what the user is told to do
    assert results.read(path) == [RECORD]


def test_a_last_line_without_line_end_is_read_when_it_is_whole(tmp_path):
    path = tmp_path / "results.jsonl"
    path.write_text(json.dumps(RECORD))
    assert results.read(path) == [RECORD]


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match="none.jsonl: found No such file or directory, expected a results file"):
        results.read(tmp_path / "none.jsonl")


@pytest.mark.forks
def test_processes_that_append_at_once_keep_every_line_whole(tmp_path):
    path = tmp_path / "results.jsonl"

    versions = RECORD["versions"] | {f"package-{number}": "1" * 100 for number in range(90)}  # longer than a page

    def append(seeds) -> None:
        for seed in seeds:
            results.append(path, RECORD | {"seed": seed, "versions": versions})

    writers = [runs.fork(lambda seeds=range(i, 100, 4): append(seeds), tmp_path / "log") for i in range(4)]
    assert [runs.end(writer) for writer in writers] == [0] * 4, (tmp_path / "log").read_text()
    assert sorted(record["seed"] for record in results.read(path)) == list(range(100))


@pytest.mark.forks
def test_a_full_disk_leaves_the_file_as_it_was(tmp_path):
    path = tmp_path / "results.jsonl"
    results.append(path, RECORD)
    size = path.stat().st_size + 20

    def append() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))  # CPython ignores SIGXFSZ: the write comes back short
        with pytest.raises(OSError, match="results.jsonl: the disk took only a part of a line, which was removed"):
            results.append(path, RECORD)

    assert runs.end(runs.fork(append, tmp_path / "log")) == 0, (tmp_path / "log").read_text()
    assert results.read(path) == [RECORD]
