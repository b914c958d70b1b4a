"""The benchmarks run and leave their record; what they measure is for whoever runs them on an idle machine."""

import json
import shutil
import weakref
from pathlib import Path

import pytest
import torch

from benchmarks.common.corpora import dictionary_of, sample
from benchmarks.common.timing import WARM, apart, interleaved, remembered_peak
from benchmarks.common.trainers import DEVICE, flags, step, trainer


@pytest.mark.parametrize(
    ("name", "flags", "unit"),
    [
        ("token_masking", ["--vocabularies", 400, "--items", 2, "--rounds", 1], "tokens/s"),
        ("derive", ["--tokens", 50000, "--rounds", 1], "tokens/s"),
        (
            "alignment_term",
            ["--vocabulary", 90, "--tokens", 8, "--items", 2, "--pairs", 9, "--rounds", 1, "--kind", "cosine", "csls"],
            "of the step",
        ),
        ("lexicon_loading", ["--pairs", 2000, "--vocabulary", 200, "--rounds", 1], "ms by weights"),
        (
            "terms",
            ["--shape", "tiny", "--tokens", 32, "--rounds", 1, "--only", "contextual realignment", "angles"],
            "times an update without",
        ),
        ("sentence_splitting", ["--letters", 2000, "--rounds", 1], "letters: split in"),
    ],
)
def test_a_benchmark_prints_a_table_and_writes_its_record(run, tmp_path, name, flags, unit):
    done = run(["python", "-m", f"benchmarks.{name}", *flags, "--results", tmp_path])
    assert has_rows(*tmp_path.glob("*.json")) and unit in done.stdout


def has_rows(path: Path) -> bool:
    """Whether a record has rows and the machine that they are of."""
    record = json.loads(path.read_text())
    return bool(record["rows"]) and {"date", "processor", "cores", "torch", "numpy"} <= record.keys()


@pytest.mark.parametrize(
    ("name", "flags", "unit"),
    [
        ("step", ["--shape", "tiny", "--tokens", 8, "--pairs", 9, "--rounds", 1, "--only", "fairseq"], "times ours"),
        (
            "data_loading",
            ["--pieces", 90, "--start-pieces", 90, "--batches", 1, "--rounds", 1, "--tokens", 20000],
            "times as many",
        ),
    ],
)
def test_a_benchmark_trains_with_the_plugin_that_is_imported(run, repo, tmp_path, name, flags, unit):
    """In a clone whose package is installed, that is not the one beside the benchmarks."""
    shutil.copytree(repo / "benchmarks", tmp_path / "benchmarks", ignore=shutil.ignore_patterns("results"))
    command = ["python", "-m", f"benchmarks.{name}", *flags, "--results", tmp_path / "results"]
    done = run(["bash", "-c", 'cd "$0" && "$@"', tmp_path, *command])
    assert has_rows(*(tmp_path / "results").glob("*.json")) and unit in done.stdout


class Work:
    """Counts its calls."""

    def __init__(self):
        self.calls = 0

    def __call__(self) -> int:
        self.calls += 1
        return 1


def test_rounds_that_warm_up_are_not_counted():
    works = {"one": Work(), "two": Work()}
    rates = interleaved(works, rounds=2)
    assert {name: len(found) for name, found in rates.items()} == {"one": 2, "two": 2}
    assert [work.calls for work in works.values()] == [WARM + 2] * 2 and WARM > 1


def test_models_that_are_timed_apart_are_never_in_memory_together():
    made = []

    def make() -> Work:
        assert all(earlier() is None for earlier, _ in made)
        work = Work()
        made.append((weakref.ref(work), vars(work)))
        return work

    rates = apart({name: make for name in ("one", "two", "three")}, rounds=2)
    assert list(rates) == ["one", "two", "three"] and all(len(found) == 2 for found in rates.values())
    assert [counted["calls"] for _, counted in made] == [WARM + 2] * 3


def test_a_batch_without_memory_ends_the_measurement(tmp_path, monkeypatch):
    """fairseq's Trainer would leave it out, and its tokens would count."""
    dictionary_of(20).save(str(tmp_path / "dict.txt"))
    command = ["--task", "masked_lm", "--criterion", "masked_lm", "--optimizer", "adam"]
    made = trainer(tmp_path, [*flags("tiny", 8, "fp32"), *command])
    batch = sample(25, 2, 8)
    assert step(made, batch) == 16

    def without_memory(*args):
        raise RuntimeError("CUDA out of memory")

    monkeypatch.setattr(made.criterion, "forward", without_memory)
    with pytest.raises(RuntimeError, match="out of memory"):
        step(made, batch)


def test_fairseq_does_not_reset_the_highest_memory_that_is_asked_for():
    reset = torch.cuda.reset_peak_memory_stats
    with remembered_peak():
        torch.cuda.reset_peak_memory_stats()  # as fairseq's Trainer calls it after every update
        assert torch.cuda.reset_peak_memory_stats is not reset
    assert torch.cuda.reset_peak_memory_stats is reset


def test_measuring_on_a_gpu_ends_in_time_and_names_what_is_left_out(run, tmp_path):
    """Without any time, so that how fast a machine is changes nothing."""
    done = run(["bash", "benchmarks/gpu.sh", tmp_path, 989, 0], check=False)
    assert done.returncode == 1
    unmeasured = [line.partition(": benchmarks.")[2] for line in done.stderr.splitlines() if ": benchmarks." in line]
    assert len(unmeasured) == 16 and unmeasured[-1].startswith("tuning --shape xlmr") and not list(tmp_path.iterdir())
    assert "left out: pytest" in done.stderr and "failed: " not in done.stderr


def test_all_that_is_to_be_measured_on_a_gpu_runs_in_small(run, tmp_path):
    """So these benchmarks print their tables and write their records."""
    done = run(["bash", "benchmarks/gpu.sh", tmp_path, 989, 560], DRY=1, PRECISIONS="bf16")
    names = {f"{name}-tiny-2-bf16" for name in ("training_loop", "step", "kernels")} | {"tuning-tiny", "alignment_term"}
    names |= {f"{name}-{DEVICE.type}" for name in ("head", "word_retrieval")}
    assert {path.stem for path in tmp_path.iterdir()} == names and all(map(has_rows, tmp_path.iterdir()))
    units = ["of the peak", "of the step", "times ours", "64 rows of logits", "ms an update", "64 rows at once"]
    assert [unit for unit in [*units, "by CSLS"] if unit not in done.stdout] == []


def test_hours_of_runs_are_their_flop_at_the_rate_that_is_expected(run):
    """A token of the paper's model takes 213 MFLOP: at 989 TFLOP/s a GPU does 4.6 M a second."""
    done = run(["python", "-m", "benchmarks.scaling", "--expected", 1, 0.5])
    (cell,) = (line for line in done.stdout.splitlines() if line.startswith("| one cell"))
    assert cell == "| one cell of the paper's table | 33 G | 4,638 to 2,319 | 3.9 to 2.0 | 0.5 to 0.2 |"
    assert "| xlmr | 64 GPUs, InfiniBand | 8 | 1,113 | 122.5 | 44.6 | 73% |" in done.stdout
