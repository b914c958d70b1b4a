"""Real trainings on a GPU: each precision beside the curve of a CPU, resuming, signals, ranks, and scoring there.

Without a GPU all but the first, which trains on the CPU twice, are skipped.
"""

import json
import os
import signal
import socket
import time

import pytest
import torch

from tests.support import processes, warm
from tests.support.training import MODEL, OPTIMIZER, RUN, TARGET, state, updates

FAST = ["--optimizer", "adamw", "--logits-chunk", 64]
PLAIN = ["--dropout", 0, "--attention-dropout", 0, "--no-epoch-checkpoints"]
UPDATES = 30
PRECISIONS = {
    "float32": [],
    "--fp16": ["--fp16"],
    "--fp16, fast": [*FAST, "--fp16"],
    "bfloat16, fast": [*FAST, "--autocast", "bf16"],
    "--amp, fast": [*FAST, "--amp"],
    "half alone": ["--fp16", "--memory-efficient-fp16"],
}
OBJECTIVES = {
    "contrastive": ["--align-loss", "contrastive", "--align-pairs", 64],
    "TLM and whole words": ["--tlm-pairs", f"en:{TARGET}", "--mask-whole-words", "--sample-break-mode", "complete"],
}
gpu = [pytest.mark.cuda, pytest.mark.skipif(not torch.cuda.is_available(), reason="waits for a GPU")]
cases = [pytest.param("cpu", [], id="cpu")]
cases += [pytest.param("cuda", flags, id=name, marks=gpu) for name, flags in PRECISIONS.items()]


@pytest.fixture
def command(toy, tmp_path):
    """Words of a training, whose checkpoints are in ``tmp_path / name``."""

    def command(name: str, *flags, device="cuda", start=("fairseq-train",)) -> list:
        words = [
            *start,
            toy / "data-bin",
            "--user-dir",
            "fairseq_align",
            "--task",
            "align_mlm",
            "--criterion",
            "align_mlm",
        ]
        words += [
            "--langs",
            f"en,{TARGET}",
            "--lexicon",
            toy / "lexicon.tsv",
            "--arch",
            "roberta_base",
            "--batch-size",
            8,
        ]
        words += [*MODEL, *OPTIMIZER, *PLAIN, *(flag for flag in RUN if flag != "--cpu" or device == "cpu")]
        return [*words, "--save-dir", tmp_path / name, *flags]

    return command


@pytest.fixture
def train(run, command):
    def train(name: str, *flags, check=True, **more):
        done = run(command(name, *flags, **more), check=check)
        return done.stdout + done.stderr if check else done

    return train


@pytest.mark.parametrize(("device", "flags"), cases)
def test_a_precision_follows_the_curve_of_the_cpu(train, device, flags):
    found = train("found", *flags, "--max-update", UPDATES, device=device)
    expected = train("expected", "--max-update", UPDATES, device="cpu")
    lost = found.count("gradient overflow detected")
    for name, tolerance in (("mlm_loss", 0.02), ("align_loss", 0.03)):
        curve = updates(found, name)
        assert len(curve) == UPDATES and curve[lost:] == pytest.approx(
            updates(expected, name)[: UPDATES - lost], rel=tolerance, abs=0.02
        )


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="waits for a GPU")
class TestOnAGpu:
    @pytest.mark.parametrize("flags", OBJECTIVES.values(), ids=OBJECTIVES)
    def test_an_objective_learns(self, train, flags):
        curve = updates(train("found", *FAST, "--fp16", *flags, "--max-update", UPDATES), "loss")
        assert len(curve) >= UPDATES - 5 and curve[-1] < curve[0]

    def test_a_resumed_run_goes_on(self, train, tmp_path):
        """To the bit but for sums whose order a GPU does not keep."""
        flags = [*FAST, "--align-pairs", 64, "--save-interval-updates", UPDATES // 2, "--fp16"]
        whole = train("whole", *flags, "--max-update", UPDATES)
        train("parts", *flags, "--max-update", UPDATES // 2)
        parts = train("parts", *flags, "--max-update", UPDATES)
        assert updates(parts, "num_updates") == list(range(UPDATES // 2 + 1, UPDATES + 1))
        assert updates(parts, "loss") == pytest.approx(updates(whole, "loss")[UPDATES // 2 :], rel=1e-3)
        one, other = (state(tmp_path / name / "checkpoint_last.pt")["model"] for name in ("whole", "parts"))
        assert all(torch.allclose(one[name].float(), other[name].float(), atol=2e-2) for name in one)

    def test_a_signal_ends_a_run_with_a_checkpoint(self, command, tmp_path):
        words = command("told", *FAST, "--max-update", 10**6)
        with (
            open(tmp_path / "log", "w") as log,
            processes.started(words, stdout=log, stderr=log, env=warm.cold()) as process,
        ):
            deadline = time.monotonic() + 120
            while "train_inner" not in (tmp_path / "log").read_text():
                assert time.monotonic() < deadline and process.poll() is None
                time.sleep(0.2)
            process.send_signal(signal.SIGUSR1)
            assert process.wait(60) == 75
        assert (tmp_path / "told" / "checkpoint_last.pt").exists()

    @pytest.mark.parametrize(("ranks", "backend"), [(1, "nccl"), (2, "gloo")])
    @pytest.mark.parametrize("ddp", ["pytorch_ddp", "legacy_ddp"])
    def test_ranks_on_one_gpu_equal_one_with_their_batches(self, train, command, ranks, backend, ddp):
        """NCCL refuses two ranks on one GPU, so two of them talk by gloo."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        shared = ["--distributed-init-method", "env://", "--distributed-no-spawn", "--distributed-backend", backend]
        shared += ["--distributed-world-size", ranks, "--ddp-backend", ddp, "--device-id", 0, "--max-update", UPDATES]
        environment = warm.cold() | {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "LOCAL_RANK": "0"}
        environment["WORLD_SIZE"] = str(ranks)
        others = [
            processes.started(
                command("ranks", *FAST, *shared, "--distributed-rank", rank), env=environment | {"RANK": str(rank)}
            )
            for rank in range(1, ranks)
        ]
        for other in others:
            other.__enter__()
        try:
            words = command("ranks", *FAST, *shared, "--distributed-rank", 0)
            done = processes.run(words, env=environment | {"RANK": "0"})
        finally:
            for other in others:
                other.__exit__(None, None, None)
        assert done.returncode == 0, done.stderr[-2000:]
        alone = train("alone", *FAST, "--update-freq", ranks, "--max-update", UPDATES)
        found = updates(done.stdout + done.stderr, "loss")
        assert found == pytest.approx(updates(alone, "loss"), rel=2e-3)

    def test_scores_are_those_of_the_cpu(self, train, run, toy, tmp_path):
        train("model", "--max-update", UPDATES)
        checkpoint, data = tmp_path / "model" / "checkpoint_last.pt", toy / "data-bin"
        lexicon = ["--lexicon", toy / "lexicon.tsv", "--heldout-lexicon", toy / "lexicon.heldout.tsv", "--lang", TARGET]
        for name, flags in (("evaluate", ["--subset", f"valid_en,valid_{TARGET}"]), ("alignment", lexicon)):
            scores = []
            for device, variables in (("gpu", {}), ("cpu", {"CUDA_VISIBLE_DEVICES": ""})):
                results = tmp_path / f"{name}.{device}.jsonl"
                run(["fairseq-align", name, checkpoint, data, *flags, "--objective", "align_mlm", "--results", results],
                    cold=True, **variables)  # fmt: skip
                scores.append([json.loads(line)["value"] for line in results.read_text().splitlines()])
            assert scores[0] == pytest.approx(scores[1], rel=5e-3, abs=0.5) and scores[0]
        assert os.environ.get("CUDA_VISIBLE_DEVICES") != ""
