import ast
import importlib.metadata
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import tarfile
import time
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import fairseq_align

# distributions whose package has another name
DISTRIBUTIONS = {
    "alignment_train_cpu_binding": "fairseq-fixed",
    "fairseq": "fairseq-fixed",
    "fairseq_cli": "fairseq-fixed",
    "sklearn": "scikit-learn",
    "umap": "umap-learn",
}
# of environments of their own: tests/stress/guided.py, examples/derived/parser.sh, and tests/golden/ where it makes its
# figures again
ELSEWHERE = {"atheris", "seqeval", "spacy"}
# required by fairseq-fixed, but left out: constraints.txt says why
LEFT_OUT = {"torchaudio"}


@pytest.fixture(scope="module")
def wheel(repo, tmp_path_factory) -> zipfile.ZipFile:
    """The wheel that pip builds; nothing is left in the repository."""
    folder = tmp_path_factory.mktemp("wheel")
    settings = f"[build]\nbuild_base = {folder}/build\n[egg_info]\negg_base = {folder}\n"
    (folder / "distutils.cfg").write_text(settings, encoding="utf-8")
    command = [sys.executable, "-m", "pip", "wheel", "-qq", "--no-deps", "--no-build-isolation", "--wheel-dir", folder]
    environment = os.environ | {"DIST_EXTRA_CONFIG": str(folder / "distutils.cfg")}
    subprocess.run([*map(str, command), str(repo)], env=environment, check=True)
    return zipfile.ZipFile(folder / f"fairseq_align-{fairseq_align.__version__}-py3-none-any.whl")


@pytest.fixture(scope="module")
def metadata(wheel) -> importlib.metadata.PackageMetadata:
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    return importlib.metadata.PathDistribution(zipfile.Path(wheel, f"{Path(name).parent}/")).metadata


def applying(lines, *extras: str) -> list[Requirement]:
    """Those of the requirements that hold here, always or with one of the extras."""
    needs = [Requirement(line) for line in lines or []]
    return [
        need
        for need in needs
        if not need.marker or any(need.marker.evaluate({"extra": extra}) for extra in ("", *extras))
    ]


def names(needs: list[Requirement]) -> set[str]:
    return {canonicalize_name(need.name) for need in needs}


@pytest.fixture(scope="module")
def constraints(repo) -> str:
    return (repo / "constraints.txt").read_text(encoding="utf-8")


def pins(constraints: str) -> dict[str, str]:
    """Versions by distribution."""
    lines = constraints.split("\n")
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


def imports(*folders: Path) -> dict[str, str]:
    """Packages that the Python files in these folders import from outside, with one file that does."""
    found = {}
    for path in sorted(path for folder in folders for path in folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module]
            found |= {name.partition(".")[0]: str(path) for name in names}
    return {
        name: path for name, path in found.items() if name not in sys.stdlib_module_names | {"fairseq_align", "tests"}
    }


def undeclared(found: dict[str, str], declared: set[str]) -> dict[str, str]:
    return {
        name: path for name, path in found.items() if canonicalize_name(DISTRIBUTIONS.get(name, name)) not in declared
    }


def test_the_wheel_holds_every_module(repo, wheel):
    modules = {path.relative_to(repo).as_posix() for path in (repo / "fairseq_align").rglob("*.py")}
    assert {name for name in wheel.namelist() if ".dist-info/" not in name} == modules | {"fairseq_align/py.typed"}


def test_the_wheel_brings_the_console_script(wheel):
    (name,) = (name for name in wheel.namelist() if name.endswith("entry_points.txt"))
    assert "fairseq-align = fairseq_align.cli:main" in wheel.read(name).decode()


def test_every_import_of_the_package_and_its_scripts_is_declared(repo, metadata):
    declared = names(
        applying(metadata.get_all("Requires-Dist"), "plot", "hf", "parquet", "shell", "umap", "characters")
    )
    folders = (repo / "fairseq_align", repo / "preprocess", repo / "examples")
    assert undeclared(imports(*folders), declared | ELSEWHERE) == {}


def test_every_import_of_the_tests_is_declared(repo, metadata):
    declared = names(applying(metadata.get_all("Requires-Dist"), "plot", "test"))
    folders = {"benchmarks", "examples", "preprocess"}
    local = folders | {path.stem for folder in folders for path in (repo / folder).rglob("*.py")}
    found = imports(repo / "tests")
    found = {name: found[name] for name in found.keys() - local}
    assert undeclared(found, declared | ELSEWHERE) == {}


def unpinned(needs: list[Requirement], pinned: dict[str, str]) -> list[str]:
    """Requirements that constraints.txt has no version for, or one that does not satisfy them."""
    wrong = []
    for need in needs:
        name = canonicalize_name(need.name)
        if name not in LEFT_OUT and not (name in pinned and need.specifier.contains(pinned[name])):
            wrong.append(str(need))
    return wrong


def test_every_requirement_is_pinned_to_a_version_that_satisfies_it(constraints, metadata):
    assert (
        unpinned(applying(metadata.get_all("Requires-Dist"), *metadata.get_all("Provides-Extra")), pins(constraints))
        == []
    )


def test_uv_builds_with_the_pinned_setuptools(repo, constraints):
    settings = tomllib.loads((repo / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["uv"]
    assert set(settings["build-constraint-dependencies"]) <= set(constraints.splitlines())


def test_what_the_pinned_versions_require_in_turn_is_pinned(constraints):
    """As far as it is installed here; a torch that was there before brings its own needs."""
    pinned = pins(constraints)
    here = {canonicalize_name(distribution.name) for distribution in importlib.metadata.distributions()}
    for name in sorted(pinned.keys() & here - {"torch"}):
        assert unpinned(applying(importlib.metadata.requires(name)), pinned) == [], name


def fake_python(folder: Path, version: str, body: str) -> Path:
    """A program that answers for a Python interpreter."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "python"
    path.write_text(
        f'#!/bin/sh\n[ "$1" = --version ] && {{ echo "Python {version}"; exit 0; }}\n{body}\n', encoding="utf-8"
    )
    path.chmod(0o755)
    return path


def test_install_refuses_an_old_python_in_one_line(run, tmp_path):
    python = fake_python(tmp_path, "3.10.14", "exit 1")
    done = run(["bash", "install.sh"], check=False, PYTHON=python, VENV=tmp_path / "new")
    assert done.returncode == 1 and not (tmp_path / "new").exists()
    assert (
        done.stderr == "error: found Python 3.10.14, expected Python 3.11 or newer; name one with PYTHON=python3.12\n"
    )


@pytest.fixture
def environment(tmp_path) -> Path:
    """A new virtual environment without pip."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv")], check=True)
    return tmp_path / "venv"


def site_packages(environment: Path) -> Path:
    (folder,) = environment.glob("lib/python*/site-packages")
    return folder


@pytest.mark.parametrize(
    "name, version, message",
    [
        ("torch", "2.4.1", r"found torch 2\.4\.1, expected 2\.10 or newer; upgrade it, or choose another environment"),
        (
            "fairseq",
            "0.12.2",
            r"found fairseq 0\.12\.2, expected only fairseq-fixed.*; pip uninstall fairseq fairseq-fixed, or choose",
        ),
    ],
)
def test_install_refuses_an_environment_that_it_would_spoil(run, environment, name, version, message):
    """An old torch and another fairseq are the user's; neither is replaced."""
    info = site_packages(environment) / f"{name}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", encoding="utf-8")
    (info / "INSTALLER").write_text("pip\n", encoding="utf-8")
    done = run(["bash", "install.sh"], check=False, VENV=environment)
    assert done.returncode == 1
    assert re.fullmatch(rf"error: .*{message}.*\n", done.stderr)


@pytest.fixture
def full_environment(constraints, environment) -> Path:
    """A new environment that sees what is installed here, so that only the package itself is missing."""
    here = {canonicalize_name(one.name): one.version for one in importlib.metadata.distributions()}
    common = constraints.split("# what the extra ")[0]
    if any(here.get(name) != version for name, version in pins(common).items() if name != "torch"):
        pytest.skip("waits for an environment with the versions of constraints.txt: bash install.sh")
    (site_packages(environment) / "here.pth").write_text(f"{sysconfig.get_path('purelib')}\n", encoding="utf-8")
    return environment


def test_install_adds_only_what_is_missing_and_a_second_run_adds_nothing(run, full_environment):
    """Into the active conda environment, which is known by its variable."""
    active = {"VENV": "", "VIRTUAL_ENV": "", "CONDA_PREFIX": full_environment}
    first = run(["bash", "install.sh"], **active).stdout
    assert re.findall(r"\] (.*)", first)[1:] == [
        "fairseq_align",
        "bytecode of what a training imports",
        "done; 'fairseq-align doctor' shows what is installed",
    ]
    assert (site_packages(full_environment) / "fairseq_align" / "cli.py").exists()
    second = run(["bash", "install.sh"], **active).stdout
    assert re.findall(r"\] (.*)", second) == [f"environment {full_environment}: everything is installed"]


def test_an_editable_install_is_a_folder_beside_fairseq_and_imports_the_clone(repo, full_environment, tmp_path):
    """fairseq takes ``--user-dir fairseq_align`` for that folder."""
    command = [full_environment / "bin" / "python", "-m", "pip", "install", "-qq", "--no-deps", "--no-build-isolation"]
    subprocess.run([*map(str, command), "--editable", str(repo)], check=True)
    assert (site_packages(full_environment) / "fairseq_align").is_dir()
    command = [full_environment / "bin" / "python", "-P", "-c", "import fairseq_align; print(fairseq_align.__file__)"]
    done = subprocess.run(list(map(str, command)), cwd=tmp_path, capture_output=True, text=True, check=True)
    assert Path(done.stdout.strip()).parent == repo / "fairseq_align"


# what install.sh does where something is missing or breaks: a copy of it with pins of invented distributions


def install_copy(repo: Path, folder: Path, *invented: str) -> Path:
    """A copy of what install.sh needs, with these pins added."""
    folder.mkdir()
    for name in ("install.sh", "setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(repo / name, folder)
    shutil.copytree(repo / "fairseq_align", folder / "fairseq_align", ignore=shutil.ignore_patterns("__pycache__"))
    common = (repo / "constraints.txt").read_text(encoding="utf-8").split("# what the extra ")[0]
    pinned = pins(common) | dict(pin.split("==") for pin in invented)
    text = "\n".join("==".join(pin) for pin in pinned.items())
    (folder / "constraints.txt").write_text(f"{text}\n", encoding="utf-8")
    return folder / "install.sh"


def write_wheel(folder: Path, name: str) -> Path:
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}.py", "")
        archive.writestr(f"{name}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(
            f"{name}-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{name}-1.0.dist-info/RECORD", "")
    return path


def write_source(folder: Path, name: str, version: str, setup: str) -> None:
    """A source archive that builds by running ``setup``."""
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    with tarfile.open(folder / f"{name}-{version}.tar.gz", "w:gz") as archive:
        for path, text in (("setup.py", setup), ("PKG-INFO", metadata)):
            info = tarfile.TarInfo(f"{name}-{version}/{path}")
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))


@pytest.fixture
def wheels(tmp_path) -> Path:
    (tmp_path / "some wheels").mkdir()
    return tmp_path / "some wheels"


def running(word: str) -> list[str]:
    """Commands of the processes, zombies apart, that have this word in them."""
    shown = subprocess.run(["ps", "-eww", "-o", "stat,args"], capture_output=True, text=True, check=True).stdout
    return [line for line in shown.splitlines() if word in line and not line.startswith("Z")]


def until(condition, seconds: float = 60) -> None:
    """Wait until it holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_only_two_distributions_may_be_built_from_source(repo):
    text = (repo / "install.sh").read_text(encoding="utf-8")
    assert re.findall(r"^FROM_SOURCE='(.*)'", text, re.MULTILINE) == ["fairseq-fixed|antlr4-python3-runtime"]
    code = re.sub(r"^ *#.*", "", text, flags=re.MULTILINE)
    calls = re.findall(r"\bpip (?:install|download|wheel) [^&|;>}\n]*", code)
    assert [call.strip() for call in calls if "--only-binary=:all:" not in call] == [
        'pip install --python "$PY" pip',  # of uv
        'pip wheel --no-deps --no-build-isolation --wheel-dir "$WORK" "$@"',
    ]
    assert re.findall(r".*\bbuild \$.*", code) == ['    start "$BUILD_LOG" build $sources']


def test_the_compiled_parts_of_fairseq_compute():
    """install.sh compiles them with a part of torch's headers."""
    import torch
    from alignment_train_cpu_binding import alignment_train_cpu
    from fairseq import libbase, libnat

    assert libbase.balanced_assignment(torch.tensor([[0.0, 1.0], [1.0, 0.0]])).tolist() == [1, 0]
    insert_4_at_the_end, delete_1 = [[0], [0], [0], [4]], [1, 0, 0]  # 0 is padding
    assert libnat.suggested_ed2_path([[1, 2, 3]], [[2, 3, 4]], 0) == [[*insert_4_at_the_end, delete_1]]
    attention = torch.zeros(1, 2, 3)
    alignment_train_cpu(torch.tensor([[[0.5, 1.0, 1.0], [0.5, 1.0, 1.0]]]), attention, 1e-6)
    torch.testing.assert_close(attention, torch.tensor([[[0.5, 0.5, 0.0], [0.25, 0.75, 0.0]]]))


def test_what_has_no_wheel_is_an_error_and_is_not_built(repo, run, full_environment, tmp_path, wheels):
    script = install_copy(repo, tmp_path / "a copy", "invented==1.0")
    write_source(wheels, "invented", "1.0", f"open({str(tmp_path / 'built')!r}, 'w')")
    done = run(["bash", script], check=False, VENV=full_environment, WHEELS=wheels)
    assert done.returncode == 1 and not (tmp_path / "built").exists()
    assert re.fullmatch(r"error: installing packages failed: .*invented==1\.0.*; the log is .*\n", done.stderr)


def test_a_missing_compiler_is_told_before_anything_is_downloaded(repo, run, full_environment, tmp_path, wheels):
    script = install_copy(repo, tmp_path / "copy", "fairseq-fixed==99", "invented==1.0")
    write_wheel(wheels, "invented")
    done = run(["bash", script], check=False, VENV=full_environment, WHEELS=wheels, CXX="no-such-compiler")
    assert done.returncode == 1 and not (site_packages(full_environment) / "invented.py").exists()
    assert re.fullmatch(
        r"error: fairseq-fixed==99 has no wheel for Python .*: found no working C\+\+ compiler.*\n", done.stderr
    )


def test_an_installation_that_was_cut_off_is_made_again(repo, run, full_environment, tmp_path, wheels):
    """pip would take the metadata of a distribution for the whole of it."""
    script = install_copy(repo, tmp_path / "copy", "invented==1.0")
    write_wheel(wheels, "invented")
    with zipfile.ZipFile(wheels / "invented-1.0-py3-none-any.whl") as archive:
        archive.extract("invented-1.0.dist-info/METADATA", site_packages(full_environment))
    run(["bash", script], VENV=full_environment, WHEELS=wheels)
    assert (site_packages(full_environment) / "invented.py").exists()


BUILD = """
import subprocess, sys
subprocess.run([sys.executable, "-c", "import time; time.sleep(1000)", {word!r}])
"""


def test_a_truncated_wheel_stops_the_build_beside_it_and_the_next_run_goes_on(
    repo, run, full_environment, tmp_path, wheels
):
    script = install_copy(repo, tmp_path / "copy", "antlr4-python3-runtime==99", "invented==1.0")
    write_source(wheels, "antlr4-python3-runtime", "99", BUILD.format(word=f"{tmp_path}/building"))
    wheel = write_wheel(wheels, "invented")
    wheel.write_bytes(wheel.read_bytes()[:300])
    done = run(["bash", script], check=False, VENV=full_environment, WHEELS=wheels)
    assert done.returncode == 1
    log = full_environment / "fairseq_align.log"
    assert re.fullmatch(rf"error: installing packages failed: .*invented.*; the log is {log};.*\n", done.stderr)
    assert log.exists() and running(str(tmp_path)) == []
    write_wheel(wheels, "invented")
    write_source(
        wheels,
        "antlr4-python3-runtime",
        "99",
        "from setuptools import setup\nsetup(name='antlr4-python3-runtime', version='99')",
    )
    run(["bash", script], VENV=full_environment, WHEELS=wheels)
    assert (site_packages(full_environment) / "invented.py").exists()
    assert any(site_packages(full_environment).glob("antlr4_python3_runtime-99.dist-info"))


@pytest.mark.parametrize("name, status", [("INT", 130), ("TERM", 143)])
def test_an_interrupt_stops_what_was_started(repo, full_environment, tmp_path, wheels, name, status):
    script = install_copy(repo, tmp_path / "copy", "antlr4-python3-runtime==99")
    word = f"{tmp_path}/building"
    write_source(wheels, "antlr4-python3-runtime", "99", BUILD.format(word=word))
    variables = os.environ | {"VENV": str(full_environment), "WHEELS": str(wheels)}
    command = ["env", f"--default-signal={name}", "bash", str(script)]  # what runs the tests may ignore the signal
    process = subprocess.Popen(command, env=variables, stdout=subprocess.DEVNULL)
    try:
        until(lambda: running(word) or process.poll() is not None)
        process.send_signal(getattr(signal, f"SIG{name}"))
        assert process.wait(timeout=60) == status
    finally:
        process.terminate()
    assert running(str(tmp_path)) == []


def test_the_dockerfile_installs_the_tested_torch_by_install_sh(repo, constraints):
    lines = (repo / "Dockerfile").read_text(encoding="utf-8").splitlines()
    (torch,) = (line for line in lines if "torch==" in line)
    assert f"torch=={pins(constraints)['torch']} " in torch
    assert any(line.startswith("RUN ") and "bash install.sh && fairseq-align doctor" in line for line in lines)
    folder = next(line.split()[1] for line in lines if line.startswith("WORKDIR"))
    assert f":{folder}/runs" in (repo / "docs" / "installation.md").read_text(encoding="utf-8")
    left_out = (repo / ".dockerignore").read_text(encoding="utf-8").split()
    assert ".git" in left_out and not {"install.sh", "constraints.txt", "fairseq_align", "examples"} & set(left_out)
