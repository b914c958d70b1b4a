"""The benchmarks run and leave their record; what they measure is for whoever runs them on an idle machine."""

import json
import shutil

import pytest


@pytest.mark.parametrize(
    ("name", "flags", "unit"),
    [
        ("masking", ["--vocabularies", 400, "--items", 2, "--rounds", 1], "tokens/s"),
        ("derive", ["--tokens", 50000, "--rounds", 1], "tokens/s"),
        ("alignment", ["--vocabulary", 90, "--tokens", 8, "--items", 2, "--pairs", 9, "--rounds", 1], "of the step"),
        ("step", ["--shape", "tiny", "--tokens", 8, "--pairs", 9, "--rounds", 1], "times ours"),
        ("training", ["--shape", "tiny", "--tokens", 8, "--pairs", 9, "--updates", 1, "--windows", 1], "ms an update"),
        ("data", ["--pieces", 90, "--batches", 1, "--rounds", 1, "--tokens", 20000], "times as many"),
        (
            "head",
            ["--words", 2000, "--dim", 8, "--tokens", 2000, "--ways", "plain", 64, "--rounds", 1],
            "64 rows at once",
        ),
        ("scoring", ["--words", 300, "--dim", 8], "by CSLS"),
        ("tuning", ["--shape", "tiny", "--tokens", 8, "--items", 2, "--rounds", 1], "times ours"),
        ("lexicon", ["--pairs", 2000, "--vocabulary", 200, "--rounds", 1], "ms by weights"),
    ],
)
def test_a_benchmark_prints_a_table_and_writes_its_record(run, tmp_path, name, flags, unit):
    done = run(["python", f"benchmarks/{name}.py", *flags, "--results", tmp_path])
    (path,) = tmp_path.glob("*.json")
    record = json.loads(path.read_text())
    assert {"date", "processor", "cores", "torch", "numpy", "rows"} <= record.keys() and record["rows"]
    assert unit in done.stdout


@pytest.mark.parametrize("name", ["step", "data"])
def test_a_benchmark_trains_with_the_plugin_that_is_imported(run, tmp_path, name):
    """In a clone whose package is installed, that is not the one beside the benchmarks."""
    shutil.copytree("benchmarks", tmp_path / "benchmarks", ignore=shutil.ignore_patterns("results"))
    flags = {
        "step": ["--shape", "tiny", "--tokens", 8, "--pairs", 9, "--rounds", 1, "--only", "fairseq"],
        "data": ["--pieces", 90, "--batches", 1, "--rounds", 1, "--tokens", 20000],
    }
    done = run(["python", tmp_path / "benchmarks" / f"{name}.py", *flags[name], "--results", tmp_path / "results"])
    assert "wrote" in done.stdout and list((tmp_path / "results").glob("*.json"))


def test_the_benchmark_of_reliability_holds_what_it_tries(run, tmp_path):
    flags = ["--kills", 1, "--saves", 1, "--updates", 5, "--crafted", 4, "--inputs", 100, "--results", tmp_path]
    done = run(["python", "benchmarks/reliability.py", *flags])
    record = json.loads((tmp_path / "reliability.json").read_text())
    assert len(record["rows"]) == 5 and all(row["held"] == row["tried"] > 0 for row in record["rows"].values())
    assert not record["failures"] and "| resumed from a saved update: ends equal to the bit |" in done.stdout
