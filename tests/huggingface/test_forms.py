"""Models of transformers as others make them: BERT's classes and XLM-R's, head or none, halves, odd pieces."""

import pytest
import torch
from fairseq.data import Dictionary

from fairseq_align.evaluation.checkpoint import load
from fairseq_align.huggingface import convert, epsilon, pretrained
from fairseq_align.huggingface import tokenizer as tokenizer_of
from fairseq_align.huggingface.architecture import HEAD_NAME
from fairseq_align.text import subword, vocabulary
from fairseq_align.text.encoder import TextEncoder
from tests.huggingface.models import (
    ODD_PIECES,
    SHADDA_FATHA,
    foreign_pieces,
    imported,
    of_transformers,
    safetensors,
    same_tensors,
    sentences,
)

transformers = pytest.importorskip("transformers", reason="waits for the extra hf: EXTRAS=hf bash install.sh")

# U+200D becomes a space, as in XLM-R's rules, where those of today's library leave it
RULES = {"\u200d": " ", "\ufb01": "fi", "e\u0301": "\u00e9", "\u00a0": " "}
TAGS = {"id2label": {0: "O", 1: "B-PER", 2: "I-PER"}, "label2id": {"O": 0, "B-PER": 1, "I-PER": 2}}
XLMR = {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2, "type_vocab_size": 1}


@pytest.fixture(scope="module")
def foreign(spm) -> bytes:
    return foreign_pieces((spm / "spm.model").read_bytes(), RULES)


def batch(dictionary: Dictionary, model: bytes) -> torch.Tensor:
    """Ids of sentences, with padding: int64, shape (B, T)."""
    encode = TextEncoder(pretrained.processor_of(model), dictionary, "en", tokenized=True)
    rows = [torch.tensor([0, *encode(text), 2][:36]) for text in sentences(12, seed=3)]
    tokens = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=1)
    assert tokens.eq(1).any() and len(tokens.unique()) > 20
    return tokens


def logits_of(out, head: str, tokens: torch.Tensor) -> torch.Tensor:
    """What fairseq says, in the form of transformers."""
    model = load(out / "model.pt", out).model
    kwargs = {"features_only": True, "classification_head_name": HEAD_NAME} if head == "classifier" else {}
    if head == "none":
        kwargs = {"features_only": True}
    with torch.no_grad():
        found = model(src_tokens=tokens, **kwargs)
    return found if head == "tagger" else found[0]


def expected_of(theirs, tokens: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        found = theirs(input_ids=tokens, attention_mask=tokens.ne(1).long())
    return next(found[name] for name in ("logits", "prediction_logits", "last_hidden_state") if name in found)


MODELS = {
    "masked_lm": ("BertForMaskedLM", {}),
    "untied": ("BertForMaskedLM", {"tie_word_embeddings": False}),
    "pretraining": ("BertForPreTraining", {}),
    "tagger": ("BertForTokenClassification", TAGS),
    "classifier": ("BertForSequenceClassification", TAGS),
    "none": ("BertModel", {}),
    "none of XLM-R": ("XLMRobertaModel", XLMR | {"layer_norm_eps": 1e-12}),
}


@pytest.mark.parametrize("kind", MODELS)
def test_states_are_those_of_transformers(kind, foreign, tmp_path):
    """With BERT's epsilon, 1e-12, on sentences with padding."""
    model_class, settings = MODELS[kind]
    theirs = of_transformers(tmp_path / "theirs", model_class, foreign, "sentencepiece.bpe.model", **settings)
    imported(tmp_path / "theirs", tmp_path / "out")
    dictionary = vocabulary.load(tmp_path / "out" / "dict.txt")
    tokens = batch(dictionary, foreign)
    expected = expected_of(theirs, tokens)
    head = {"none of XLM-R": "none"}.get(kind, kind)
    found = logits_of(tmp_path / "out", head, tokens)
    if head != "classifier":
        found, expected = found[tokens.ne(1)], expected[tokens.ne(1)]
    assert found.shape == expected.shape and expected.std() > 0.1
    assert (found - expected).abs().max() <= 1e-4 * expected.abs().max()


@pytest.mark.parametrize("model_class", ["BertModel", "XLMRobertaModel"])
@pytest.mark.parametrize("tokenizer", ["tokenizer.json", "spm.model"])
def test_odd_pieces_keep_their_rows_and_round_trips_are_bitwise(model_class, tokenizer, foreign, tmp_path):
    settings = (XLMR if model_class.startswith("XLM") else {"pad_token_id": 0}) | {"layer_norm_eps": 1e-5}
    of_transformers(tmp_path / "theirs", model_class, foreign, tokenizer, **settings)
    prefix = "embeddings.word_embeddings.weight"
    rows = safetensors.load_file(tmp_path / "theirs" / "model.safetensors")[prefix]
    state = imported(tmp_path / "theirs", tmp_path / "out")["model"]
    found = state["encoder.sentence_encoder.embed_tokens.weight"]
    dictionary = vocabulary.load(tmp_path / "out" / "dict.txt")
    assert dictionary.symbols == Dictionary.load(str(tmp_path / "out" / "dict.txt")).symbols
    processor = subword.load(tmp_path / "out" / "spm.model")
    for piece in ODD_PIECES:
        assert torch.equal(found[dictionary.index(piece)], rows[processor.piece_to_id(piece) + 1]), repr(piece)
    assert torch.equal(found, rows) and len(set(map(dictionary.index, ODD_PIECES))) == len(ODD_PIECES) > 25
    vocabulary.save(dictionary, tmp_path / "again.txt")
    assert (tmp_path / "again.txt").read_bytes() == (tmp_path / "out" / "dict.txt").read_bytes()
    for model_type in ("xlm-roberta", "bert"):
        exported = tmp_path / f"exported-{model_type}"
        convert.export(
            tmp_path / "out" / "model.pt", exported, tmp_path / "out" / "spm.model", str(tmp_path / "out"),
            model_type=model_type,
        )  # fmt: skip
        (exported / "dict.txt").unlink()
        back = imported(exported, tmp_path / f"back-{model_type}")["model"]
        before = dict(state)
        if model_type == "bert":  # which has no rows before the first position's
            name = "encoder.sentence_encoder.embed_positions.weight"
            before[name], back[name] = before[name][2:], dict(back)[name][2:]
        assert same_tensors(dict(back), before)
        assert vocabulary.load(tmp_path / f"back-{model_type}" / "dict.txt").symbols == dictionary.symbols


@pytest.mark.parametrize("tokenizer", ["tokenizer.json", "sentencepiece.bpe.model"])
def test_normalisation_is_the_models_own(tokenizer, foreign, spm, tmp_path):
    """Ids of SentencePiece with the model's rules, and of a fast tokenizer with them; the library's own differ."""
    of_transformers(tmp_path / "theirs", "BertModel", foreign, tokenizer)
    imported(tmp_path / "theirs", tmp_path / "out")
    dictionary = vocabulary.load(tmp_path / "out" / "dict.txt")
    encode = TextEncoder(subword.load(tmp_path / "out" / "spm.model"), dictionary, "hi", tokenized=True)
    texts = [
        *sentences(20),
        "ba\u200dti go",
        "\ufb01ba re\u0301go",
        "shamo\u00adki lu",
        f"ba {SHADDA_FATHA} {SHADDA_FATHA[::2]}\u0651",
    ]
    reference = pretrained.processor_of(foreign)
    found = [encode(text) for text in texts]
    assert found == [[index + 1 if index else 3 for index in reference.encode(text)] for text in texts]
    if tokenizer == "tokenizer.json":
        fast = transformers.PreTrainedTokenizerFast(tokenizer_file=str(tmp_path / "theirs" / tokenizer))
        assert found == [fast(text, add_special_tokens=False).input_ids for text in texts]
    assert dictionary.string(found[-1][-2:]) == f"\u2581{SHADDA_FATHA} \u2581\u0628\u064e\u0651"
    exported = tokenizer_of.build(foreign, dictionary, "spm.model")
    assert found == [exported.encode(text, add_special_tokens=False).ids for text in texts]
    library = TextEncoder(subword.load(spm / "spm.model"), dictionary, "hi", tokenized=True)
    assert library(texts[20]) != found[20]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_halves_are_read_exactly(dtype, foreign, tmp_path, caplog):
    """BERT's row of segments is folded without rounding, so weights become float32; XLM-R's stay what they are."""
    theirs = of_transformers(tmp_path / "bert", "BertForMaskedLM", foreign, "spm.model", dtype)
    with caplog.at_level("INFO"):
        state = imported(tmp_path / "bert", tmp_path / "out")["model"]
    assert f"weights of {dtype} are widened to float32" in caplog.text
    assert {tensor.dtype for tensor in state.values()} == {torch.float32}
    tokens = batch(vocabulary.load(tmp_path / "out" / "dict.txt"), foreign)
    expected, found = expected_of(theirs, tokens), logits_of(tmp_path / "out", "masked_lm", tokens)
    assert (found - expected)[tokens.ne(1)].abs().max() <= 1e-4 * expected.abs().max()
    weights = safetensors.load_file(tmp_path / "bert" / "model.safetensors")
    assert weights["bert.embeddings.word_embeddings.weight"].dtype == getattr(torch, dtype)
    weights["bert.embeddings.token_type_embeddings.weight"].zero_()
    safetensors.save_file(weights, tmp_path / "bert" / "model.safetensors")
    caplog.clear()
    with caplog.at_level("INFO"):
        state = imported(tmp_path / "bert", tmp_path / "zero")["model"]
    assert "widened" not in caplog.text and "folded" not in caplog.text
    words = state["encoder.sentence_encoder.embed_tokens.weight"]
    assert torch.equal(words, weights["bert.embeddings.word_embeddings.weight"])
    # a file of both is read, too
    name = "bert.embeddings.LayerNorm.weight"
    safetensors.save_file(weights | {name: weights[name].float()}, tmp_path / "bert" / "model.safetensors")
    mixed = imported(tmp_path / "bert", tmp_path / "mixed")["model"]
    assert torch.equal(mixed["encoder.sentence_encoder.embed_tokens.weight"], words.float())
    assert f"weights of {' and '.join(sorted([dtype, 'float32']))} are widened" in caplog.text


SAID = {
    "BertModel": [
        "bert.pooler.dense is left out",
        "a masked-LM head of new weights",
        "segment 0 of 2",
        "positions begin",
    ],
    "BertForPreTraining": ["bert.pooler.dense is left out", "cls.seq_relationship is left out", "segment 0 of 2"],
    "BertForSequenceClassification": [
        "segment 0 of 2, that of all text here, is folded",
        "layer_norm_eps 1e-12 becomes",
    ],
    "XLMRobertaModel": ["roberta.pooler.dense is left out", "segment 0 of 1", "5 rows without a symbol are left out"],
}


@pytest.mark.parametrize("model_class", SAID)
def test_what_is_left_out_and_folded_is_said_in_a_line_each(model_class, foreign, tmp_path, caplog):
    settings = XLMR if model_class.startswith("XLM") else {}
    rows = len(pretrained.processor_of(foreign)) + 2 + 5
    of_transformers(tmp_path / "theirs", model_class, foreign, "spm.model", **settings | {"vocab_size": rows})
    with caplog.at_level("INFO"):
        imported(tmp_path / "theirs", tmp_path / "out")
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("fairseq_align")]
    for said in SAID[model_class]:
        assert sum(said in line for line in lines) == 1, (said, lines)
    assert ("pooler" in " ".join(lines)) == (model_class != "BertForSequenceClassification")
    assert not any("\n" in line for line in lines)


@pytest.mark.parametrize("eps", [1e-12, 0.1])
def test_the_states_that_an_epsilon_is_judged_by_are_those_of_transformers(eps, foreign, tmp_path):
    theirs = of_transformers(tmp_path / "theirs", "BertModel", foreign, "spm.model", layer_norm_eps=1e-12)
    model = pretrained.read(tmp_path / "theirs").model
    for module in theirs.modules():
        if isinstance(module, torch.nn.LayerNorm):
            module.eps = eps
    tokens = torch.randint(4, 60, (3, 9), generator=torch.Generator().manual_seed(2))
    expected = expected_of(theirs, tokens)
    assert torch.allclose(epsilon.states(model, tokens, eps), expected, atol=1e-5)
    assert (epsilon.difference(model, eps) > 0.01) == (eps == 0.1)
