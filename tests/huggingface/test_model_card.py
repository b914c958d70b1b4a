import json
import shutil
from argparse import Namespace
from dataclasses import replace

import torch

from fairseq_align.huggingface import model_card
from fairseq_align.objectives import OBJECTIVES, Objective
from fairseq_align.results import records
from fairseq_align.text import vocabulary
from tests.huggingface.models import (
    TINY,
    copied,
    export,
    imported,
    save,
    sentences,
)


def test_the_card_tells_training_and_scores(spm, tmp_path):
    size = replace(TINY, head="tagger", labels=("NOUN", "VERB"))
    checkpoint = save(tmp_path / "ours", size, vocabulary.load(spm / "dict.txt"))
    score = dict.fromkeys(("derivation", "lexicon_rate", "lexicon"))
    score |= {"task": "pos", "metric": "accuracy", "value": 0.61234, "n": 77, "split": "test", "seed": 1}
    score |= {"lang": "fr", "source_lang": "en", "freeze_embeddings": False, "objective": "align_mlm"}
    score |= {"checkpoint": records.checksum(checkpoint), "versions": records.versions(), "date": records.now()}
    for record in (score, score | {"checkpoint": "0" * 12, "value": 0.5}):
        records.append(tmp_path / "results.jsonl", record)
    folder = export(checkpoint, tmp_path / "theirs", spm, "--results", tmp_path / "results.jsonl")
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "pos accuracy 61.2 | lang:fr | source_lang:en" in card and "50.0" not in card
    assert f"checksum {vocabulary.checksum(vocabulary.load(spm / 'dict.txt'))}" in card
    assert "| task._name | `sequence_tagging` |" in card and 'pipeline_tag: "token-classification"' in card
    assert json.loads((folder / "config.json").read_text())["id2label"] == {"0": "NOUN", "1": "VERB"}


def test_the_card_has_every_setting_that_differs_from_its_default():
    """Those of fairseq's own groups and of chosen dataclasses, but for what repeats another setting."""
    cfg = {
        "common": {"seed": 3, "fp16": False, "log_interval": 100},
        "distributed_training": {"distributed_world_size": 1, "ddp_backend": "pytorch_ddp"},
        "optimization": {"lr": [0.0001], "update_freq": [1], "stop_time_hours": 0.0, "max_update": 500000},
        "task": {"_name": "align_mlm", "data": "/home/someone/data-bin", "langs": "en,fr", "autocast": "bf16",
                 "seed": 3},
        "criterion": Namespace(
            _name="align_mlm", lexicon="data/en-fr.tsv:data/en-ar.tsv", heldout_lexicon=None, align_weight=1.0,
            align_warmup=1000, align_loss="contrastive", align_temperature=0.05, align_pairs=0, seed=3,
        ),
        "optimizer": {"_name": "adam", "adam_betas": "(0.9, 0.98)", "weight_decay": 0.0, "lr": [0.0001]},
        "lr_scheduler": {"_name": "polynomial_decay", "warmup_updates": 0, "power": 1.0},
        "scoring": {"_name": "bleu"},
        "a_plugin": {"_name": "unknown", "setting": 1},
    }  # fmt: skip
    assert model_card.changed_settings(cfg) == {
        "common.seed": 3,
        "distributed_training.distributed_world_size": 1,
        "optimization.lr": [0.0001],
        "optimization.max_update": 500000,
        "task._name": "align_mlm",
        "task.data": "/home/someone/data-bin",
        "task.langs": "en,fr",
        "task.autocast": "bf16",
        "criterion._name": "align_mlm",
        "criterion.lexicon": "data/en-fr.tsv:data/en-ar.tsv",
        "criterion.align_weight": 1.0,
        "criterion.align_warmup": 1000,
        "criterion.align_loss": "contrastive",
        "criterion.align_temperature": 0.05,
        "optimizer._name": "adam",
        "optimizer.adam_betas": "(0.9, 0.98)",
        "lr_scheduler._name": "polynomial_decay",
    }
    dictionary = vocabulary.of_symbols(["a"])
    card = model_card.card("name", "xlm-roberta", "XLMRobertaForMaskedLM", TINY, cfg, dictionary, "0" * 12, [])
    assert "| criterion.lexicon | `en-fr.tsv:en-ar.tsv` |" in card and "someone" not in card
    assert "- Objective: MLM + ALIGN-MLM, alpha = 1.0" in card


def test_a_new_objective_is_told_by_the_card(monkeypatch):
    row = Objective("code_switch", "CODE-SWITCH", frozenset({"lexicon"}), lambda task, criterion: "switch" in task)
    monkeypatch.setitem(OBJECTIVES, "code_switch", row)
    cfg = {"task": {"_name": "align_mlm", "switch": 0.3}, "criterion": {"align_weight": 0}}
    assert model_card.objective(cfg) == "MLM + CODE-SWITCH"
    assert model_card.objective({"task": {"_name": "sequence_tagging"}}) == "fine-tuning with sequence_tagging"


def test_the_card_of_an_imported_model_is_true(plain, spm, tmp_path):
    """Base model, licence and changes from the import on; settings only of a training that was."""
    source, _ = copied(plain, tmp_path / "a-base-model")
    shutil.copyfile(plain / "model.safetensors", source / "model.safetensors")
    (source / "README.md").write_text("---\nlanguage: [en]\nlicense: mit\n---\n# A model\n", encoding="utf-8")
    (tmp_path / "text").write_text("\n".join(sentences(9)), encoding="utf-8")
    imported(source, tmp_path / "ours", "--keep-vocab", tmp_path / "text")
    card = (export(tmp_path / "ours" / "model.pt", tmp_path / "card", tmp_path / "ours") / "README.md").read_text()
    head, _, body = card.removeprefix("---\n").partition("\n---\n")
    assert 'base_model: "a-base-model"' in head and 'license: "mit"' in head
    assert "- Base model: `a-base-model`, licence mit" in body and "kept 57 of 62 rows" in body
    assert str(tmp_path) not in body
    assert "None since the model was imported." in body and "| setting |" not in body and "sacremoses" not in body
    assert "- Objective: none" in body
    # aligned alone, then trained on: the card follows the files back
    state = torch.load(tmp_path / "ours" / "model.pt", weights_only=True)
    done = {"updates": 9, "pairs": 0, "align_loss": "cosine", "lexicon": "en-fr.tsv", "start": "orthogonal en,fr"}
    state["extra_state"]["aligned"] = [done]
    torch.save(state, tmp_path / "ours" / "aligned.pt")
    del state["extra_state"]["imported"], state["extra_state"]["aligned"]
    state["optimizer_history"][-1]["num_updates"] = 7
    state["cfg"]["checkpoint"]["finetune_from_model"] = str(tmp_path / "ours" / "aligned.pt")
    state["cfg"]["common"]["seed"] = 5
    torch.save(state, tmp_path / "ours" / "trained.pt")
    card = (export(tmp_path / "ours" / "trained.pt", tmp_path / "card2", tmp_path / "ours") / "README.md").read_text()
    assert "`a-base-model`, licence mit" in card and "- Trained on from: `aligned.pt`" in card
    assert "aligned alone on en-fr.tsv after a start orthogonal en,fr: 9 updates, cosine, all pairs" in card
    assert "| common.seed | `5` |" in card and "- Objective: MLM" in card
    (tmp_path / "ours" / "aligned.pt").unlink()  # what is not there any more cannot be told
    card = (export(tmp_path / "ours" / "trained.pt", tmp_path / "card3", tmp_path / "ours") / "README.md").read_text()
    assert "Base model" not in card and "- Trained on from: `aligned.pt`" in card
    assert "began as `aligned.pt`, which could not be read" in card and "tokenise raw text with sacremoses" not in card
