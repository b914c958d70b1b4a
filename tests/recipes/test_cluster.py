"""The recipes for several machines, on CPU ranks, with stand-ins for Slurm's commands."""

import pytest

from tests.stress.runs import free_port
from tests.support import warm
from tests.support.training import MODEL, OPTIMIZER, RUN, TARGET, same, updates

GLOO = ["--distributed-backend", "gloo", "--ddp-backend", "legacy_ddp"]


@pytest.fixture
def flags(toy):
    task = ["--task", "align_mlm", "--langs", f"en,{TARGET}", "--arch", "roberta_base", "--criterion", "align_mlm"]
    task += ["--lexicon", toy / "lexicon.tsv", "--batch-size", 4, "--max-update", 3]
    return [toy / "data-bin", *task, *MODEL, *OPTIMIZER, *RUN, *GLOO]


def settings(**more) -> dict[str, str]:
    """Variables of a training, with a port of its own."""
    port = str(free_port())
    return {"PORT": port, "MASTER_PORT": port} | more


@pytest.fixture
def slurm(tmp_path):
    """Stand-ins for srun, which starts the tasks of one node, and scontrol, which notes what it is asked."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "srun").write_text(
        '#!/usr/bin/env bash\n[ -z "${SRUN_STATUS-}" ] || exit "$SRUN_STATUS"\n'
        'for task in 0 1; do SLURM_PROCID=$task SLURM_LOCALID=$task "$@" & done; wait -n && wait -n\n'
    )
    (folder / "scontrol").write_text(
        f'#!/usr/bin/env bash\necho "$@" >> {tmp_path}/asked\n'
        'case "$2" in hostnames) echo 127.0.0.1 ;; job) echo "   Command=$SCRIPT DATA" ;; esac\n'
    )
    for path in folder.iterdir():
        path.chmod(0o755)
    return {
        "PATH": f"{folder}:{warm.environment()['PATH']}",
        "SLURM_JOB_ID": "7",
        "SLURM_JOB_NODELIST": "n",
        "SLURM_NTASKS": "2",
    }


def test_torchrun_and_slurm_train_the_same_model_on_two_ranks(run, repo, flags, slurm, tmp_path):
    torchrun = ["bash", "examples/cluster/torchrun.sh", *flags, "--save-dir", tmp_path / "torchrun"]
    done = run(torchrun, **settings(GPUS="2"))
    script = repo / "examples" / "cluster" / "slurm.sh"
    run(["bash", script, *flags, "--save-dir", tmp_path / "slurm"], **settings(**slurm, SCRIPT=script))
    assert same(tmp_path / "torchrun" / "checkpoint_last.pt", tmp_path / "slurm" / "checkpoint_last.pt")
    assert updates(done.stdout + done.stderr, "bsz") == [8, 8, 8]  # 4 items on each rank
    assert "requeue" not in (tmp_path / "asked").read_text()


@pytest.mark.parametrize(("status", "queued"), [(75, True), (1, False)])
def test_a_job_that_saved_and_left_is_queued_again(run, repo, slurm, tmp_path, status, queued):
    script = repo / "examples" / "cluster" / "slurm.sh"
    variables = settings(**slurm, SCRIPT=script, SRUN_STATUS=status)
    done = run(["bash", script, "data-bin"], check=False, **variables)
    assert done.returncode == status
    assert ("requeue 7" in (tmp_path / "asked").read_text()) == queued


def test_a_machine_without_gpu_is_told_how_to_train_on_cpus(run):
    done = run(["bash", "examples/cluster/torchrun.sh", "data-bin"], check=False, GPUS=0)
    assert done.returncode == 1 and "error: found no GPU, expected one or more; on CPUs: GPUS=2" in done.stderr
