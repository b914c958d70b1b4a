"""Help, usage errors and missing files of the commands answer before torch or fairseq is imported."""

import pytest

ALIGNMENT = ["alignment", "none.pt", "data", "--objective", "mlm", "--lang", "fr"]
EVALUATE = ["evaluate", "none.pt", "data", "--objective", "mlm", "--subset", "test_en"]
MAP = ["map", "none.pt", "--data", "data", "--lang", "fr", "--out", "map.json"]
INDUCE = ["induce", "none.pt", "data", "--out", "induced.txt"]
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
        (["map", "--help"], 0, "--heldout-lexicon"),
        ([*MAP, "--pairs", "1"], 1, "--pairs: found 1, expected a number from 2 to 1000"),
        (MAP, 1, "none.pt: found No such file or directory, expected a checkpoint"),
        ([*MAP, "--names", "a,b"], 1, "found 2 names, expected one for each of 1 checkpoints"),
        (["induce", "--help"], 0, "--heldout-lexicon"),
        ([*INDUCE, "--words", "0"], 1, "--words: found 0, expected a number of at least 1"),
        (INDUCE, 1, "none.pt: found No such file or directory, expected a checkpoint"),
        ([*ALIGNMENT, "--lexicon", "none.tsv"], 1, "none.tsv: found No such file or directory, expected a lexicon"),
    ],
)
def test_what_needs_no_model_is_answered_without_one(run, arguments, status, message):
    done = run(["python", "-c", CODE, *arguments])
    assert done.stdout.splitlines()[-1] == str(status) and message in done.stdout + done.stderr
