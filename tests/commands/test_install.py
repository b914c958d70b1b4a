import ast
import importlib.metadata
import os
import re
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import fairseq_align

# distributions whose package has another name
DISTRIBUTIONS = {"fairseq": "fairseq-fixed", "sklearn": "scikit-learn"}
# of an environment of its own: examples/derived/parser.sh
ELSEWHERE = {"spacy"}
# required by fairseq-fixed, but left out: constraints.txt says why
LEFT_OUT = {"torchaudio"}


@pytest.fixture(scope="module")
def wheel(repo, tmp_path_factory) -> zipfile.ZipFile:
    """The wheel that pip builds from setup.py; nothing is left in the repository."""
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
    assert {name for name in wheel.namelist() if ".dist-info/" not in name} == modules


def test_the_wheel_brings_the_console_script(wheel):
    (name,) = (name for name in wheel.namelist() if name.endswith("entry_points.txt"))
    assert "fairseq-align = fairseq_align.cli:main" in wheel.read(name).decode()


def test_every_import_of_the_package_and_its_scripts_is_declared(repo, metadata):
    declared = names(applying(metadata.get_all("Requires-Dist"), "plot", "hf"))
    folders = (repo / "fairseq_align", repo / "preprocess", repo / "examples")
    assert undeclared(imports(*folders), declared | ELSEWHERE) == {}


def test_every_import_of_the_tests_is_declared(repo, metadata):
    declared = names(applying(metadata.get_all("Requires-Dist"), "plot", "test"))
    folders = {"benchmarks", "examples", "preprocess"}
    local = folders | {path.stem for folder in folders for path in (repo / folder).rglob("*.py")}
    found = imports(repo / "tests")
    found = {name: found[name] for name in found.keys() - local}
    assert undeclared(found, declared) == {}


def unpinned(needs: list[Requirement], pinned: dict[str, str]) -> list[str]:
    """Requirements that constraints.txt has no version for, or one that does not satisfy them."""
    wrong = []
    for need in needs:
        name = canonicalize_name(need.name)
        if name not in LEFT_OUT and not (name in pinned and need.specifier.contains(pinned[name])):
            wrong.append(str(need))
    return wrong


def test_every_requirement_is_pinned_to_a_version_that_satisfies_it(constraints, metadata):
    assert unpinned(applying(metadata.get_all("Requires-Dist"), "hf", "plot", "test"), pins(constraints)) == []


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
    done = run(["bash", "install.sh"], check=False, VENV=environment)
    assert done.returncode == 1
    assert re.fullmatch(rf"error: .*{message}.*\n", done.stderr)


def test_install_adds_only_what_is_missing_and_a_second_run_adds_nothing(run, constraints, environment):
    """The new environment sees what is installed here, so only the package itself is missing."""
    here = {canonicalize_name(one.name): one.version for one in importlib.metadata.distributions()}
    common = constraints.split("# what the extra hf adds")[0]
    if any(here.get(name) != version for name, version in pins(common).items() if name != "torch"):
        pytest.skip("waits for an environment with the versions of constraints.txt: bash install.sh")
    (site_packages(environment) / "here.pth").write_text(f"{sysconfig.get_path('purelib')}\n", encoding="utf-8")
    first = run(["bash", "install.sh"], VENV=environment).stdout
    assert re.findall(r"\] (.*)", first)[1:] == [
        "fairseq_align",
        "bytecode of what a training imports",
        "done; 'fairseq-align doctor' shows what is installed",
    ]
    assert (site_packages(environment) / "fairseq_align" / "cli.py").exists()
    second = run(["bash", "install.sh"], VENV=environment).stdout
    assert re.findall(r"\] (.*)", second) == [f"virtual environment {environment}: everything is installed"]
