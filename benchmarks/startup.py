"""How long commands take to answer help, version, usage errors and missing files: python -m benchmarks.startup

Whole processes, in an order drawn anew each round, beside ``python -c pass`` and ``python -c "import torch"``. Reported
is the processor time, user and system, that a process of its own took; on a busy machine it says more than the clock.
The record has the load of the machine, programs that want a processor, in the last minute.
"""

import argparse
import os
import random
import resource
import statistics
import subprocess
import sys
from pathlib import Path

from benchmarks.common.timing import RESULTS, save
from fairseq_align import cli

REPO = Path(__file__).resolve().parents[1]
MISSING = "./not-there"
ALIGN = ["-m", "fairseq_align.cli"]
COMMANDS = [command.name for command in cli.COMMANDS if command.name != "doctor"]
NAMED = {  # a command whose named files are not there
    "report": ["report", MISSING, "--out", "out"],
    "evaluate": ["evaluate", MISSING, "data-bin", "--subset", "test", "--objective", "mlm"],
    "alignment": ["alignment", MISSING, "data-bin", "--lang", "fr", "--lexicon", MISSING, "--objective", "mlm"],
    "align": ["align", MISSING, "data-bin", "out.pt", "--lexicon", MISSING],
    "map": ["map", MISSING, "--data", "data-bin", "--out", "map.json"],
    "export": ["export", MISSING, "out", "--model", MISSING],
    "import": ["import", MISSING, "out"],
}


def works() -> dict[str, list[str]]:
    """Arguments of Python for each thing that is asked."""
    asked = {"python -c pass": ["-c", "pass"], "import torch": ["-c", "import torch"]}
    asked |= {"fairseq-align --help": [*ALIGN, "--help"], "fairseq-align --version": [*ALIGN, "--version"]}
    asked |= {"fairseq-align nonsense": [*ALIGN, "nonsense"]}
    asked |= {f"fairseq-align {name} --help": [*ALIGN, name, "--help"] for name in COMMANDS}
    asked |= {f"fairseq-align {name}, no file": [*ALIGN, *words] for name, words in NAMED.items()}
    asked |= {f"fairseq-align {name} --nonsense": [*ALIGN, name, "--nonsense"] for name in COMMANDS}
    return asked


def processor_time(arguments: list[str]) -> float:
    """Seconds of user and system time of one process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    variables = os.environ | {"PYTHONPATH": str(REPO)}
    subprocess.run([sys.executable, *arguments], cwd=REPO, env=variables, capture_output=True, timeout=120)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("--rounds", type=int, default=5, help="measured rounds (default: %(default)s)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the record")
    args = parser.parse_args()
    times: dict[str, list[float]] = {name: [] for name in works()}
    draw = random.Random(1)
    for counted in range(-1, args.rounds):
        for name, arguments in draw.sample(list(works().items()), len(times)):
            seconds = processor_time(arguments)
            if counted >= 0:
                times[name].append(seconds)
    median = {name: statistics.median(values) for name, values in times.items()}
    rows = [
        {"asked": name, "seconds": round(value, 3), "of_import_torch": round(value / median["import torch"], 3)}
        for name, value in median.items()
    ]
    for row in rows:
        print(f"{row['asked']:40} {row['seconds']:6.2f} s  {row['of_import_torch']:5.2f} of import torch")
    save("startup", {"rounds": args.rounds, "load": round(os.getloadavg()[0], 1), "rows": rows}, args.results)


if __name__ == "__main__":
    main()
