"""Help, usage errors and missing files of the two commands answer before torch or fairseq is imported."""

import pytest

ALIGNMENT = ["alignment", "none.pt", "data", "--objective", "mlm", "--lang", "fr"]
EVALUATE = ["evaluate", "none.pt", "data", "--objective", "mlm", "--subset", "test_en"]
CODE = """
import sys
from fairseq_align import cli
try:
    status = cli.main(sys.argv[1:])
except SystemExit as end:
    status = end.code
print(status, *sorted({"torch", "fairseq", "numpy"} & set(sys.modules)))
"""


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["evaluate", "--help"], 0, "--predictions DIR"),
        (["alignment", "--help"], 0, "--heldout-lexicon"),
        ([*ALIGNMENT, "--by", "length"], 2, "found 'length', expected frequency, pieces, overlap"),
        (EVALUATE, 1, "none.pt: found no file, expected a checkpoint"),
        (ALIGNMENT, 1, "none.pt: found no file, expected a checkpoint"),
        ([*ALIGNMENT, "--heldout-lexicon", "none.tsv", "--mapping", "procrustes"], 1, "found no --lexicon, which the"),
        ([*ALIGNMENT, "--lexicon", "none.tsv"], 1, "none.tsv: found No such file or directory, expected a lexicon"),
    ],
)
def test_what_needs_no_model_is_answered_without_one(run, arguments, status, message):
    done = run(["python", "-c", CODE, *arguments])
    assert done.stdout.splitlines()[-1] == str(status) and message in done.stdout + done.stderr
