"""What the recipes in examples/ share: help, dry runs, presets, the grid of a study, the flags of an objective."""

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import torch
from fairseq import optim, options
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from fairseq.optim import lr_scheduler
from omegaconf import OmegaConf

from fairseq_align.objectives import OBJECTIVES
from tests.support.warm import REPO

EXAMPLES = REPO / "examples"
PRESETS = sorted(EXAMPLES.glob("*/presets/*.sh"))
RECIPES = sorted(path for path in EXAMPLES.rglob("*.sh") if path.read_text().startswith("#!"))
NEEDED = {"WORK": "work", "TRAIN": "train.conllu", "VALID": "valid.conllu", "TEST": "test.conllu", "PARSER": "parser"}
NEEDED |= {f"{task}_{split}": f"{task}.{split}" for task in ("NER", "XNLI") for split in ("TRAIN", "VALID", "TEST")}
NEEDED |= {"FRENCH": "fr.conllu"}


def relative(path: Path) -> str:
    return str(path.relative_to(EXAMPLES))


def bash(script: str, *arguments: str, check=True, folder: Path = REPO, start_new_session=False, **variables: str):
    """Run Bash with few variables but those given, so that none of the machine is taken for a setting."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(REPO)} | variables
    command = ["bash", "-c", f"set -euo pipefail; {script}", "bash", *map(str, arguments)]
    options = {"cwd": folder, "env": environment, "start_new_session": start_new_session}
    done = subprocess.run(command, capture_output=True, text=True, **options)
    assert not check or done.returncode == 0, done.stderr
    return done


def words(script: str, **variables: str) -> list[str]:
    """Lines that a function of objectives.sh or cells.sh prints."""
    sources = "; ".join(f"source examples/{name}.sh" for name in ("common", "objectives", "cells"))
    return bash(f"{sources}; {script}", **variables).stdout.splitlines()


@pytest.mark.parametrize("recipe", RECIPES, ids=relative)
def test_a_recipe_shows_its_usage_from_anywhere(recipe, tmp_path):
    for flag in ("-h", "--help"):
        done = bash('bash "$@"', recipe, flag, folder=tmp_path)
        assert "Usage: " in done.stdout and "#" not in done.stdout
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("path", sorted(EXAMPLES.rglob("*.sh")), ids=relative)
def test_a_recipe_fits_a_screen(path):
    assert all(len(line) <= 120 for line in path.read_text(encoding="utf-8").splitlines())


def test_a_recipe_shows_how_a_command_fails_and_keeps_the_log_of_the_attempt_before(tmp_path):
    train = 'train() { echo "update $1"; echo "an Exception: $2"; return 3; }'
    script = f'source "{EXAMPLES}/common.sh"; {train}; logged log "^no" train'
    done = [bash(f"{script} {words}", check=False, folder=tmp_path) for words in ("1 full", "2 torn")]
    assert [one.returncode for one in done] == [3, 3]
    assert done[0].stdout == "an Exception: full\n"
    assert done[0].stderr == "error: train ended with status 3; all that it said is in log\n"
    assert (tmp_path / "log").read_text() == "update 1\nan Exception: full\nupdate 2\nan Exception: torn\n"


def test_a_log_has_what_a_command_says_after_ctrl_c(tmp_path):
    """A terminal sends SIGINT to all processes of a pipeline."""
    train = "train() { trap : INT; sleep 0.5; kill -INT 0; sleep 0.2; echo stopped by a signal; return 130; }"
    script = f'source "{EXAMPLES}/common.sh"; {train}; trap : INT; logged log "^no" train'
    done = bash(script, check=False, folder=tmp_path, start_new_session=True)
    assert done.returncode == 130 and done.stdout == (tmp_path / "log").read_text() == "stopped by a signal\n"


# --- objectives ---


def test_recipes_know_the_objectives_of_the_results():
    error = bash("source examples/common.sh; source examples/objectives.sh; objective_flags x a b", check=False).stderr
    known = re.fullmatch("error: found objective x, expected (.*)\n", error)[1]
    assert re.split(", | or ", known) == list(OBJECTIVES)
    for name in OBJECTIVES:
        assert words(f"objective_flags {name} a:b a:b:c")[-2] == "--align-weight"


def test_objectives_are_composed():
    flags = words("objective_flags align_mlm+tlm+dict_mlm a:b a:b:c", ALIGN_LOSS="l2", WEIGHT="3", TLM_RATE="0.5")
    assert flags == [
        "--align-loss", "l2", "--tlm-pairs", "a:b", "--tlm-rate", "0.5", "--tlm-pack", "--dict-mlm", "a:b:c",
        "--align-weight", "3",
    ]  # fmt: skip
    plain = words("objective_flags mlm+tlm a:b a:b:c", TLM_PACK="")
    assert plain == ["--tlm-pairs", "a:b", "--align-weight", "0"]
    as_authors = words("objective_flags tlm a:b a:b:c", TLM_RESTART="1", TLM_LANGUAGE="1")
    assert as_authors[2:-2] == ["--tlm-pack", "--tlm-restart-positions", "--tlm-language-embedding"]
    assert words('objective_about tlm ""') == ["--objective", "tlm"]
    assert words("objective_about align_mlm+tlm l2") == ["--objective", "align_mlm", "--variant", "+tlm-l2"]


def test_terms_beyond_the_paper_are_settings_of_the_recipes():
    terms = {"ALIGN_CHARACTERS": "99", "HARD_NEGATIVES": "10", "PREALIGN_UPDATES": "5", "SELF_LEARN": "0.5"}
    lexicons = "a:b:runs/a-b.tsv,a:c:runs/a-c.tsv"
    flags = words(f"objective_flags align_mlm a-b.a:a-b.b {lexicons}", **terms, CODE_SWITCH="0.1", REALIGN="1")
    assert flags == [
        "--align-characters", "99", "--hard-negatives", "10", "--prealign-updates", "5",
        "--self-learn", lexicons, "--self-learn-weight", "0.5", "--code-switch", lexicons, "--code-switch-rate", "0.1",
        "--realign", lexicons, "--realign-weight", "1", "--align-weight", "10",
    ]  # fmt: skip
    assert words("objective_flags mlm a:b a:b:c", **terms) == ["--align-weight", "0"]


def test_another_rate_of_tlm_is_another_row_of_the_report(tmp_path):
    """The usual rate of a study has no name: of the derived one it is the paper's, whose figures stand beside it."""
    about = {rate: words('objective_about tlm "" 0.25', TLM_RATE=rate)[2:] for rate in ("", "0.25", "0.1", "1")}
    assert about == {"": [], "0.25": [], "0.1": ["--variant", "rate-0.1"], "1": ["--variant", "rate-1"]}
    assert words("objective_about align_mlm+tlm l2 1", TLM_RATE="0.5")[3] == "+tlm-rate-0.5-l2"
    assert words('objective_about mlm "" 0.25', TLM_RATE="0.1") == ["--objective", "mlm"]
    for study, usual, languages in (("derived", "0.25", "transliterate"), ("natural", "1", "fr")):
        saved = {}
        for rate in (usual, "0.1"):
            run = ["bash", EXAMPLES / study / "run.sh", "--dry-run", "tlm", languages, f"TLM_RATE={rate}"]
            lines = bash('"$@"', *run, folder=tmp_path).stdout.splitlines()
            scored = [line for line in lines if line.startswith("fairseq-align ")]
            assert len(scored) > 3 and all(("--variant rate-0.1" in line) == (rate == "0.1") for line in scored)
            (line,) = (line for line in lines if line.startswith("fairseq-train ") and " --align-weight 0" in line)
            saved[rate] = re.search("--save-dir (.*)/pretrain", line)[1]
        assert saved[usual] != saved["0.1"]  # two cells of a grid


# --- fine-tuning ---


@pytest.mark.parametrize(("task", "items", "epochs", "stated"), [
    ("pos", 12544, 10, 3920), ("ner", 20000, 10, 6250), ("xnli", 392702, 5, 61360),
])  # fmt: skip
def test_fine_tuning_has_the_sum_of_learning_rates_of_the_papers_code(task, items, epochs, stated, tmp_path):
    """2e-5, linear to 0 from the first update on: half of the updates times 2e-5, as finetune.sh states them."""
    assert f"{stated:,} " in (EXAMPLES / "derived" / "finetune.sh").read_text()
    script = 'source "$1"; export EPOCHS TUNE_LR TUNE_BATCH; export ${!EPOCHS_@}; bash "$2" --dry-run'
    recipe = [EXAMPLES / "derived" / "presets" / "paper.sh", EXAMPLES / "derived" / "finetune.sh"]
    variables = NEEDED | {"TASK": task, "TUNE_DATA": "data", "MODEL": "model.pt", "SAVE": "tuned"}
    counted, trained = bash(script, *recipe, folder=tmp_path, **variables).stdout.splitlines()
    counted = dict(zip(*[iter(counted.split()[3:])] * 2, strict=True))
    assert int(counted["--epochs"]) == epochs
    updates = epochs * -(-items // int(counted["--batch"]))
    assert updates == stated
    flags = shlex.split(trained.replace("UPDATES", str(updates)))[1:]
    assert flags[flags.index("--adam-betas") + 1] == "(0.9, 0.999)"
    parser = options.get_training_parser()
    cfg = convert_namespace_to_omegaconf(options.parse_args_and_arch(parser, flags))
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = optim.build_optimizer(cfg.optimizer, [parameter])
    schedule = lr_scheduler.build_lr_scheduler(cfg.lr_scheduler, optimizer)
    schedule.step_begin_epoch(1)
    rates = [optimizer.get_lr()] + [schedule.step_update(update) for update in range(1, updates + 1)]
    assert rates[0] == 2e-5 and rates[-1] == 0
    assert sum(rates) == pytest.approx(2e-5 * stated / 2, rel=1e-3)


# --- the grid ---


def test_a_grid_has_a_cell_for_each_choice_but_where_a_cell_has_its_own():
    grid = {"GRID": "a b SEED=1", "OBJECTIVES": "mlm align_mlm+tlm dict_mlm RATE=0.1 X=1", "SEEDS": "1 2"}
    assert words("cells", **grid, RATES="0.5 1") == [
        "mlm a SEED=1",
        "align_mlm+tlm a RATE=0.5 SEED=1",
        "align_mlm+tlm a RATE=1 SEED=1",
        "dict_mlm a SEED=1 RATE=0.1 X=1",
        "mlm b SEED=1",
        "align_mlm+tlm b RATE=0.5 SEED=1",
        "align_mlm+tlm b RATE=1 SEED=1",
        "dict_mlm b SEED=1 RATE=0.1 X=1",
        "mlm a SEED=2",
        "align_mlm+tlm a RATE=0.5 SEED=2",
        "align_mlm+tlm a RATE=1 SEED=2",
        "dict_mlm a SEED=2 RATE=0.1 X=1",
    ]
    assert words("cells", **grid)[1] == "align_mlm+tlm a SEED=1"  # a study without rates


PAPER = EXAMPLES / "derived" / "presets" / "paper.sh"


def test_the_paper_is_one_command(tmp_path):
    """The 35 models of the scripts in the authors' repository (scripts/alignedmlm_paper_experiments), each once."""
    script = 'source examples/common.sh; source examples/objectives.sh; source examples/cells.sh; source "$1"; cells'
    grids = {name: bash(script, PAPER, **NEEDED, EXPERIMENTS=name).stdout.splitlines() for name in (
        "table", "dictionary", "rate", "overlap",
    )}  # fmt: skip
    assert {name: len(cells) for name, cells in grids.items()} == {
        "table": 12,
        "dictionary": 12,
        "rate": 5,
        "overlap": 6,
    }
    cells = bash(script, PAPER, **NEEDED).stdout.splitlines()
    assert cells == [cell for grid in grids.values() for cell in grid] and len(set(cells)) == 35
    derivations = ("transliterate", "transliterate,invert", "syntax,transliterate")
    expected = {("mlm", where, ()) for where in derivations}
    for where in derivations:
        expected |= {
            (name, where, (f"RATE={rate}",)) for name in ("dict_mlm", "align_mlm") for rate in ("0.25", "0.5", "1")
        }
        expected |= {("tlm", where, setting) for setting in ((), ("TLM_RATE=1",), ("OVERLAP=0.25",), ("OVERLAP=0.5",))}
    expected |= {("tlm", "transliterate,invert", (f"TLM_RATE={rate}",)) for rate in ("0.01", "0.1")}
    found = {(name, where, tuple(own for own in settings if own != "SEED=1")) for name, where, *settings in map(
        str.split, cells
    )}  # fmt: skip
    assert found == expected
    given = bash(script, PAPER, **NEEDED, EXPERIMENTS="overlap", GRID_overlap="invert OVERLAP=0.9", SEEDS="3").stdout
    assert given == "tlm invert SEED=3 OVERLAP=0.9\n"
    done = bash(script, PAPER, check=False, **NEEDED, EXPERIMENTS="table overlaps")
    known = "found experiment overlaps, expected one of: table dictionary overlap rate; or set GRID_overlaps"
    assert done.returncode == 1 and known in done.stderr


def test_the_data_of_all_experiments_are_prepared_together(tmp_path):
    prepare = f'set -a; source "$1"; set +a; bash {EXAMPLES}/derived/prepare.sh --dry-run'
    lines = bash(prepare, PAPER, folder=tmp_path, **NEEDED).stdout.splitlines()
    derived = [line.split() for line in lines if "derive.py" in line]
    for data in ("data-bin", "pos-bin", "ner-bin", "xnli-bin"):
        targets = [
            words[3].removeprefix(f"work/{data}/en-") for words in derived if words[3].startswith(f"work/{data}/")
        ]
        plain = ["transliterate", "transliterate+invert", "syntax+transliterate"]
        assert targets == plain + [f"{name}-overlap{share}" for share in ("0.25", "0.5") for name in plain]
    learnt = [line.partition("learn ")[2] for line in lines if "syntax.py learn" in line]
    french = {f"--treebank fr.conllu --output work/syntax/{kind}.json" for kind in ("nouns", "verbs")}
    assert set(learnt) == french  # the paper's en~fr@N~fr@V
    overlaps = {words[3]: words[-1] for words in derived if "--overlap" in words}
    assert all(overlap == (target.partition("-overlap")[2] or "0") for target, overlap in overlaps.items())
    assert any("labelled.py reorder --task xnli --lang en --input XNLI.TRAIN" in line for line in lines)


def test_pre_training_has_the_adam_of_the_papers_code(tmp_path):
    """AdamW of transformers as their scripts leave it: betas 0.9 and 0.999, no decay, gradients of norm 1 at most."""
    script = 'set -a; source "$1"; set +a; bash "$2" --dry-run'
    variables = NEEDED | {"SAVE": "s", "DATA": "d", "LANGS": "en,x", "LEXICON": "l"}
    pretrain = EXAMPLES / "derived" / "pretrain.sh"
    recipes = [bash(script, preset, pretrain, folder=tmp_path, **variables).stdout for preset in (PAPER, "/dev/null")]
    for recipe in recipes:
        flags = shlex.split(recipe.splitlines()[-1])
        assert (
            flags[flags.index("--adam-betas") + 1] == "(0.9, 0.999)" and flags[flags.index("--weight-decay") + 1] == "0"
        )
        assert flags[flags.index("--clip-norm") + 1] == "1.0" and flags[flags.index("--optimizer") + 1] == "adam"
    hydra = OmegaConf.load(EXAMPLES / "pretrain.yaml")
    assert hydra.optimizer.adam_betas.replace(" ", "") == "(0.9,0.999)" and hydra.optimizer.weight_decay == 0
    assert hydra.optimization.clip_norm == 1 and hydra.dataset.batch_size * hydra.optimization.update_freq[0] == 128


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["derivd", "small"], "found study 'derivd', expected one of: derived encoder natural"),
        ([], "found study '', expected one of: derived encoder natural"),
        (["encoder", "big"], "found preset 'big', expected one of: field gentle gpu small smoke"),
        (["natural"], "found preset '', expected one of: own paper small smoke tasks"),
        (["natural", "../../x"], "found preset '../../x', expected one of: own paper small smoke tasks"),
    ],
)
def test_an_unknown_study_or_preset_says_which_there_are(arguments, found, tmp_path):
    done = bash('bash "$@"', EXAMPLES / "grid.sh", *arguments, check=False, folder=tmp_path)
    assert done.returncode == 1 and done.stderr == f"error: {found}; see grid.sh --help\n"
    assert not list(tmp_path.iterdir())


def test_an_unknown_objective_is_refused_before_anything_is_made(tmp_path):
    grid = ["bash", EXAMPLES / "grid.sh", "natural", "smoke"]
    done = bash('"$@"', *grid, check=False, folder=tmp_path, OBJECTIVES="mlm blm")
    assert done.returncode == 1 and "found objective blm, expected mlm, tlm, dict_mlm or align_mlm" in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("preset", PRESETS, ids=relative)
def test_every_setting_of_a_preset_may_be_given_from_outside(preset):
    """Names that begin with a small letter are the preset's own abbreviations."""
    script = 'set -a; source "$1"; set +a; env'
    before = {line.partition("=")[0] for line in bash("env").stdout.splitlines()}
    after = {line.partition("=")[0] for line in bash(script, preset, **NEEDED).stdout.splitlines()}
    names = {name for name in after - before if name[0].isupper()}
    assert {"OBJECTIVES", "GRID", "SEEDS", "UPDATES", "LR", "TUNE_LR"} <= names
    given = dict.fromkeys(names, "given")
    found = dict(line.split("=", 1) for line in bash(script, preset, **given).stdout.splitlines() if "=" in line)
    assert {name: found[name] for name in names} == given


@pytest.mark.parametrize("preset", PRESETS, ids=relative)
def test_a_dry_run_prints_the_commands_of_a_study_and_changes_nothing(preset, tmp_path):
    study, name = preset.parts[-3], preset.stem
    settings = NEEDED | {"FAIRSEQ_ALIGN_DATA": "data", "CHECKSUMS": "", "SEEDS": "7", "UPDATES": "123"}
    dry = ["bash", EXAMPLES / "grid.sh", "--dry-run", study, name]
    lines = bash('"$@"', *dry, folder=tmp_path, **settings).stdout.splitlines()
    assert not list(tmp_path.iterdir())
    cells = [line for line in lines if line.startswith("# ")]
    trainings = [line for line in lines if line.startswith("fairseq-train ") and " --max-update 123 " in line]
    own_seed = sum("SEED=1" in cell for cell in cells)
    alone = [line for line in lines if line.startswith("fairseq-align align ")]
    imported, both = (sum(f"PRETRAIN={kind}" in cell for cell in cells) for kind in ("none", "align+train"))
    assert len(trainings) + len(alone) + imported == len(cells) + both > 0
    made = [*trainings, *alone]
    assert sum(" --seed 7 " in line for line in made) == len(cells) + both - own_seed
    assert lines[-1] == "fairseq-align report work/results.jsonl --out work/report --brief"


@pytest.mark.parametrize(
    ("task", "made"), [("NER", "ner-bin/en-syntax/test"), ("XNLI", "xnli-bin/label/test_en-syntax")]
)
def test_labelled_data_of_another_word_order_are_reordered_or_refused(task, made, tmp_path):
    """Before, NER and XNLI of ``syntax,transliterate`` were in another script alone."""
    prepare = ["bash", EXAMPLES / "derived" / "prepare.sh", "--dry-run", "transliterate", "syntax,transliterate"]
    settings = {name: NEEDED[name] for name in ("WORK", "TRAIN", "VALID", "TEST")} | {"SYNTAX_NOUNS": "fr.conllu"}
    settings |= {f"{task}_{split}": f"{split.lower()}.data" for split in ("TRAIN", "VALID", "TEST")}
    done = bash('"$@"', *prepare, check=False, folder=tmp_path, **settings)
    expected = f"error: work/{made}.idx: found no {task} data in the word order of en-syntax, and no trees"
    assert done.returncode == 1 and done.stdout == "" and done.stderr.startswith(expected)
    assert done.stderr.count("\n") == 1 and not list(tmp_path.iterdir())
    lines = bash('"$@"', *prepare, folder=tmp_path, PARSER="parser", **settings).stdout.splitlines()
    derived = [line.split()[2:5] for line in lines if "derive.py" in line and f"{task.lower()}-bin" in line]
    data, record = f"work/{task.lower()}-bin", "derivation.json"
    assert [(source, target) for source, target, _ in derived] == [
        (f"{data}/en", f"{data}/en-transliterate"), (f"{data}/en-syntax", f"{data}/en-syntax+transliterate"),
    ]  # fmt: skip
    assert all(f"--like work/data-bin/{target.split('/')[-1]}/{record}" in " ".join(lines) for _, target, _ in derived)
    for split in ("train", "valid", "test"):  # each is parsed, and takes the order that the text takes
        name = f"work/syntax/{task.lower()}.{split}"
        text, parsed, reordered = (line for line in lines if f"{name}.txt" in line or f"--output {name}.tsv" in line)
        assert f"labelled.py text --task {task.lower()} --lang en --input {split}.data --output {name}.txt" in text
        assert f"parse.py parser {name}.txt {name}.conllu.gz" in parsed
        assert f"--trees {name}.conllu.gz --nouns work/syntax/nouns.json --output {name}.tsv" in reordered
    trees = tmp_path / "trees"
    trees.mkdir()
    (trees / f"{task.lower()}.train.conllu.gz").touch()
    lines = bash('"$@"', *prepare, folder=tmp_path, SYNTAX_TREES="trees", **settings).stdout.splitlines()
    assert not any("parse.py" in line or "labelled.py text" in line for line in lines)
    assert sum(f"--trees trees/{task.lower()}." in line for line in lines) == 3


def test_a_task_may_have_settings_of_its_own(tmp_path):
    dry = ["bash", EXAMPLES / "encoder" / "run.sh", "--dry-run", "align_mlm", "fr"]
    settings = {"WORK": "work", "TASKS": "pos xnli", "EPOCHS": "3", "EPOCHS_xnli": "50", "TUNE_LR_xnli": "5e-6"}
    lines = bash('"$@"', *dry, folder=tmp_path, **settings).stdout.splitlines()
    found = [
        (line.split()[1], re.search("--max-epoch .*", line)[0].split()[1]) for line in lines if "--max-epoch" in line
    ]
    assert found == [("work/pos-bin", "3"), ("work/pos-bin", "3"), ("work/xnli-bin", "50")]
    assert [line.split()[:2] for line in lines][-1] == ["fairseq-align", "export"]


def test_the_recipes_for_several_machines_and_the_quick_start_have_dry_runs_too(tmp_path):
    def dry(*command: object, **variables: str) -> str:
        return bash('bash "$@"', *command, folder=tmp_path, **variables).stdout

    torchrun = dry(EXAMPLES / "cluster" / "torchrun.sh", "--dry-run", "data-bin", "--fp16", GPUS="2")
    assert torchrun.startswith("torchrun --nnodes 1 ") and torchrun.endswith("rank.sh data-bin --fp16\n")
    ranks = {"RANK": "1", "LOCAL_RANK": "1", "WORLD_SIZE": "2"}
    rank = dry(EXAMPLES / "cluster" / "rank.sh", "--dry-run", "data-bin", **ranks)
    assert rank.startswith("fairseq-train data-bin ") and rank.endswith("--distributed-rank 1\n")
    lines = dry(EXAMPLES / "quickstart.sh", "--dry-run").splitlines()
    assert lines[0].endswith("install.sh") and lines[1].endswith("toy_language.py --out runs/quickstart/toy")
    assert lines[-1].startswith("fairseq-align report ")
    assert "spacy train" in dry(EXAMPLES / "derived" / "parser.sh", "--dry-run", **NEEDED | {"UPDATES": "1"})
    assert not list(tmp_path.iterdir())


def test_parts_of_a_treebank(run, tmp_path):
    """Words without multiword tokens and empty nodes; columns that a tagger of universal tags is not to learn."""
    lines = ["# text = dans", "1-2\tdu\t_\t_\t_\t_\t_\t_\t_\t_", "1\tde\tde\tADP\tP\tA=B\t0\troot\t_\t_"]
    lines += [
        "2\tle\tle\tDET\tD\tA=B\t1\tdet\t_\t_",
        "2.1\tx\t_\t_\t_\t_\t_\t_\t1:x\t_",
        "",
        "1\tun\tun\tNUM\tN\tA=B\t0\troot\t_\t_",
        "",
    ]
    (tmp_path / "a.conllu").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for part in ("words", "universal"):
        run(["python", "examples/derived/treebank.py", part, tmp_path / "a.conllu", tmp_path / part])
    assert (tmp_path / "words").read_text(encoding="utf-8") == "de le\nun\n"
    expected = [
        line.replace("\tP\tA=B", "\t_\t_").replace("\tD\tA=B", "\t_\t_").replace("\tN\tA=B", "\t_\t_") for line in lines
    ]
    assert (tmp_path / "universal").read_text(encoding="utf-8").splitlines() == expected


@pytest.mark.parametrize(("preset", "task"), [("derived tasks", "XNLI_TRAIN"), ("natural tasks", "PARALLEL_fr")])
def test_a_study_without_its_files_names_each_and_the_page_that_says_where_to_get_it(preset, task, tmp_path):
    study = ["bash", EXAMPLES / "grid.sh", *preset.split()]
    done = bash('"$@"', *study, check=False, folder=tmp_path, FAIRSEQ_ALIGN_DATA="nowhere")
    missing = [line.split() for line in done.stderr.splitlines()[1:-1]]
    assert done.returncode == 1 and done.stderr.startswith(f"found no file at {len(missing)} of the places ")
    assert task in {name for name, _ in missing} and all(path.startswith("nowhere/") for _, path in missing)
    assert "docs/sources.md" in done.stderr.splitlines()[-1] and (REPO / "docs" / "sources.md").exists()
    assert not list(tmp_path.iterdir())


def test_a_study_of_own_files_says_which_it_needs(tmp_path):
    study = ["bash", EXAMPLES / "grid.sh", "natural", "own"]
    done = bash('"$@"', *study, check=False, folder=tmp_path, TEXT_en="en.txt")
    assert done.returncode == 1 and done.stderr.startswith("error: found no TEXT_fr and LEXICON_fr, expected files")
    assert not list(tmp_path.iterdir())


def test_the_page_of_sources_gives_every_study_its_files():
    """Blocks are Bash; what they give to studies is what the presets read."""
    page = (REPO / "docs" / "sources.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```bash\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    for block in blocks:
        bash('bash -n -c "$1"', block)
    given = set(re.findall(r"\b([A-Z]+(?:_[A-Za-z]+)?)=", "".join(blocks[-2:])))
    kinds = "SYNTAX|TEXT|TOKENIZED|TRAIN|VALID|TEST|POS|NER|XNLI|LEXICON|HELDOUT|PARALLEL|TATOEBA"
    for study in ("derived", "natural"):
        presets = "".join((EXAMPLES / study / "presets" / f"{name}.sh").read_text() for name in ("small", "tasks"))
        read = set(re.findall(rf"^((?:{kinds})(?:_\w+)?)=", presets, re.MULTILINE))
        assert {"derived": "TRAIN", "natural": "POS_fr"}[study] in read
        assert {name for name in read if not name.endswith(("_ar", "_hi"))} <= given
