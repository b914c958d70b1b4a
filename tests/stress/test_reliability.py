"""A few tries of all that ``python -m tests.stress.reliability`` does at length."""

import json


def test_what_is_tried_holds(run, tmp_path):
    flags = [
        "--kills",
        1,
        "--saves",
        1,
        "--signals",
        1,
        "--ranks",
        2,
        "--updates",
        5,
        "--crafted",
        2,
        "--inputs",
        100,
        "--results",
        tmp_path,
    ]
    done = run(["python", "-m", "tests.stress.reliability", *flags])
    record = json.loads((tmp_path / "reliability.json").read_text())
    assert len(record["rows"]) == 7 and all(row["held"] == row["tried"] > 0 for row in record["rows"].values())
    assert not record["failures"] and "| resumed from a saved update: ends equal to the bit |" in done.stdout
