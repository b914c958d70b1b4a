import json
import math

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


def logged(**values) -> str:
    return "2026-01-01 | INFO | train_inner | " + json.dumps({"mlm_loss": "4.0", "num_updates": "5"} | values) + "\n"


def test_a_line_that_breaks_off_is_left_out_and_said(tmp_path, caplog):
    log = tmp_path / "train.log"
    torn = logged(num_updates="7")[:-20]
    deep = "x | train_inner | " + "[{" * 100_000 + "\n"
    log.write_text(logged() + torn + "\n" + deep + "x | train_inner | {}}\n" + logged(num_updates="8")[:-1])
    assert curves.read(log)["mlm_loss"] == ([5, 8], [4.0, 4.0])
    assert [record.getMessage().split("train.log:")[1][0] for record in caplog.records] == ["2", "3", "4"]


@pytest.mark.parametrize("update", ["nan", "inf", [1], None, "-1", 10**400, {}, "x", 1e300])
def test_a_number_of_updates_that_is_none_is_refused_with_its_line(tmp_path, update):
    log = tmp_path / "train.log"
    log.write_text(logged() + logged(num_updates=update))
    with pytest.raises(InputError, match=r"train.log:2: found num_updates .*, expected a number of updates"):
        curves.read(log)


@pytest.mark.parametrize("value", ["nan", "inf", [1], None, 10**400, 1e300, "x"])
def test_a_value_that_cannot_be_drawn_is_a_gap(tmp_path, value):
    log = tmp_path / "train.log"
    log.write_text(logged() + logged(num_updates=6, mlm_loss=value) + logged(num_updates=7))
    read = curves.read(log)
    assert read["mlm_loss"].updates == [5, 6, 7]
    assert math.isnan(read["mlm_loss"].values[1]) and read["mlm_loss"].values[2] == 4.0
