"""Run a command, and show how far the trainings are whose logs it writes; what it prints goes to a file.

    fairseq-align watch runs/mine --output runs/mine/cells.log -- bash examples/derived/run.sh align_mlm invert

Every train.log under the folder that grows while the command runs has a line: updates done of all, and the time left.
On a terminal the lines move; elsewhere one is printed where a training begins and where it ends.
"""

import argparse
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from fairseq_align.errors import INTERRUPTED, InputError

LOG = "train.log"
LOOK = 1.0  # seconds between looks
SHOWN = 30  # last lines that are shown of a command that failed
_TOTAL = re.compile(r"'(?:max_update|total_num_update)': '?(\d+)")
_DONE = re.compile(r"num_updates[= ](\d+)")
_ENDED = re.compile(r"\| done training in ")


def add_parser(subparsers) -> None:
    """Add the command ``watch`` to ``fairseq-align``."""
    parser = subparsers.add_parser(
        "watch",
        help="run a command and show how far its trainings are",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=Path, help="folder under which its logs of fairseq-train are, each a train.log")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="file that gets what it prints")
    parser.add_argument("--title", default="", help="what the command does, beside the time that it takes")
    parser.add_argument("command", nargs="+", help="the command and its arguments, behind --")
    parser.set_defaults(func=run)


class Training:
    """A training, as far as its log says.

    Attributes:
        name: folder of the log, below the folder that is watched.
        total: updates of the whole training; 0: not known yet.
        done: updates that are done.
        ended: whether the log says so.
    """

    def __init__(self, log: Path, name: str, now: float):
        self.name, self._log, self._began, self._position = name, log, now, 0
        self.total, self.done, self.ended = 0, 0, False
        self._marks: list[tuple[float, int]] = []  # times, and the updates done then

    def look(self, now: float) -> None:
        """Read what is new in the log."""
        try:
            size = self._log.stat().st_size
            if size < self._position:  # a new log in the place of the old one
                self._position, self.done, self.ended, self._marks = 0, 0, False, []
            with open(self._log, "rb") as file:
                file.seek(self._position)
                text = file.read(size - self._position)
        except OSError:  # moved, e.g. behind the first of two phases
            self.ended = True
            return
        whole = text.rfind(b"\n") + 1
        self._position += whole
        lines = text[:whole].decode("utf-8", "replace")
        totals = [int(number) for number in _TOTAL.findall(lines)]
        self.total = max(filter(None, totals), default=self.total)
        if counts := _DONE.findall(lines):
            self.done = int(counts[-1])
            self._marks.append((now, self.done))
        self.ended = bool(_ENDED.search(lines)) or self.ended

    def left(self, now: float) -> float | None:
        """Seconds until the last update at the pace since the first look; None: nothing to tell it from."""
        if not self._marks or not self.total:
            return None
        first = self._marks[0] if len(self._marks) > 1 else (self._began, 0)
        updates, seconds = self._marks[-1][1] - first[1], self._marks[-1][0] - first[0]
        if updates <= 0 or seconds <= 0:
            return None
        return max(0.0, (self.total - self.done) * seconds / updates - (now - self._marks[-1][0]))

    def line(self, now: float, width: int, widest: int) -> str:
        """Name, bar, updates done of all, and the time left, or taken where the training has ended."""
        fraction = min(1.0, self.done / self.total) if self.total else 0.0
        updates = f"{self.done:,} of {self.total:,} updates" if self.total else "starting"
        left = self.left(now)
        when = f"took {clock(now - self._began)}" if self.ended else "" if left is None else f"{clock(left)} left"
        end = f"  {bar(fraction)}  {updates:>24}  {when:>14}"
        room = min(widest, max(12, width - len(end)))
        name = self.name if len(self.name) <= room else f"…{self.name[1 - room :]}"
        return f"{name:<{room}}{end}"[:width]


def bar(fraction: float, width: int = 20) -> str:
    """A bar of ``width`` characters.

    Example:
        >>> bar(0.25, 8)
        '██░░░░░░'
    """
    full = round(fraction * width)
    return "█" * full + "░" * (width - full)


def clock(seconds: float) -> str:
    """Seconds as a clock shows them.

    Example:
        >>> clock(59.4), clock(3725)
        ('0:59', '1:02:05')
    """
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


class Screen:
    """Lines of trainings on a terminal, which are written over, or a log, to which lines are added.

    Args:
        out: where to write; characters that it cannot show become ``#`` and ``.``.
    """

    def __init__(self, out: TextIO, title: str):
        self.out, self.title, self._moving, self._known = out, title, 0, set()
        self.terminal = out.isatty()

    def show(self, trainings: Sequence[Training], now: float, seconds: float) -> None:
        """Show trainings that go on; of those that have ended the last line, once."""
        width = shutil.get_terminal_size().columns - 1 if self.terminal else 120
        widest = max((len(training.name) for training in trainings), default=0)
        ended = [training for training in trainings if training.ended and training.name not in self._known]
        going = [training for training in trainings if not training.ended]
        self._known |= {training.name for training in ended}
        lines = [training.line(now, width, widest) for training in ended]
        if self.terminal:
            moving = [training.line(now, width, widest) for training in going]
            if self.title:
                moving.append(f"{self.title} … {clock(seconds)}"[:width])
            self._write(f"\x1b[{self._moving}F\x1b[J" if self._moving else "", [*lines, *moving])
            self._moving = len(moving)
        else:
            begun = [training for training in going if training.total and f"{training.name} begun" not in self._known]
            self._known |= {f"{training.name} begun" for training in begun}
            self._write("", [*(f"{training.name}: {training.total:,} updates" for training in begun), *lines])

    def close(self) -> None:
        """Leave what has ended on the screen and take the rest away."""
        if self._moving:
            self._write(f"\x1b[{self._moving}F\x1b[J", [])

    def _write(self, start: str, lines: Sequence[str]) -> None:
        text = start + "".join(f"{line}\n" for line in lines)
        try:
            text.encode(self.out.encoding or "utf-8")
        except UnicodeEncodeError:
            text = text.translate(str.maketrans("█░…", "#.~"))
        self.out.write(text)
        self.out.flush()


def run(args: argparse.Namespace) -> int:
    """Run the command and show its trainings.

    Returns:
        its exit status.

    Raises:
        InputError: the command is not found.
    """
    before = {log: log.stat().st_mtime_ns for log in args.folder.rglob(LOG)}
    trainings: dict[Path, Training] = {}
    screen, began = Screen(sys.stdout, args.title), time.monotonic()
    process = None
    try:
        process = start(args.command, args.output)
        while True:
            ended = process.poll() is not None
            now = time.monotonic()
            for log in sorted(args.folder.rglob(LOG)):
                if log not in trainings and before.get(log) != log.stat().st_mtime_ns:
                    trainings[log] = Training(log, str(log.parent.relative_to(args.folder)), now)
            for training in trainings.values():
                if not training.ended:
                    training.look(now)
            screen.show(list(trainings.values()), now, now - began)
            if ended:
                break
            time.sleep(LOOK)
    except KeyboardInterrupt:
        screen.close()
        print(f"interrupted; the same command goes on from what is done; the log is {args.output}", file=sys.stderr)
        if process is not None:
            process.wait()  # a training writes a checkpoint first
        return INTERRUPTED
    screen.close()
    if process.returncode:
        with open(args.output, encoding="utf-8", errors="replace") as file:
            print("".join(file.readlines()[-SHOWN:]), end="", file=sys.stderr)
        print(f"error: {args.title or args.command[0]} failed; the whole log is {args.output}", file=sys.stderr)
    return process.returncode


def start(command: Sequence[str], output: Path) -> subprocess.Popen:
    """Start a command whose output is added to a file."""
    output.parent.mkdir(parents=True, exist_ok=True)
    with open(output, "ab") as file:
        try:
            return subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
        except OSError as error:
            raise InputError(f"{command[0]}: found {error.strerror}, expected a command; name one behind --") from error
