import pytest

from fairseq_align.errors import InputError
from fairseq_align.results import curves

LOGS = {
    "simple": "26 | INFO | train_inner | epoch 001: 10 / 99 loss=-7.1, mlm_loss=7.5, align_cos=0.25, num_updates=10\n"
    "2026 | INFO | train_inner | epoch 001:    20 / 99 mlm_loss=7.25, align_cos=0.5, num_updates=20, lr=1e-05\n",
    "json": '2026 | INFO | train_inner | {"epoch": 1, "mlm_loss": "7.5", "align_cos": "0.25", "num_updates": "10"}\n'
    '2026 | INFO | train_inner | {"epoch": 1, "mlm_loss": "7.25", "align_cos": "0.5", "num_updates": "20"}\n',
}


@pytest.mark.parametrize("kind", LOGS)
def test_learning_curves_are_read_from_both_kinds_of_log(tmp_path, kind):
    (tmp_path / "train.log").write_text("2026 | INFO | fairseq_cli.train | {...}\n" + LOGS[kind])
    assert curves.read(tmp_path / "train.log") == {
        "mlm_loss": ([10, 20], [7.5, 7.25]), "align_cos": ([10, 20], [0.25, 0.5]),
    }  # fmt: skip


def test_a_log_without_training_is_an_error(tmp_path):
    (tmp_path / "train.log").write_text("nothing\n")
    with pytest.raises(
        InputError, match="train.log: found no train_inner line with mlm_loss or align_cos, expected a log"
    ):
        curves.read(tmp_path / "train.log")
    with pytest.raises(InputError, match="none.log: found .*No such file.*, expected a log of fairseq-train"):
        curves.read(tmp_path / "none.log")


def test_logs_are_named_by_what_tells_them_apart(tmp_path):
    paths = [tmp_path / "runs" / name / "pretrain" / "train.log" for name in ("mlm-1", "align-1")]
    assert curves.names(paths) == ["mlm-1", "align-1"] and curves.names(paths[:1]) == ["mlm-1/pretrain"]
