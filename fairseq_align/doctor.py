"""``fairseq-align doctor``: what is installed, and what is wrong with it, one finding a line.

Every check is a function of what it is given (folders that hold distributions, a torch module), and none imports a
package that it has doubts about, so that the doctor works where nothing else does.
"""

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.machinery import PathFinder
from importlib.metadata import Distribution
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

import fairseq_align
from fairseq_align.files import check_exists, checksum

if TYPE_CHECKING:  # `packaging` may be what is missing
    from packaging.specifiers import SpecifierSet

FAIRSEQ = "fairseq-fixed"  # the distribution that installs a package `fairseq` which works
SPEECH = "torchaudio"  # what it requires for tasks that are not text, and install.sh leaves out
COMPILED = ("fairseq.data.data_utils_fast", "fairseq.data.token_block_utils_fast")
NVIDIA_DRIVER = Path("/proc/driver/nvidia/version")


@dataclass(frozen=True)
class Finding:
    """What was found about something: ``ok``, ``warn`` (works, but could work better) or ``FAIL`` (does not work)."""

    status: str
    what: str
    found: str
    advice: str = ""

    def __str__(self) -> str:
        return f"{self.status:<4}  {self.what}: {self.found}" + f" ({self.advice})" * bool(self.advice)


def python(version: Sequence[int]) -> Finding:
    """The interpreter, ``version`` as ``sys.version_info`` has it."""
    shown = ".".join(map(str, version[:3]))
    if tuple(version[:2]) < (3, 11):
        return Finding("FAIL", "Python", shown, "expected 3.11 or newer; PYTHON=python3.11 VENV=DIR bash install.sh")
    return Finding("ok", "Python", shown)


# distributions


def installed(name: str, path: Sequence[str | Path]) -> Distribution | None:
    """The distribution that pip would call ``name``, in the first of the folders that has it."""
    return next(iter(Distribution.discover(name=name, path=path)), None)


def providers(package: str, path: Sequence[str | Path]) -> list[Distribution]:
    """The distributions that install a package of this name, whatever they are called themselves, by name."""
    found = {
        distribution.name: distribution
        for distribution in Distribution.discover(path=path)
        if package in (distribution.read_text("top_level.txt") or "").split()
    }
    return [found[name] for name in sorted(found)]


def fairseq_distribution(path: Sequence[str | Path]) -> Finding:
    """Which distribution the package ``fairseq`` is from: several overwrite each other, upstream's does not import."""
    found = providers("fairseq", path)
    shown = " and ".join(f"{distribution.name} {distribution.version}" for distribution in found)
    if not found:
        return Finding("FAIL", "fairseq", "not installed", "bash install.sh")
    again = f"pip uninstall {' '.join(distribution.name for distribution in found)}, then bash install.sh"
    if len(found) > 1:
        return Finding("FAIL", "fairseq", shown, f"they overwrite each other's files; {again}")
    if found[0].name != FAIRSEQ:
        return Finding(
            "FAIL", "fairseq", shown, f"expected {FAIRSEQ}; fairseq 0.12.2 does not import on Python >= 3.11; {again}"
        )
    return Finding("ok", "fairseq", shown)


def requirements(path: Sequence[str | Path]) -> list[Finding]:
    """What this package and its fairseq declare to need, against what is there; extras are optional."""
    own = installed("fairseq_align", path)
    if own is None:
        folder = Path(fairseq_align.__file__).parent
        return [Finding("warn", "fairseq_align", f"not installed, used from {folder}", "bash install.sh")]
    found = [Finding("ok", "fairseq_align", own.version)]
    if failure("packaging.requirements") is not None:
        return [*found, Finding("FAIL", "packaging", "not installed", "it checks requirements; bash install.sh")]
    needs: dict[str, list[Need]] = {}
    for need in _needs(own, own.metadata.get_all("Provides-Extra") or []):
        needs.setdefault(need.name, []).append(need)
    engine = installed(FAIRSEQ, path)
    for need in _needs(engine, []) if engine else []:  # its extras are for its developers
        if need.name != SPEECH:
            needs.setdefault(need.name, []).append(need)
    return found + [_requirement(needs[name], path) for name in sorted(needs)]


class Need(NamedTuple):
    """A requirement that some distribution declares: ``specifier`` as ``packaging`` has it, ``extra`` '' if none."""

    name: str
    specifier: "SpecifierSet"
    extra: str


def _needs(distribution: Distribution, extras: Sequence[str]) -> Iterator[Need]:
    """What a distribution requires here, itself or for one of its extras."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    for line in map(Requirement, distribution.requires or []):
        for extra in ("", *extras):
            if line.marker is None or line.marker.evaluate({"extra": extra}):
                yield Need(canonicalize_name(line.name), line.specifier, extra)
                break


def _requirement(needs: Sequence[Need], path: Sequence[str | Path]) -> Finding:
    """One distribution against all that is required of it."""
    name = needs[0].name
    optional = all(need.extra for need in needs)
    advice = f"EXTRAS={needs[0].extra} bash install.sh" if optional else "bash install.sh"
    distribution = installed(name, path)
    if distribution is None:
        return Finding("ok" if optional else "FAIL", name, "not installed", "optional; " * optional + advice)
    unmet = [need.specifier for need in needs if not need.specifier.contains(distribution.version, prereleases=True)]
    if unmet:
        expected = f"expected {name}{','.join(map(str, unmet))}; {advice}"
        return Finding("warn" if optional else "FAIL", name, distribution.version, expected)
    return Finding("ok", name, distribution.version)


def user_dir(path: Sequence[str | Path]) -> Finding:
    """Whether ``--user-dir fairseq_align`` works in any folder: fairseq takes a name for a folder beside its own."""
    what = "--user-dir fairseq_align"
    spec = PathFinder.find_spec("fairseq", [str(folder) for folder in path])
    if spec is not None and spec.origin and (Path(spec.origin).parents[1] / "fairseq_align").is_dir():
        return Finding("ok", what, "found from any folder")
    folder = Path(fairseq_align.__file__).parent
    return Finding("warn", what, "not beside fairseq", f"bash install.sh, or name the folder: --user-dir {folder}")


def apex(path: Sequence[str | Path]) -> Finding:
    """Whether ``apex`` is NVIDIA's, told by its folders and not imported: the index has a web toolkit of that name."""
    spec = PathFinder.find_spec("apex", [str(folder) for folder in path])
    if spec is None:
        return Finding("ok", "apex", "not installed", "optional; build NVIDIA's from its source")
    folders = [Path(folder) for folder in spec.submodule_search_locations or []]
    if all(any((folder / part).is_dir() for folder in folders) for part in ("optimizers", "normalization")):
        return Finding("ok", "apex", f"NVIDIA's, in {folders[0]}")
    distribution = installed("apex", path)
    shown = f"apex {distribution.version}" if distribution else spec.origin or ", ".join(map(str, folders))
    return Finding("FAIL", "apex", shown, "not NVIDIA's, and fairseq would import it; pip uninstall apex")


# what imports


def failure(module: str) -> Exception | None:
    """What importing a module raises, if anything: not only ``ImportError``, a missing CUDA library is ``OSError``."""
    try:
        import_module(module)
    except Exception as error:
        return error
    return None


def importing(what: str, error: Exception | None, advice: str, otherwise: str = "FAIL") -> Finding:
    """Whether something imports, ``error`` being what it raised; ``otherwise`` is the status if it does not."""
    if error is None:
        return Finding("ok", what, "imports")
    message = " ".join(f"{type(error).__name__}: {error}".split())
    return Finding(otherwise, what, f"does not import: {message}", advice)


def torchaudio(path: Sequence[str | Path]) -> Finding:
    """Nothing needs it, but transformers imports it where it is, and one built for another torch does not load."""
    if installed(SPEECH, path) is None:
        return Finding("ok", SPEECH, "not installed", "optional, whatever pip check says: only speech models use it")
    advice = f"it is built for another torch, and transformers fails with it; pip uninstall {SPEECH}"
    return importing(f"import {SPEECH}", failure(SPEECH), advice, "warn")


def patches() -> Iterator[Finding]:
    """What the plugin replaces in fairseq, and why."""
    for patch in import_module("fairseq_align.training.patches").PATCHES:
        if patch.applied:
            yield Finding("ok", f"patch of {patch.name}", "applied", f"without it {patch.why}")
        elif patch.wanted():
            yield Finding("FAIL", f"patch of {patch.name}", "not applied", f"{patch.why}; bash install.sh")
        else:
            yield Finding("ok", f"patch of {patch.name}", "not needed here", f"without it {patch.why}")


# torch and the GPU


def torch_build(torch: ModuleType) -> str:
    """``CPU``, ``CUDA 13.0`` or ``ROCm 7.1``."""
    if torch.version.cuda:
        return f"CUDA {torch.version.cuda}"
    return f"ROCm {torch.version.hip}" if torch.version.hip else "CPU"


def backends(torch: ModuleType) -> Finding:
    """What several training processes can talk through: gloo between CPUs, NCCL between GPUs."""
    build = torch_build(torch)
    distributed = torch.distributed
    if not distributed.is_available():
        return Finding("warn", "torch build", f"{build}, not distributed", "several processes cannot train together")
    available = {"gloo": distributed.is_gloo_available(), "nccl": distributed.is_nccl_available()}
    missing = [name for name in ("gloo", "nccl") if not available[name] and (name, build) != ("nccl", "CPU")]
    found = ", ".join([build, *(name for name in available if available[name])])
    if missing:
        return Finding("warn", "torch build", found, f"no {' and no '.join(missing)} to train in several processes")
    return Finding("ok", "torch build", found)


def gpus(torch: ModuleType, driver: bool) -> Iterator[Finding]:
    """Each GPU with its precisions, or why there is none; ``driver`` says whether a driver of NVIDIA is loaded."""
    build = torch_build(torch)
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            yield gpu(torch, index)
    elif driver and build == "CPU":
        yield Finding("warn", "GPU", "not used: torch is a CPU build", "install a CUDA build of torch")
    elif driver:
        yield Finding("warn", "GPU", "not seen by torch", f"nvidia-smi should show one and at least {build}")
    else:
        yield Finding("ok", "GPU", "none", "training runs on the CPU: fairseq-train --cpu")


def gpu(torch: ModuleType, index: int) -> Finding:
    """One GPU: name, memory, compute capability, and the precisions that it is fast in."""
    properties = torch.cuda.get_device_properties(index)
    capability = (properties.major, properties.minor)
    found = f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB"
    if torch.version.hip:
        return Finding("ok", f"GPU {index}", found)  # compute capabilities are NVIDIA's
    found += f", compute capability {capability[0]}.{capability[1]}, {precisions(capability)}"
    architectures = torch.cuda.get_arch_list()
    if not has_kernels(capability, architectures):
        advice = f"torch is built for {' '.join(architectures)} only; install a torch built for this GPU"
        return Finding("FAIL", f"GPU {index}", found, advice)
    return Finding("ok", f"GPU {index}", found)


def precisions(capability: tuple[int, int]) -> str:
    """Precisions of an NVIDIA GPU, e.g. ``fp16 yes, bf16 no, tf32 no``; fp16 is slow without tensor cores (before 7.0).

    Source: appendix "Compute Capabilities" of the CUDA C++ Programming Guide.
    """
    fp16 = "yes" if capability >= (7, 0) else "slow" if capability >= (5, 3) else "no"
    ampere = "yes" if capability >= (8, 0) else "no"
    return f"fp16 {fp16}, bf16 {ampere}, tf32 {ampere}"


def has_kernels(capability: tuple[int, int], architectures: Sequence[str]) -> bool:
    """Whether code for these architectures (``sm_90``, ``sm_90a``, ``compute_90``) runs on a GPU of this capability.

    Machine code (sm) runs from its own capability up to the end of that major version, with an ``a`` only on exactly
    its own; intermediate code (compute) is compiled for every later GPU.
    """
    for kind, major, minor, suffix in re.findall(r"\b(sm|compute)_(\d+)(\d)([a-z]?)\b", " ".join(architectures)):
        built = (int(major), int(minor))
        later = built < capability and suffix != "a"
        if built == capability or (later and (kind == "compute" or built[0] == capability[0])):
            return True
    return False


# the command


def examine(path: Sequence[str | Path]) -> Iterator[Finding]:
    """All findings about this process and the distributions in the folders of ``path``."""
    yield python(sys.version_info)
    yield from requirements(path)
    yield fairseq_distribution(path)
    yield user_dir(path)
    error = failure("fairseq")
    yield importing("import fairseq", error and (error.__cause__ or error), "mend what FAILs here, or bash install.sh")
    if error is None:
        for module in COMPILED:
            advice = f"pip uninstall {FAIRSEQ}, then bash install.sh, which compiles it"
            yield importing(f"import {module}", failure(module), advice)
        yield from patches()
    yield apex(path)
    error = failure("torch")
    yield importing("import torch", error, "reinstall torch: pip uninstall torch, then bash install.sh")
    if error is None:
        torch = import_module("torch")
        yield backends(torch)
        yield from gpus(torch, NVIDIA_DRIVER.exists())
        yield torchaudio(path)


def checkpoint(path: Path) -> Iterator[Finding]:
    """What a checkpoint is made of, and whether its file is whole.

    Raises:
        InputError: there is no such file, or it cannot be read.
    """
    check_exists(path, "a checkpoint of fairseq-train; check the path")
    checkpoint_utils = import_module("fairseq.checkpoint_utils")
    fingerprint = import_module("fairseq_align.training.fingerprint")
    state = checkpoint_utils.load_checkpoint_to_cpu(str(path))
    made = fingerprint.read(state)
    updates = (state.get("optimizer_history") or [{}])[-1].get("num_updates", 0)
    yield Finding("ok", str(path), f"whole, {updates} updates, checksum {checksum(path)}")
    if made is None:
        yield Finding("warn", "made of", "no fingerprints", "it is of plain fairseq or of an earlier version")
        return
    for group, names in made.items():
        for name, value in sorted(names.items()):
            shown = " ".join(f"{key} {one}" for key, one in value.items()) if isinstance(value, dict) else str(value)
            yield Finding("ok", _printable(f"{group} {name}"), _printable(shown))


def _printable(text: str) -> str:
    """A text of a file without what would command a terminal."""
    return "".join(character if character.isprintable() else "?" for character in text)


def run(args: argparse.Namespace) -> int:
    """Print the findings; 1 if something FAILs."""
    status = 0
    for finding in checkpoint(args.checkpoint) if args.checkpoint else examine(sys.path):
        print(finding, flush=True)
        status |= finding.status == "FAIL"
    return int(status)


def add_parser(subparsers) -> None:
    """Add the command ``doctor`` to ``fairseq-align``."""
    parser = subparsers.add_parser(
        "doctor",
        help="what is installed, and what is wrong with it; what a checkpoint is made of",
        description="One finding a line: ok, warn or FAIL, what it is about, what was found, and how to mend it. "
        "The exit status is 1 if anything FAILs.",
    )
    parser.add_argument(
        "checkpoint",
        nargs="?",
        type=Path,
        help="of fairseq-train: say what it is made of, its vocabulary, lexicons, data and settings, and nothing else; "
        "default: examine the installation",
    )
    parser.set_defaults(func=run)
