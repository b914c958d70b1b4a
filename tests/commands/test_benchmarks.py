"""The benchmarks run and leave their record; what they measure is for whoever runs them on an idle machine."""

import json
import shutil

import pytest


@pytest.mark.parametrize(
    ("name", "flags", "unit"),
    [
        ("token_masking", ["--vocabularies", 400, "--items", 2, "--rounds", 1], "tokens/s"),
        ("derive", ["--tokens", 50000, "--rounds", 1], "tokens/s"),
        (
            "alignment_term",
            ["--vocabulary", 90, "--tokens", 8, "--items", 2, "--pairs", 9, "--rounds", 1],
            "of the step",
        ),
        ("step", ["--shape", "tiny", "--tokens", 8, "--pairs", 9, "--rounds", 1], "times ours"),
        (
            "training_loop",
            ["--shape", "tiny", "--tokens", 8, "--pairs", 9, "--updates", 1, "--windows", 1],
            "ms an update",
        ),
        ("data_loading", ["--pieces", 90, "--batches", 1, "--rounds", 1, "--tokens", 20000], "times as many"),
        (
            "head",
            ["--words", 2000, "--dim", 8, "--tokens", 2000, "--ways", "plain", 64, "--rounds", 1],
            "64 rows at once",
        ),
        ("word_retrieval", ["--words", 300, "--dim", 8], "by CSLS"),
        ("tuning", ["--shape", "tiny", "--tokens", 8, "--items", 2, "--rounds", 1], "times ours"),
        ("lexicon_loading", ["--pairs", 2000, "--vocabulary", 200, "--rounds", 1], "ms by weights"),
    ],
)
def test_a_benchmark_prints_a_table_and_writes_its_record(run, tmp_path, name, flags, unit):
    done = run(["python", "-m", f"benchmarks.{name}", *flags, "--results", tmp_path])
    (path,) = tmp_path.glob("*.json")
    record = json.loads(path.read_text())
    assert {"date", "processor", "cores", "torch", "numpy", "rows"} <= record.keys() and record["rows"]
    assert unit in done.stdout


@pytest.mark.parametrize("name", ["step", "data_loading"])
def test_a_benchmark_trains_with_the_plugin_that_is_imported(run, repo, tmp_path, name):
    """In a clone whose package is installed, that is not the one beside the benchmarks."""
    shutil.copytree(repo / "benchmarks", tmp_path / "benchmarks", ignore=shutil.ignore_patterns("results"))
    flags = {
        "step": ["--shape", "tiny", "--tokens", 8, "--pairs", 9, "--rounds", 1, "--only", "fairseq"],
        "data_loading": ["--pieces", 90, "--batches", 1, "--rounds", 1, "--tokens", 20000],
    }
    command = ["python", "-m", f"benchmarks.{name}", *flags[name], "--results", tmp_path / "results"]
    done = run(["bash", "-c", 'cd "$0" && "$@"', tmp_path, *command])
    assert "wrote" in done.stdout and list((tmp_path / "results").glob("*.json"))
