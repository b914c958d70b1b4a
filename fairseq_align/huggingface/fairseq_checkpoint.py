"""fairseq's checkpoints of an encoder with a head: read safely, and written."""

import pickle
import warnings
import zipfile
from argparse import Namespace
from pathlib import Path

import torch
from torch import Tensor

from fairseq_align.errors import InputError
from fairseq_align.huggingface import UNKNOWN_LANG
from fairseq_align.huggingface.architecture import (
    HEAD_NAME,
    HEADS,
    Architecture,
    Model,
    check,
    check_stored,
    fresh_lm_head,
    take,
)

LONGEST_PICKLE = 1 << 23  # bytes of names and settings; a model of 400 tensors has 50,000

# settings of fairseq for which Hugging Face's architecture has one value
FIXED = {
    "encoder_normalize_before": False,
    "layernorm_embedding": True,
    "encoder_learned_pos": True,
    "no_scale_embedding": True,
    "no_token_positional_embeddings": False,
    "adaptive_input": False,
    "quant_noise_pq": 0,
    "quant_noise_scalar": 0,
    "spectral_norm_classification_head": False,
    "pooler_activation_fn": "tanh",
}


def read_torch(path: str | Path) -> dict:
    """Content of a file of ``torch.save``, on the CPU.

    Raises:
        InputError: the file is missing, damaged, holds anything but tensors and settings, or is no mapping.
    """
    import fairseq  # noqa: F401  the plugin tells torch which classes of settings a checkpoint may hold

    from fairseq_align.training.checkpoints import changed_on_disk, is_archive

    if not Path(path).is_file():
        raise InputError(f"{path}: found no file, expected a checkpoint; check the path")
    found = changed_on_disk(path)
    if found:
        raise InputError(f"{path}: found a damaged file ({found}), expected one of torch.save; get a whole copy")
    if is_archive(path):
        _check_archive(path)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise InputError(
            f"{path}: found a pickle that is damaged or holds more than tensors and settings "
            f"({_first_line(error):.160}), expected weights alone; take them from someone who gives safetensors"
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, AttributeError, IndexError) as error:
        raise InputError(
            f"{path}: found a damaged file ({_first_line(error):.160}), expected one of torch.save; get a whole copy"
        ) from error
    if not isinstance(state, dict):
        raise InputError(f"{path}: found a {type(state).__name__}, expected a mapping of names; get another file")
    return state


def _check_archive(path: str | Path) -> None:
    """Raise ``InputError`` for an archive that torch.save has not written: compressed, or with a pickle without end."""
    with zipfile.ZipFile(path) as archive:  # which is whole: changed_on_disk has read every member
        members = archive.infolist()
    for member in members:
        pickled = member.filename.endswith("/data.pkl") and member.file_size > LONGEST_PICKLE
        if pickled or member.compress_type != zipfile.ZIP_STORED or member.file_size > member.compress_size:
            raise InputError(
                f"{path}: found {member.filename!r:.80} of {member.file_size:,} bytes in {member.compress_size:,}, "
                "expected what torch.save writes; take the weights from someone who gives safetensors"
            )


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__).strip(" .")


def settings(path: str | Path, state: dict) -> tuple[Namespace, dict]:
    """Settings of the model, and the whole configuration by group, of a checkpoint of fairseq.

    Checkpoints from before fairseq's dataclasses have no configuration; it is empty.

    Raises:
        InputError: the checkpoint has no settings.
    """
    cfg = state.get("cfg")
    model = cfg.get("model") if isinstance(cfg, dict) else state.get("args")
    if isinstance(model, dict):
        model = Namespace(**model)
    if not isinstance(model, Namespace) or not isinstance(state.get("model"), dict):
        raise InputError(f"{path}: found no model with its settings, expected a checkpoint of fairseq-train")
    return Namespace(**vars(model)), cfg if isinstance(cfg, dict) else {}


def _upgrade(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors of an old checkpoint (``xlmr.base`` of 2019) by today's names; buffers of versions are left out."""
    upgraded = {}
    for name, tensor in tensors.items():
        name = name.replace("emb_layer_norm.", "layernorm_embedding.")
        if name.startswith("decoder."):
            name = "encoder." + name.removeprefix("decoder.")
        if ".in_proj_" in name and tensor.dim() and len(tensor) % 3 == 0 and len(tensor):
            for letter, part in zip("qkv", tensor.chunk(3), strict=True):
                upgraded[name.replace(".in_proj_", f".{letter}_proj.")] = part.clone()
        elif not name.endswith(".version"):
            upgraded[name] = tensor
    return upgraded


def from_fairseq(path: str | Path, state: dict) -> Model:
    """The model of a fairseq checkpoint.

    A checkpoint does not have the labels of a classifier: they are ``0``, ``1`` and so on; ``replace`` them.

    Raises:
        InputError: the model is no RoBERTa, or one that Hugging Face's XLM-R cannot express.
    """
    from fairseq.models.roberta.model import base_architecture

    args, _ = settings(path, state)
    tensors = _upgrade(check_stored(path, state["model"]))
    words = tensors.get("encoder.sentence_encoder.embed_tokens.weight")
    if not isinstance(words, Tensor) or words.dim() != 2:
        raise InputError(f"{path}: found no embeddings of a RoBERTa encoder, expected --arch roberta or roberta_tagger")
    base_architecture(args)
    args.quant_noise_pq, args.quant_noise_scalar = args.quant_noise_pq or 0, args.quant_noise_scalar or 0
    for name, value in FIXED.items():
        if getattr(args, name) != value:
            raise InputError(
                f"{path}: found {name} {getattr(args, name)}, expected {value}; XLM-R of Hugging Face has no other"
            )
    tensors = _with_head_name(path, tensors)
    head, labels = _head(path, tensors, state)
    regression = head == "classifier" and _is_regression(state)
    output = tensors.get("encoder.lm_head.weight")
    if head != "masked_lm":
        tensors = {name: tensor for name, tensor in tensors.items() if not name.startswith("encoder.lm_head.")}
    elif not args.untie_weights_roberta:
        if output is not None and (output.dtype != words.dtype or not torch.equal(output, words)):
            raise InputError(f"{path}: found an output layer that is not the word embeddings; train it again")
        tensors.pop("encoder.lm_head.weight", None)
    size = Architecture(
        head=head,
        vocabulary=len(words),
        layers=args.encoder_layers,
        dim=args.encoder_embed_dim,
        ffn_dim=args.encoder_ffn_embed_dim,
        heads=args.encoder_attention_heads,
        positions=args.max_positions,
        activation=args.activation_fn,
        tied=not args.untie_weights_roberta,
        dropout=args.dropout,
        attention_dropout=args.attention_dropout,
        head_dropout=args.pooler_dropout,
        labels=() if regression else labels,
        regression=regression,
        dtype=str(words.dtype).removeprefix("torch."),
    )
    return take(str(path), check(str(path), size), tensors, f"a fairseq model with the head {head}")


def _head(path: str | Path, tensors: dict[str, Tensor], state: dict) -> tuple[str, tuple[str, ...]]:
    """Name of the head, by its tensors, and its labels."""
    if "tagging_head.out_proj.bias" in tensors:
        state = state.get("task_state")
        names = state.get("labels") if isinstance(state, dict) else None
        named = names if isinstance(names, list) else range(tensors["tagging_head.out_proj.bias"].numel())
        return "tagger", tuple(map(str, named))
    if any(name.startswith("classification_heads.") for name in tensors):
        bias = tensors.get(f"classification_heads.{HEAD_NAME}.out_proj.bias", torch.empty(0))
        return "classifier", tuple(map(str, range(bias.numel())))
    return "masked_lm", ()


def _with_head_name(path: str | Path, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors whose classification head has fairseq's own name, whatever ``--classification-head-name`` was."""
    heads = sorted({name.split(".")[1] for name in tensors if name.startswith("classification_heads.")})
    if len(heads) > 1:
        raise InputError(f"{path}: found heads {', '.join(heads)}, expected one; train it alone")
    if not heads or heads == [HEAD_NAME]:
        return tensors
    own, ours = f"classification_heads.{heads[0]}.", f"classification_heads.{HEAD_NAME}."
    return {ours + name.removeprefix(own) if name.startswith(own) else name: tensors[name] for name in tensors}


def _is_regression(state: dict) -> bool:
    """Whether a classifier was trained with ``--regression-target``."""
    cfg = state.get("cfg")
    groups = (
        [cfg.get(name) for name in ("task", "criterion", "model")] if isinstance(cfg, dict) else [state.get("args")]
    )
    groups = [vars(group) if isinstance(group, Namespace) else group for group in groups]
    return any(bool(group.get("regression_target")) for group in groups if isinstance(group, dict))


def model_flags(size: Architecture) -> list[str]:
    """Arguments of fairseq-train that build the model of a checkpoint."""
    flags = ["--arch", HEADS[size.head].arch]
    flags += ["--encoder-layers", size.layers, "--encoder-embed-dim", size.dim, "--encoder-ffn-embed-dim", size.ffn_dim]
    flags += ["--encoder-attention-heads", size.heads, "--max-positions", size.positions]
    flags += ["--activation-fn", size.activation] if size.activation != "gelu" else []
    flags += [] if size.tied else ["--untie-weights-roberta"]
    return [str(flag) for flag in flags]


def flags(size: Architecture, data: str, lang: str) -> list[str]:
    """Arguments of fairseq-train that give the settings of a checkpoint.

    Args:
        data: folder with dict.txt.
        lang: language of the data.
    """
    task = HEADS[size.head].task
    of_task = {
        "masked_lm": ["--criterion", "masked_lm", "--langs", lang, "--tokens-per-sample", size.positions],
        "tagger": ["--criterion", task, "--lang", lang, "--tokens-per-sample", size.positions],
        "classifier": ["--criterion", task, "--num-classes", size.outputs, "--init-token", 0]
        + ["--separator-token", 2, "--train-subset", f"train_{lang}"]
        + ["--regression-target", "--best-checkpoint-metric", "loss"] * size.regression,
    }[size.head]
    dropout = ["--dropout", size.dropout, "--attention-dropout", size.attention_dropout]
    dropout += ["--pooler-dropout", size.head_dropout]
    return [str(word) for word in (data, "--task", task, *of_task, *model_flags(size), *dropout)]


def to_checkpoint(model: Model, data: str, lang: str = UNKNOWN_LANG) -> dict:
    """The checkpoint that fairseq-train would write before its first update: weights and settings, no optimizer state.

    A classifier gets a masked-LM head, which fairseq's model always has; it starts afresh and nothing uses it.

    Args:
        data, lang: see ``flags``.
    """
    from fairseq import options
    from fairseq.dataclass.utils import convert_namespace_to_omegaconf
    from omegaconf import OmegaConf

    size, tensors = model
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # hydra's deprecations, of fairseq's way to make settings
        args = options.parse_args_and_arch(options.get_training_parser(), flags(size, data, lang))
        cfg = OmegaConf.to_container(convert_namespace_to_omegaconf(args), resolve=True, enum_to_str=True)
    tensors = dict(tensors) | {"encoder.sentence_encoder.version": torch.tensor([3.0])}
    if size.head == "classifier":
        tensors |= fresh_lm_head(size)
    if size.head != "tagger":
        tensors.setdefault("encoder.lm_head.weight", tensors["encoder.sentence_encoder.embed_tokens.weight"])
    iterator = {"version": 2, "epoch": 1, "iterations_in_epoch": 0, "shuffle": True}
    return {
        "args": None,
        "cfg": cfg,
        "model": tensors,
        "criterion": None,
        "optimizer_history": [{"criterion_name": "", "optimizer_name": "", "lr_scheduler_state": {}, "num_updates": 0}],
        "task_state": {"labels": list(size.labels)} if size.head == "tagger" else {},
        "extra_state": {"train_iterator": iterator},
    }
