"""A few tries of all that ``python -m tests.stress.readers`` does at length."""

import json

import pytest


def test_what_is_tried_holds(run, tmp_path):
    pytest.importorskip("safetensors", reason="waits for the extra hf: EXTRAS=hf bash install.sh")
    done = run(["python", "-m", "tests.stress.readers", "--inputs", 100, "--mebibytes", 0.1, "--every", 60]
               + ["--results", tmp_path])  # fmt: skip
    record = json.loads((tmp_path / "readers.json").read_text())
    assert not record["failures"] and record["folders"]["held"] == record["folders"]["tried"] >= 7
    assert all(sum(row.get(answer, 0) for answer in ("read", "refused")) > 4 for row in record["readers"].values())
    assert "| lexicon as ids |" in done.stdout
