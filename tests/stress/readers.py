"""What readers answer, at length, with the most time and memory that each took: python -m tests.stress.readers

Broken files, the worst files that we know of a size, and all crafted folders and archives of models.
"""

import argparse
import logging
import random
import shutil
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from benchmarks.common.timing import save
from fairseq_align.text import subword, vocabulary
from tests.stress import folders, fuzz

RESULTS = Path(__file__).parent / "results"


class Fuzzed(NamedTuple):
    """Answers of one reader to broken files.

    Attributes:
        answers: how many were ``read``, ``refused`` and ``failed``.
        failures: the distinct ones.
        seconds: of processor time, the slowest.
        grew: bytes of memory, over all of them.
    """

    answers: dict[str, int]
    failures: set[str]
    seconds: float
    grew: int


def fuzzed(name: str, inputs: int, seed: int) -> Fuzzed:
    """Give a reader so many broken files."""
    reader, rng = fuzz.READERS[name], random.Random(f"{seed} {name}")
    answers, failures, slowest = Counter(), set(), 0.0
    Path("/proc/self/clear_refs").write_text("5")  # the highest mark becomes what is used now
    before = fuzz.memory("VmHWM")
    with fuzz.folder() as where:
        for _ in range(inputs):
            files = fuzz.random_files(reader, rng)
            start = time.process_time()
            try:
                answers[fuzz.answer(reader, files, where)] += 1
            except (Exception, fuzz.Hang) as error:
                last = traceback.extract_tb(error.__traceback__)[-1]
                failures.add(f"{name}: {type(error).__name__} in {Path(last.filename).name}:{last.lineno}")
                answers["failed"] += 1
            slowest = max(slowest, time.process_time() - start)
    return Fuzzed(dict(answers), failures, slowest, fuzz.memory("VmHWM") - before)


def good_folder(folder: Path) -> Path:
    """A model of transformers with random weights that import reads."""
    from tests.huggingface.models import TINY, export, save, sentences

    (folder / "text").write_text("\n".join(sentences(400)) + "\n", encoding="utf-8")
    subword.train([folder / "text"], folder, vocab_size=60, character_coverage=1.0)
    model = export(save(folder / "ours", TINY, vocabulary.load(folder / "dict.txt")), folder / "theirs", folder)
    (model / "dict.txt").unlink()
    return model


def crafted(folder: Path, every: int) -> tuple[int, int, list[str]]:
    """Give crafted folders and archives to import.

    Args:
        every: take each so many-th folder; 1: all.

    Returns:
        how many were read or refused within their bounds, how many there were, and the names of the others.
    """
    good, failed, tried = good_folder(folder), [], 0
    for name, change in [*folders.cases().items()][::every] + [*folders.archives().items()]:
        path = folder / "model"
        if name in folders.archives():
            path.mkdir()
            path = change(path)
        else:
            shutil.copytree(good, path)
            change(path)
        there, grew, said = folders.answer(path)
        tried += 1
        if said not in ("read", "refused") or grew > fuzz.CONSTANT + folders.FACTOR * there:
            failed.append(f"{name}: {said}, {grew >> 20} MiB")
        shutil.rmtree(folder / "model")
    return tried - len(failed), tried, failed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--inputs", type=int, default=1_000_000, help="broken files, over all readers")
    parser.add_argument("--mebibytes", type=float, default=32, help="size of the worst file of each reader")
    parser.add_argument("--every", type=int, default=1, help="take each N-th crafted folder; default: all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the record (default: %(default)s)")
    args = parser.parse_args()
    logging.disable()
    begin, rows, failures = time.monotonic(), {}, []
    print("| reader | broken files | read | refused | slowest (s) | times its size | promised |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for name, reader in fuzz.READERS.items():
        there, grew, said = fuzz.growth(reader, int(args.mebibytes * (1 << 20)))
        found = fuzzed(name, -(-args.inputs // len(fuzz.READERS)), args.seed)
        failures += sorted(found.failures)
        if said not in ("read", "refused") or grew > fuzz.CONSTANT + reader.factor * there:
            failures.append(f"{name}: {said}, {grew >> 20} MiB of a file of {there >> 20} MiB")
        rows[name] = found.answers | {
            "slowest_s": round(found.seconds, 3), "grew_bytes": found.grew, "worst_bytes": there,
            "worst_grew_bytes": grew, "worst": said, "promised": reader.factor,
        }  # fmt: skip
        answers = [found.answers.get(answer, 0) for answer in ("read", "refused")]
        shown = [name, f"{sum(found.answers.values()):,}", *(f"{count:,}" for count in answers)]
        print(
            f"| {' | '.join([*shown, f'{found.seconds:.2f}', f'{grew / there:.1f}', str(reader.factor)])} |", flush=True
        )
    with tempfile.TemporaryDirectory() as scratch:
        held, tried, failed = crafted(Path(scratch), args.every)
    print(f"crafted folders and archives of models: {held} of {tried} within bounds")
    print(f"failures: {len(failures + failed)}", *failures, *failed, sep="\n")
    record = {"readers": rows, "folders": {"held": held, "tried": tried}, "failures": failures + failed}
    save("readers", record | {"seconds": round(time.monotonic() - begin), "seed": args.seed}, args.results)


if __name__ == "__main__":
    main()
