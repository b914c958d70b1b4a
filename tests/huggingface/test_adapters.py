from dataclasses import replace

import pytest
import torch

from fairseq_align.errors import InputError
from fairseq_align.huggingface import adapters, convert
from fairseq_align.text import vocabulary
from tests.huggingface.models import TINY, safetensors, same_tensors, save


def test_a_new_architecture_of_transformers_needs_its_row_alone(spm, tmp_path, monkeypatch):
    """One whose names begin otherwise, and whose config.json says so."""
    xlmr = adapters.ADAPTERS["xlm-roberta"]
    row = xlmr._replace(
        classes={"masked_lm": "OtherForMaskedLM"},
        to_config=lambda size: xlmr.to_config(size) | {"model_type": "other"},
        weight_name=lambda name: "other." + xlmr.weight_name(name),
        to_weights=lambda size, tensors: tensors,
        from_config=lambda where, config, tensors: replace(TINY, vocabulary=config["vocab_size"]),
        from_weights=lambda size, tensors: tensors,
    )
    checkpoint = save(tmp_path / "ours", TINY, vocabulary.load(spm / "dict.txt"))
    with pytest.raises(InputError, match="found model_type 'other', expected 'xlm-roberta'"):
        convert.export(checkpoint, tmp_path / "theirs", spm / "spm.model", model_type="other")
    monkeypatch.setitem(adapters.ADAPTERS, "other", row)
    exported = convert.export(checkpoint, tmp_path / "theirs", spm / "spm.model", model_type="other")
    assert exported.model_class == "OtherForMaskedLM" and exported.scores == 0
    names = safetensors.load_file(tmp_path / "theirs" / "model.safetensors")
    assert all(name.startswith("other.") for name in names)
    imported_model = convert.import_model(tmp_path / "theirs", tmp_path / "back", lang="en")
    assert imported_model.task == "align_mlm" and "--encoder-layers" in imported_model.flags
    states = [torch.load(path, weights_only=True)["model"] for path in (checkpoint, tmp_path / "back" / "model.pt")]
    assert same_tensors(*map(dict, states))
