"""Training through the real commands: what is learnt, what is equal to what, and what is refused."""

import importlib.metadata
import json
import math
import re
import shutil
from argparse import Namespace
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from fairseq.models.roberta.model import base_architecture
from omegaconf import OmegaConf

import fairseq_align  # noqa: F401   lets torch's safe loader read what fairseq saves
from fairseq_align.data import binarized
from fairseq_align.errors import InputError
from fairseq_align.evaluation.alignment import score_alignment
from fairseq_align.evaluation.checkpoint import load
from fairseq_align.lexicon import words as lexicon_words
from fairseq_align.tasks.align_mlm import AlignMlmTask, AlignMlmTaskConfig
from tests.stress.runs import free_port
from tests.support import processes
from tests.support.events import scalars
from tests.support.training import MODEL, OPTIMIZER, RUN, TARGET, logged, same, updates, weights

TRANSFORMS = "transliterate,invert"


def validated(run, data: Path, checkpoint: Path, langs: str, subsets: str) -> dict[str, dict]:
    """What fairseq-validate logs of each subset, by its name."""
    command = ["fairseq-validate", data, "--user-dir", "fairseq_align", "--task", "align_mlm", "--langs", langs]
    command += ["--path", checkpoint, "--valid-subset", subsets, "--batch-size", 8, "--cpu", "--log-format", "json"]
    done = run(command)
    found = {}
    for subset in subsets.split(","):
        (record,) = logged(done.stdout + done.stderr, re.escape(subset))
        found[subset] = {key.removeprefix(f"{subset}_"): value for key, value in record.items()}
    return found


def test_alignment_brings_pairs_of_the_lexicon_together(pretrain, tmp_path):
    flags = ["--max-update", 40, "--no-epoch-checkpoints"]
    aligned = updates(pretrain("aligned", *flags), "align_cos")
    plain = updates(pretrain("plain", *flags, "--align-weight", 0), "align_cos")
    assert aligned[0] == pytest.approx(plain[0], abs=1e-3) and abs(aligned[0]) < 0.2
    assert aligned[-1] > 0.95 and plain[-1] < aligned[-1] - 0.1


def test_the_weight_of_the_alignment_loss_grows(pretrain):
    """``--align-warmup 4``: a quarter of the weight more with every update, whole from the fifth."""
    output = pretrain("model", "--max-update", 6, "--align-warmup", 4)
    losses, mlm, align = (np.array(updates(output, key)) for key in ("loss", "mlm_loss", "align_loss"))
    weights = (losses - mlm) / align * math.log(2)
    assert weights == pytest.approx(10 * np.array([0, 0.25, 0.5, 0.75, 1, 1]), abs=0.1)


def test_tensorboard_shows_the_metrics_of_training(pretrain, tmp_path):
    pretrain("run", "--max-update", 2, "--tensorboard-logdir", tmp_path / "events")
    assert scalars(tmp_path / "events")["train_inner"] >= {"loss", "mlm_loss", "align_loss", "align_cos", "ppl"}


def test_several_lexicons_are_contrasted_and_scored_apart(run, pretrain, toy, tmp_path):
    """``--lexicon a.tsv:b.tsv``, sampled by their weights; fairseq-validate scores each held-out file."""
    names = {"lexicon": [], "lexicon.heldout": []}
    for name, paths in names.items():
        lines = [line for line in (toy / f"{name}.tsv").read_text().splitlines() if "\t" in line]
        for part in range(2):
            paths.append(str(tmp_path / f"en-{'xy'[part]}.{name}.tsv"))
            Path(paths[-1]).write_text("".join(f"{line}\t{1 + part}\n" for line in lines[part::2]))
    flags = ["--align-loss", "contrastive", "--align-pairs", 64, "--align-sampling", "weights", "--max-update", 30]
    files = [flag for name, flag in (("lexicon", "--lexicon"), ("lexicon.heldout", "--heldout-lexicon"))
             for flag in (flag, ":".join(names[name]))]  # fmt: skip
    output = pretrain("model", *files, *flags, "--score-seen")
    losses, cosines = updates(output, "align_loss"), updates(output, "align_cos")
    assert losses[0] > 3 and losses[-1] < losses[0] / 2 and cosines[-1] > cosines[0] + 0.2
    scores = validated(run, toy / "data-bin", tmp_path / "model" / "checkpoint_last.pt", "en", "valid_en")["valid_en"]
    for name in ("en-x", "en-y"):
        assert 0 <= scores[f"heldout_p1_{name}"] <= 1 and -1 <= scores[f"heldout_cos_{name}"] <= 1
        assert scores[f"heldout_p1_{name}"] <= scores[f"whole_p1_{name}"] <= scores[f"seen_p1_{name}"]
    assert "heldout_p1" not in scores
    done = pretrain("bad", *files[:3], names["lexicon.heldout"][0], "--max-update", 1, check=False)
    assert done.returncode == 0  # one held-out file for all
    done = pretrain("bad", *files, "--align-loss", "contrastive", "--align-temperature", 0, check=False)
    assert done.returncode == 1 and "error: found --align-temperature 0.0, expected a number from 0.001" in done.stderr


def test_weight_0_is_the_stock_criterion_to_the_bit(pretrain, tmp_path):
    ours = pretrain("ours", "--align-weight", 0, "--max-update", 20)
    stock = pretrain("stock", "--max-update", 20, criterion="masked_lm")
    assert updates(ours, "mlm_loss") == updates(ours, "loss") == updates(stock, "loss")
    assert len(updates(ours, "loss")) == 20
    assert same(tmp_path / "ours" / "checkpoint_last.pt", tmp_path / "stock" / "checkpoint_last.pt")


def test_a_resumed_run_ends_with_the_weights_of_an_uninterrupted_one(pretrain, tmp_path):
    flags = ["--align-pairs", 8, "--save-interval-updates", 50, "--optimizer", "adamw", "--logits-chunk", 5]
    whole = pretrain("whole", *flags, "--max-update", 100)
    pretrain("halves", *flags, "--max-update", 50)
    second = pretrain("halves", *flags, "--max-update", 100)
    assert "Loaded checkpoint" in second and updates(second, "num_updates")[0] == 51
    assert updates(second, "loss") == updates(whole, "loss")[50:]
    assert same(tmp_path / "whole" / "checkpoint_last.pt", tmp_path / "halves" / "checkpoint_last.pt")


@pytest.fixture(scope="module")
def sixteen(toy, tmp_path_factory):
    """Data of which one update of 16 items is a whole epoch, so that every split of it sees the same items."""
    folder = tmp_path_factory.mktemp("sixteen")
    for lang in ("en", TARGET):
        corpus = binarized.read(toy / "data-bin" / lang / "train")
        with binarized.writer(folder / lang / "train", int(corpus.tokens.max()) + 1) as out:
            out.add(corpus.tokens[: 8 * 31], np.array([8 * 31]))
    shutil.copy(toy / "data-bin" / "dict.txt", folder)
    return folder


def test_the_gradient_does_not_depend_on_how_the_batch_is_split(pretrain, sixteen, run, toy, tmp_path, repo):
    """One SGD step of rate 100: 16 items at once, 2 x 8 accumulated, 8 on each of two gloo processes, in chunks."""
    flags = ["--optimizer", "sgd", "--lr", 100, "--clip-norm", 0, "--dropout", 0, "--attention-dropout", 0]
    pretrain("start", *flags, "--max-update", 1, "--lr", 0, "--batch-size", 16, data=sixteen)
    pretrain("whole", *flags, "--max-update", 1, "--batch-size", 16, data=sixteen)
    pretrain("accumulated", *flags, "--max-update", 1, "--update-freq", 2, "--logits-chunk", 5, data=sixteen)
    ranks = [
        "--distributed-world-size",
        2,
        "--distributed-backend",
        "gloo",
        "--distributed-no-spawn",
        "--ddp-backend",
        "legacy_ddp",
    ]
    ranks += ["--distributed-init-method", f"tcp://127.0.0.1:{free_port()}", "--max-update", 1]
    ranks += ["--logits-chunk", 5]
    with ThreadPoolExecutor(2) as both:
        list(both.map(lambda rank: pretrain("ranks", *flags, *ranks, "--distributed-rank", rank, data=sixteen), (0, 1)))
    start = weights(tmp_path / "start" / "checkpoint_last.pt")
    gradients = {
        name: torch.cat(
            [(start[key] - after).flatten() for key, after in weights(tmp_path / name / "checkpoint_last.pt").items()]
        )
        for name in ("whole", "accumulated", "ranks")
    }
    assert gradients["whole"].norm() > 0.1
    for name in ("accumulated", "ranks"):
        assert (gradients[name] - gradients["whole"]).norm() / gradients["whole"].norm() < 1e-5


def test_tlm_of_the_authors_is_a_checkpoint_of_the_same_model(run, pretrain, toy, tmp_path):
    """Packed pairs, positions from the beginning and a vector for the second language: kept, resumed, read without."""
    flags = [
        "--tlm-pairs",
        f"en:{TARGET}",
        "--tlm-pack",
        "--tlm-restart-positions",
        "--tlm-language-embedding",
        "--tlm-rate",
        4,
    ]
    flags += ["--align-weight", 0, "--save-interval-updates", 3, "--lr", 1e-2]
    whole = pretrain("whole", *flags, "--max-update", 6)
    assert re.search(r"en:en-transliterate\+invert train: \d+ pairs in \d+ items of 2\d\.\d tokens", whole)
    pretrain("halves", *flags, "--max-update", 3)
    resumed = pretrain("halves", *flags, "--max-update", 6)
    assert updates(resumed, "loss") == updates(whole, "loss")[3:]
    assert same(tmp_path / "whole" / "checkpoint_last.pt", tmp_path / "halves" / "checkpoint_last.pt")
    plain = pretrain("plain", "--align-weight", 0, "--lr", 1e-2, "--max-update", 6)
    assert updates(plain, "loss") != updates(whole, "loss")
    before, after = (
        weights(tmp_path / "plain" / "checkpoint_last.pt"),
        weights(tmp_path / "whole" / "checkpoint_last.pt"),
    )
    positions = "encoder.sentence_encoder.embed_positions.weight"
    assert before.keys() == after.keys() and not torch.equal(before[positions][0], after[positions][0])
    # a task without these flags, as that of fine-tuning, reads the checkpoint; one language scores as with them
    scores = validated(run, toy / "data-bin", tmp_path / "whole" / "checkpoint_last.pt", "en", "valid_en")["valid_en"]
    assert math.isfinite(scores["loss"])


def test_settings_of_tlm_are_refused_where_they_would_change_nothing(toy):
    def task(**fields) -> AlignMlmTask:
        cfg = AlignMlmTaskConfig(data=str(toy / "data-bin"), langs="en", seed=1, **fields)
        return AlignMlmTask.setup_task(OmegaConf.structured(cfg))

    for flag in ("tlm_pack", "tlm_restart_positions", "tlm_language_embedding"):
        with pytest.raises(InputError, match=f"found --{flag.replace('_', '-')} without --tlm-pairs"):
            task(**{flag: True})
    with pytest.raises(InputError, match="found --tlm-language-embedding and 2 pairs in --tlm-pairs, expected one"):
        task(tlm_pairs=f"en:{TARGET},{TARGET}:en", tlm_language_embedding=True)
    args = Namespace(encoder_embed_dim=8, encoder_attention_heads=2, encoder_layers=1, max_positions=16)
    args.no_token_positional_embeddings = True
    base_architecture(args)
    args._name = args.arch = "roberta"
    with pytest.raises(InputError, match="a model without learned positions, expected one with them"):
        task(tlm_pairs=f"en:{TARGET}", tlm_restart_positions=True).build_model(args)


def test_text_that_is_for_tlm_alone_is_of_the_languages_that_its_folders_end_in(toy, tmp_path):
    """``en-fr.en``: dictionaries of ``en`` are for these items as for those of a folder ``en``."""
    for name in ("en", TARGET):
        for folder in (name, f"pair.{name}"):
            shutil.copytree(toy / "data-bin" / name, tmp_path / folder)
    shutil.copy(toy / "data-bin" / "dict.txt", tmp_path)
    lexicons = f"en:{TARGET}:{toy / 'lexicon.tsv'}"
    parallel = []
    for pair in (f"en:{TARGET}", f"pair.en:pair.{TARGET}", f"pair.{TARGET}:pair.en"):
        cfg = AlignMlmTaskConfig(data=str(tmp_path), langs=f"en,{TARGET}", seed=1, tlm_pairs=pair)
        cfg.dict_mlm = cfg.code_switch = cfg.realign = lexicons
        task = AlignMlmTask.setup_task(OmegaConf.structured(cfg))
        task.positions = 64
        task.load_dataset("train")
        parallel.append(task.datasets["train"].sources[-1])
    named, alone, back = parallel
    for name in ("switches", "realigned"):
        assert getattr(named, name).keys() == getattr(alone, name).keys()
    assert alone.switches.keys() == back.switches.keys() and alone.realigned.keys().isdisjoint(back.realigned)
    assert named.translations.translations.tolist() == alone.translations.translations.tolist() != []
    cfg.realign = f"en:xx:{toy / 'lexicon.tsv'}"
    task = AlignMlmTask.setup_task(OmegaConf.structured(cfg))
    task.positions = 64
    with pytest.raises(InputError, match="--realign: found en:xx, expected a pair of --tlm-pairs pair.en-tr"):
        task.load_dataset("train")
    for name in ("code_switch", "dict_mlm"):
        cfg.code_switch = cfg.dict_mlm = None
        setattr(cfg, name, f"xx:yy:{toy / 'lexicon.tsv'}")
        task = AlignMlmTask.setup_task(OmegaConf.structured(cfg))
        with pytest.raises(InputError, match=f"{name.replace('_', '-')}: found xx:yy, expected two languages"):
            task.load_dataset("train")


def test_validation_logs_every_language_and_the_pairs(run, pretrain, toy, tmp_path):
    pretrain("model", "--max-update", 5, "--score-seen")
    subsets = f"valid,valid_en,valid_{TARGET}"
    checkpoint = tmp_path / "model" / "checkpoint_last.pt"
    for scores in validated(run, toy / "data-bin", checkpoint, f"en,{TARGET}", subsets).values():
        assert scores["ppl"] == pytest.approx(2 ** scores["mlm_loss"], rel=2e-3)
        assert scores["align_cos"] == -scores["align_loss"] and -1 <= scores["heldout_cos"] <= 1
        logged = {split: scores[f"{split}_p1"] for split in ("whole", "seen", "heldout")}
    # the lexicons of a derived language are its whole vocabulary: the log has the paper's measure
    model = load(checkpoint, toy / "data-bin")
    files = {"seen": "lexicon.tsv", "heldout": "lexicon.heldout.tsv"}
    pairs = {split: lexicon_words.load(toy / name, model.dictionary) for split, name in files.items()}
    sizes = {split: len(set(part.source.tuples())) for split, part in pairs.items()}
    hits = {split: logged[split] * size for split, size in sizes.items()}
    assert logged["whole"] == pytest.approx(sum(hits.values()) / sum(sizes.values()), abs=1e-4)
    found = score_alignment(model, pairs, ("en", TARGET), isomorphism_size=0)
    (whole,) = (score for score in found if score.split == "whole" and score.band is None)
    assert whole.n == sum(sizes.values()) and logged["whole"] == pytest.approx(whole.value, abs=1e-4)


def test_stock_roberta_loads_our_checkpoint(pretrain, toy, tmp_path, run):
    """``RobertaModel.from_pretrained`` with the SentencePiece model, as docs/python.md shows it."""
    pretrain("model", "--max-update", 1)
    code = f"""
import fairseq_align
from fairseq.models.roberta import RobertaModel
roberta = RobertaModel.from_pretrained(
    {str(tmp_path / "model")!r}, "checkpoint_last.pt", {str(toy / "data-bin")!r},
    bpe="sentencepiece", sentencepiece_model={str(toy / "spm" / "spm.model")!r},
)
print(tuple(roberta.extract_features(roberta.encode("the house")).shape)[::2])
"""
    assert "(1, 32)" in run(["python", "-c", code]).stdout


def test_stock_tasks_keep_working_with_the_plugin_loaded(run, toy, tmp_path):
    command = ["fairseq-train", toy / "data-bin" / "en", "--user-dir", "fairseq_align", "--task", "masked_lm"]
    command += ["--criterion", "masked_lm", "--arch", "roberta_base", "--batch-size", 8, "--max-update", 2]
    done = run([*command, "--save-dir", tmp_path, *MODEL, *OPTIMIZER, *RUN])
    assert len(updates(done.stdout + done.stderr, "loss")) == 2


def test_the_plugin_works_by_name_from_any_folder_when_installed(toy, tmp_path):
    """``--user-dir fairseq_align`` finds the installed package where there is no folder of that name."""
    try:
        importlib.metadata.distribution("fairseq_align")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("waits for fairseq_align to be installed: bash install.sh")
    command = ["fairseq-train", toy / "data-bin", "--user-dir", "fairseq_align", "--task", "align_mlm", "--langs", "en"]
    command += [
        "--criterion",
        "masked_lm",
        "--arch",
        "roberta_base",
        "--batch-size",
        8,
        "--max-update",
        1,
        "--no-save",
        *MODEL,
        *OPTIMIZER,
        *RUN,
    ]
    done = processes.run(command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def hydra_train(run, toy, tmp_path, repo):
    """Train with the YAML in examples/ by ``fairseq-hydra-train``; arguments are its settings by group, and words."""

    def hydra_train(*words, **changed):
        settings = {
            "common": {"user_dir": repo / "fairseq_align", "cpu": "true", "log_format": "json", "log_interval": 1},
            "checkpoint": {"save_dir": tmp_path / "hydra"},
            "task": {"data": toy / "data-bin", "langs": f"'en,{TARGET}'", "tokens_per_sample": 32},
            "criterion": {"lexicon": toy / "lexicon.tsv"},
            "model": {"encoder_layers": 2, "encoder_embed_dim": 32, "encoder_ffn_embed_dim": 64}
            | {"encoder_attention_heads": 2, "max_positions": 32},
            "dataset": {"batch_size": 8, "disable_validation": "true", "num_workers": 0},
            "optimization": {"max_update": 3, "lr": "[5e-3]", "clip_norm": 1, "update_freq": "[1]"},
            "hydra": {"run.dir": tmp_path / "run"},
        }
        for group, values in changed.items():
            settings[group] |= values
        overrides = [f"{group}.{key}={value}" for group, keys in settings.items() for key, value in keys.items()]
        command = ["fairseq-hydra-train", *words, "--config-dir", repo / "examples", "--config-name", "pretrain"]
        return run([*command, *overrides])

    return hydra_train


def test_hydra_runs_the_same_training(pretrain, hydra_train, tmp_path):
    """The YAML in examples/ with the flags' values as overrides logs what ``fairseq-train`` logs."""
    hydra_train()
    log = (tmp_path / "run" / "hydra_train.log").read_text()
    hydra = [float(json.loads(line)["loss"]) for line in re.findall(r"\[train_inner\]\[INFO\] - (\{.*\})", log)]
    flags = ["--lr-scheduler", "polynomial_decay", "--warmup-updates", 10000, "--total-num-update", 500000]
    flags += ["--weight-decay", 0.01, "--max-update", 3]
    assert hydra == updates(pretrain("flags", *flags), "loss")


def test_a_job_of_a_sweep_is_the_same_job_alone(hydra_train, tmp_path):
    """The first job has the worse score: a loss that falls is one that gets worse, and a rate of 0 keeps it."""
    best = {"maximize_best_checkpoint_metric": "true", "patience": 2, "save_interval_updates": 1}
    data = {"disable_validation": "false", "valid_subset": "valid_en", "max_valid_steps": 0}

    def train(*words, lr: str, save: str) -> None:
        changed = {"optimization": {"lr": lr, "max_update": 2}, "checkpoint": {"save_dir": tmp_path / save, **best}}
        hydra_train(*words, **changed, dataset=data, hydra={"sweep.dir": tmp_path / "sweep"})

    train("-m", lr="[0.0],[5e-2]", save="swept${optimization.lr}")
    train(lr="[5e-2]", save="alone")
    for name in ("best", "last"):
        assert same(tmp_path / "swept[0.05]" / f"checkpoint_{name}.pt", tmp_path / "alone" / f"checkpoint_{name}.pt")


def test_tagger_is_fine_tuned_frozen_or_not_and_scored_on_both_languages(pretrain, run, toy, tmp_path):
    pretrain("model", "--max-update", 5)
    embeddings = "encoder.sentence_encoder.embed_tokens.weight"
    before = weights(tmp_path / "model" / "checkpoint_last.pt")[embeddings]
    for name, flags in {"tuned": [], "frozen": ["--freeze-embeddings", "--autocast", "bf16"]}.items():
        command = [
            "fairseq-train",
            toy / "pos-bin",
            "--user-dir",
            "fairseq_align",
            "--task",
            "sequence_tagging",
            "--lang",
            "en",
        ]
        command += [
            "--criterion",
            "sequence_tagging",
            "--arch",
            "roberta_tagger",
            *MODEL,
            *OPTIMIZER,
            "--batch-size",
            16,
        ]
        command += ["--finetune-from-model", tmp_path / "model" / "checkpoint_last.pt", "--save-dir", tmp_path / name]
        command += [
            "--max-epoch",
            2,
            "--best-checkpoint-metric",
            "accuracy",
            "--maximize-best-checkpoint-metric",
            "--cpu",
        ]
        done = run([*command, "--log-format", "json", "--num-workers", 0, "--no-epoch-checkpoints", *flags])
        valid = logged(done.stdout + done.stderr, "valid")
        assert len(valid) == 2 and valid[1]["valid_accuracy"] > 40  # a constant tag gets about 20 %
        assert 0 < valid[1]["valid_f1"] < 100
        after = weights(tmp_path / name / "checkpoint_best.pt")
        assert torch.equal(after[embeddings], before) == (name == "frozen")
        assert not any("lm_head" in key for key in after)
    results = tmp_path / "results.jsonl"
    about = [  # the objective is read from the checkpoints, that of a tagger from the model that it began as
        "--derivation",
        "transliterate+invert",
        "--lexicon-rate",
        0.5,
        "--results",
        results,
    ]
    best = tmp_path / "frozen" / "checkpoint_best.pt"
    run(["fairseq-align", "evaluate", best, toy / "pos-bin", "--subset", f"test_en,test_{TARGET}", *about])
    model = tmp_path / "model" / "checkpoint_last.pt"
    run(["fairseq-align", "evaluate", model, toy / "data-bin", "--subset", "valid_en", *about])
    lexicons = ["--lexicon", toy / "lexicon.tsv", "--heldout-lexicon", toy / "lexicon.heldout.tsv"]
    run(["fairseq-align", "alignment", model, toy / "data-bin", "--lang", TARGET, *lexicons, *about])
    records = [json.loads(line) for line in results.read_text().splitlines()]
    assert {record["objective"] for record in records} == {"align_mlm"}
    aligned = [r for r in records if r["task"] == "alignment"]
    assert [(r["task"], r["metric"], r["lang"], r["split"]) for r in records[: -len(aligned)]] == [
        *(("pos", metric, lang, "test") for lang in ("en", TARGET) for metric in ("accuracy", "f1", "seqeval_f1")),
        ("mlm", "loss", "en", "valid"),
        ("mlm", "unigram_entropy", "en", "valid"),
    ]
    # of each lexicon both ways P@1, P@5, P@10 and MRR by cosine and by CSLS, and the cosine; two of shape, two of all
    assert len(aligned) == 2 * 2 * 9 + 2 + 2 and {r["lang"] for r in aligned} == {TARGET}
    assert {r["split"] for r in aligned} == {"seen", "heldout", "vocabulary", "whole"}
    assert records[0]["source_lang"] == "en" and records[0]["freeze_embeddings"] is True and records[0]["value"] > 0.4


def other_pieces(toy, tmp_path):
    path = tmp_path / "other.tsv"
    text = (toy / "lexicon.tsv").read_text()
    path.write_text(re.sub("dictionary: .*", "dictionary: 0123456789ab", text))
    return path


def empty(toy, tmp_path):
    path = tmp_path / "empty.tsv"
    path.write_text("# nothing but a comment\n")
    return path


def three_columns(toy, tmp_path):
    path = tmp_path / "three.tsv"
    path.write_text("▁the\t▁the~\tdeterminer\n")
    return path


def out_of_vocabulary(toy, tmp_path):
    path = tmp_path / "oov.tsv"
    path.write_text("▁ыыы\t▁жжж\n")
    return path


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda toy, tmp_path: tmp_path / "nowhere.tsv",
            "nowhere.tsv: found No such file or directory, expected a lexicon; make it with",
        ),
        (other_pieces, "made for dictionary 0123456789ab, found [0-9a-f]{12} with the data; make the lexicon again"),
        (out_of_vocabulary, "kept 0 of 1 pairs"),
        (empty, "found no translation pair"),
        (three_columns, "three.tsv:1: found weight 'determiner', expected a positive number"),
    ],
)
def test_training_refuses_a_bad_lexicon_in_one_line(pretrain, toy, tmp_path, make, message):
    done = pretrain("model", "--lexicon", make(toy, tmp_path), "--max-update", 1, check=False)
    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 1 and re.search(message, last) and last.startswith("error: ")
    assert "Traceback" not in done.stderr and not (tmp_path / "model" / "checkpoint_last.pt").exists()


def test_training_refuses_data_without_dictionary_and_unknown_languages(pretrain, toy, tmp_path):
    (tmp_path / "empty").mkdir()
    done = pretrain("model", "--max-update", 1, data=tmp_path / "empty", check=False)
    assert done.returncode == 1 and "dict.txt: found no dictionary" in done.stderr.strip().splitlines()[-1]
    done = pretrain("model", "--max-update", 1, "--langs", "en,xx", check=False)
    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 1 and "xx/train.idx: found no binarized data" in last and "check --langs" in last
