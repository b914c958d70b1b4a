"""The documents: links lead somewhere, what they name is there, examples run, and no flag of a command is missing."""

import ast
import importlib
import importlib.util
import json
import os
import re
import sys
from dataclasses import fields
from pathlib import Path

import pytest
from fairseq.dataclass import FairseqDataclass

from tests.support import processes, warm
from tests.support.warm import REPO
from tests.test_house import FLOORS, PACKAGE

DOCS = REPO / "docs"
PAGES = sorted([*REPO.glob("*.md"), *DOCS.glob("*.md"), *REPO.glob("examples/*/README.md")])
TREE = [path.relative_to(REPO) for folder in ("benchmarks", "docs", "examples", "fairseq_align", "preprocess", "tests")
        for path in (REPO / folder).rglob("*.*")] + [path.relative_to(REPO) for path in REPO.glob("*.*")]  # fmt: skip
SCRIPTS = sorted(path.stem for path in REPO.glob("preprocess/*.py"))
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def hooks():
    """The module that makes the generated parts of the site."""
    spec = importlib.util.spec_from_file_location("hooks", DOCS / "hooks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def name_of(page: Path) -> str:
    return str(page.relative_to(REPO))


def prose(page: Path) -> str:
    """A page without its blocks of code."""
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def blocks(page: Path, language: str) -> list[str]:
    return [code for kind, code in FENCE.findall(page.read_text(encoding="utf-8")) if kind == language]


def anchors(page: Path) -> set[str]:
    """Of the headings of a page, as GitHub and mkdocs both make them of these."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"\s+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower()) for heading in headings}


def rows(page: Path, heading: str) -> list[list[str]]:
    """Cells of the first table under a heading, without its header."""
    lines = page.read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n|", 1)[1].split("\n\n")[0]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines.splitlines()[2:]]


def test_the_readme_is_short():
    assert len((REPO / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_to_a_file_and_a_heading(page):
    for target in re.findall(r"\]\((?!\w+:)([^)\s]+)\)", prose(page)):
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


def is_in_tree(name: str, page: Path) -> bool:
    """Whether a file is beside a page, or its last parts are those of a file in the tree."""
    parts = Path(name).parts
    return (page.parent / name).exists() or any(path.parts[-len(parts) :] == parts for path in TREE)


def test_the_tests_that_stand_beside_public_threads_are_there():
    tests = "".join(path.read_text(encoding="utf-8") for path in (REPO / "tests").rglob("test_*.py"))
    named = [
        name for row in rows(DOCS / "runs.md", "What others have met") for name in re.findall(r"`(test_\w+)`", row[2])
    ]
    assert len(named) >= 40 and all(f"def {name}(" in tests for name in named)


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "CHANGELOG.md"], ids=name_of)
def test_what_is_named_is_in_the_tree(page):
    """Files by their path in the repository or the package, or by name alone; modules of ``python -m``."""
    text = re.sub(r"\]\([^)]*\)", "]", page.read_text(encoding="utf-8"))  # links have a test of their own
    named = re.findall(r"(?<![\w$/.{}*<>-])((?:[\w.-]+/)*[\w-]+\.(?:py|sh|yaml))(?![\w/])", text)
    named += [f"{module.replace('.', '/')}.py" for module in re.findall(r"-m ((?:tests|benchmarks)\.[\w.]+)", text)]
    missing = {name for name in named if not name.startswith("my_") and not is_in_tree(name, page)}
    assert missing == set()
    for folder in re.findall(r"`((?:benchmarks|docs|examples|fairseq_align|preprocess|tests)/[\w/]*)`", text):
        assert (REPO / folder).exists(), folder


def help_of(run, name: str) -> str:
    return run([*name.split(), "--help"], COLUMNS=200).stdout


def flags_in(text: str) -> set[str]:
    return set(re.findall(r"(?<![\w-])--[a-z][\w-]*", text))


def test_every_flag_of_every_command_is_in_the_tables(run, hooks):
    """What the tables are made of is compared with what ``--help`` of the same command says."""
    parsers = dict(hooks.commands())
    text = "\n" + hooks.GENERATED["commands"]()
    named = ("alignment", "evaluate", "report", "export", "import", "doctor")
    assert parsers.keys() >= {f"fairseq-align {name}" for name in (*named, *SCRIPTS)}
    for name in parsers:
        section = text.split(f"\n### `{name}`\n")[1].split("\n### ")[0]
        shown = help_of(run, name)
        usage = shown.partition("\n\n")[0]
        expected = flags_in(usage) - {"--help", "--quiet", "--verbose"}  # of every command
        assert expected <= flags_in(section), name
        for group in re.findall(r"^\s+\{([\w,-]+)\}\s", shown, re.MULTILINE):  # names of commands of a script
            assert {f"{name} {command}" for command in group.split(",")} <= parsers.keys()


def test_every_field_of_our_dataclasses_is_a_flag_in_the_tables(hooks):
    text = hooks.GENERATED["training"]()
    ours = []
    for path in sorted(PACKAGE.rglob("*.py")):
        if "(FairseqDataclass" in (source := path.read_text(encoding="utf-8")) or "Config(" in source:
            module = importlib.import_module(".".join(path.relative_to(REPO).with_suffix("").parts))
            ours += [value for value in vars(module).values()
                     if isinstance(value, type) and issubclass(value, FairseqDataclass)
                     and value.__module__ == module.__name__]  # fmt: skip
    assert len(ours) >= 4
    for config in ours:
        for one in fields(config):
            if "help" in one.metadata:
                assert one.name == "data" or f"`--{one.name.replace('_', '-')}" in text, (config, one.name)
                assert " ".join(one.metadata["help"].split())[:20].replace("<", "&lt;").replace("_", "\\_") in text


def test_the_table_of_rooms_is_that_of_the_imports():
    floors = {}
    for floor, names, _ in rows(DOCS / "extending.md", "Rooms"):
        floors.setdefault(int(floor), []).extend(re.findall(r"`(\w+)(?:/|\.py)`", names))
    assert [sorted(floors[number]) for number in range(len(FLOORS))] == [sorted(names.split()) for names in FLOORS]


def test_every_stop_of_the_tour_is_where_it_says():
    stops = rows(DOCS / "extending.md", "A tour")
    assert len(stops) == 5
    for _, _, folder, file, name in stops:
        module = ast.parse((REPO / folder.strip("`") / file.strip("`")).read_text(encoding="utf-8"))
        assert name.strip("`") in {getattr(node, "name", None) for node in module.body}


def test_the_table_of_patches_is_the_table_of_patches(hooks):
    from fairseq_align.training.patches import PATCHES

    table = hooks.GENERATED["patches"]()
    assert all(f"`{patch.name}`" in table for patch in PATCHES)


def test_the_picture_shows_the_figures_of_the_results_page(tmp_path):
    picture = DOCS / "images" / "zero-shot.svg"
    assert picture.stat().st_size < 100_000
    execute([sys.executable, DOCS / "picture.py", "--out", tmp_path / "new.svg"], REPO, dict(os.environ))
    drawn, new = (
        re.findall(r"<text [^>]*>([^<]*)</text>", path.read_text()) for path in (picture, tmp_path / "new.svg")
    )
    assert drawn == new and "75.6" in drawn


def in_folder(folder: Path) -> dict[str, str]:
    """Make a folder where the plugin and its scripts are found by name, as where they are installed; environment."""
    for name in ("fairseq_align", "preprocess"):
        (folder / name).symlink_to(REPO / name)
    return warm.environment() | {"PYTHONPATH": str(REPO), "OMP_NUM_THREADS": "1"}


def execute(command: list[object], folder: Path, environment: dict[str, str]) -> str:
    """What a command prints, which has to end with status 0."""
    done = processes.run(command, cwd=folder, env=environment)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


def test_the_notebook_is_the_python_page(tmp_path):
    execute([sys.executable, DOCS / "notebook.py", "--out", tmp_path / "new.ipynb"], REPO, dict(os.environ))
    written = (DOCS / "python.ipynb").read_text(encoding="utf-8")
    assert written == (tmp_path / "new.ipynb").read_text(encoding="utf-8"), "run python docs/notebook.py"
    cells = json.loads(written)["cells"]
    code = ["".join(cell["source"]) + "\n" for cell in cells if cell["cell_type"] == "code"]
    assert code == blocks(DOCS / "python.md", "python") and len(cells) > len(code) > 4


@pytest.mark.timeout(900)
def test_the_notebook_of_the_python_page_runs_from_top_to_bottom(tmp_path):
    cells = json.loads((DOCS / "python.ipynb").read_text(encoding="utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    if not importlib.util.find_spec("safetensors"):
        code = code[:-1]  # waits for the extra hf
    (tmp_path / "page.py").write_text("\n".join(code), encoding="utf-8")
    shown = execute(["python", "page.py"], tmp_path, in_folder(tmp_path))
    assert "['DET', 'NOUN', 'VERB', 'DET', 'NOUN', 'PUNCT']" in shown
    loss, entropy = (float(re.search(rf"^{name} (.*) nats$", shown, re.M)[1]) for name in ("loss", "unigram_entropy"))
    assert loss < entropy  # the model has learnt context
    seen, heldout = (float(re.search(rf"^{split} p@1 (\S+)", shown, re.M)[1]) for split in ("seen", "heldout"))
    assert seen == 1 and heldout < 1
    assert (tmp_path / "report" / "report.md").exists()


def other_language(text: str) -> str:
    """The same words, spelt in another way."""
    return text.translate(str.maketrans("aeioubdgkmst", "oaeuiptkgnzd"))


@pytest.mark.timeout(900)
def test_the_worked_example_of_the_readme_runs_on_small_files(toy, tmp_path):
    environment = in_folder(tmp_path)
    text = (toy / "toy" / "text.txt").read_text(encoding="utf-8")
    (tmp_path / "en.txt").write_text(text, encoding="utf-8")
    (tmp_path / "fr.txt").write_text(other_language(text), encoding="utf-8")
    words = sorted(set(re.findall(r"\w+", text.lower())))
    lines = "".join(f"{word} {other_language(word)}\n" for word in words)
    (tmp_path / "en-fr.txt").write_text(lines, encoding="utf-8")
    [commands] = blocks(REPO / "README.md", "bash")
    for size, small in {
        "--vocab-size 8000": "--vocab-size 300",
        "-update 8000": "-update 4",
        "-updates 700": "-updates 1",
    }.items():
        assert size in commands
        commands = commands.replace(size, small)
    execute(
        ["bash", "-euo", "pipefail", "-c", commands.replace("fairseq-train ", "fairseq-train --cpu ")],
        tmp_path,
        environment,
    )
    assert (tmp_path / "report" / "report.md").exists()
    [example] = blocks(REPO / "README.md", "python")
    if not importlib.util.find_spec("safetensors"):
        example = example.replace("fa.export(", "# waits for the extra hf: fa.export(")
    (tmp_path / "example.py").write_text(example, encoding="utf-8")
    shown = execute(["python", "example.py"], tmp_path, environment)
    assert "p@1" in shown and (tmp_path / "data-bin" / "en-x" / "derivation.json").exists()


@pytest.mark.timeout(900)
def test_the_plugin_of_the_extending_page_trains_with_its_loss(toy, tmp_path):
    environment = in_folder(tmp_path)
    (tmp_path / "my_plugin").mkdir()
    [plugin] = blocks(DOCS / "extending.md", "python")
    (tmp_path / "my_plugin" / "__init__.py").write_text(plugin, encoding="utf-8")
    flags = "--task align_mlm --langs en --tokens-per-sample 32 --criterion align_mlm --align-loss absolute"
    flags += " --arch roberta_base --encoder-layers 1 --encoder-embed-dim 16 --encoder-ffn-embed-dim 16"
    flags += " --encoder-attention-heads 1 --max-positions 32 --optimizer adam --lr 1e-3 --batch-size 8 --max-update 2"
    flags += " --valid-subset valid_en --num-workers 0 --cpu --log-format json --log-interval 1 --no-save"
    command = ["fairseq-train", toy / "data-bin", "--user-dir", "my_plugin", "--lexicon", toy / "lexicon.tsv"]
    done = processes.run([*command, *flags.split()], cwd=tmp_path, env=environment)
    losses = [float(loss) for loss in re.findall(r'"align_loss": "([^"]+)"', done.stdout + done.stderr)]
    assert done.returncode == 0 and losses and all(-1 <= loss <= 0 for loss in losses), done.stderr[-3000:]


@pytest.mark.timeout(900)
def test_the_site_is_built_without_a_warning_and_asks_no_other_host(tmp_path):
    pytest.importorskip("mkdocs", reason="waits for the extra docs: EXTRAS=docs bash install.sh")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--config-file", REPO / "mkdocs.yml"]
    execute([*command, "--site-dir", tmp_path / "site"], REPO, dict(os.environ))
    pages = {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "site").glob("*.html")}
    assert {"index.html", "flags.html", "api.html", "modules.html", "extending.html"} <= pages.keys()
    assert "--align-weight" in pages["flags.html"] and "score_alignment" in pages["api.html"]
    for page in pages.values():
        assert "generated: " not in page
        assert not re.findall(r"<(?:script|img)[^>]*src=\"?https?:|<link[^>]*stylesheet[^>]*https?:", page)
