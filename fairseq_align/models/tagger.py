"""Model ``roberta_tagger``: a RoBERTa encoder with a label for every token; ``load_tagger`` tags words with it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from fairseq import hub_utils
from fairseq.models import register_model, register_model_architecture
from fairseq.models.roberta.model import RobertaModel, base_architecture
from fairseq.modules.transformer_sentence_encoder import init_bert_params
from fairseq.tasks import FairseqTask
from sentencepiece import SentencePieceProcessor
from torch import Tensor, nn

from fairseq_align.data.tagging import cuts
from fairseq_align.errors import InputError
from fairseq_align.text import subword
from fairseq_align.text.encoder import WordEncoder
from fairseq_align.text.normalise import normalise


class TaggingHead(nn.Module):
    """Dropout and one linear layer, as in BERT's tagger (Devlin et al. 2019).

    Args:
        dim: size of the features, C.
        labels: number of labels, L.
        dropout: probability, 0: none.
    """

    def __init__(self, dim: int, labels: int, dropout: float):
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.out_proj = nn.Linear(dim, labels)

    def forward(self, features: Tensor) -> Tensor:
        """(B, T, C) -> logits (B, T, L)."""
        return self.out_proj(self.dropout(features))


@register_model("roberta_tagger")
class RobertaTagger(RobertaModel):
    """RoBERTa with a ``TaggingHead`` in place of the masked-LM head.

    It loads its own checkpoints and those of ``roberta``, without their masked-LM head and with a new tagging head. Its
    flags are those of ``roberta``; ``--pooler-dropout`` is the dropout of the head.
    """

    def __init__(self, args, encoder):
        super().__init__(args, encoder)
        del self.encoder.lm_head
        self.tagging_head: TaggingHead | None = None

    @classmethod
    def build_model(cls, args, task) -> "RobertaTagger":
        """Build the model for a task whose ``labels`` are the names of the labels in the order of the logits."""
        model = super().build_model(args, task)
        model.tagging_head = TaggingHead(args.encoder_embed_dim, len(task.labels), args.pooler_dropout)
        model.tagging_head.apply(init_bert_params)
        return model

    @classmethod
    def from_pretrained(
        cls,
        model_name_or_path: str,
        checkpoint_file: str = "model.pt",
        data_name_or_path: str = ".",
        sentencepiece_model: str | Path = "spm.model",
    ) -> "Tagger":
        """Load a fine-tuned checkpoint for tagging words.

        >>> from fairseq_align.models.tagger import RobertaTagger
        >>> tagger = RobertaTagger.from_pretrained("checkpoints/pos", "model.pt", "pos-bin", "spm/spm.model")
        >>> words = ["the", "small", "house"]
        >>> dict(zip(words, tagger.tag(words)))  # doctest: +ELLIPSIS
        {'the': '...', 'small': '...', 'house': '...'}

        Args:
            model_name_or_path: folder of the checkpoint.
            data_name_or_path: folder of dict.txt and label/dict.txt; a name that begins with a dot is relative to the
                folder of the checkpoint.
            sentencepiece_model: that of the pre-training data.

        Raises:
            InputError: the checkpoint is missing.
        """
        if not Path(model_name_or_path, checkpoint_file).is_file():
            raise InputError(
                f"{Path(model_name_or_path, checkpoint_file)}: found no file, expected a checkpoint; check its folder"
            )
        loaded = hub_utils.from_pretrained(model_name_or_path, checkpoint_file, data_name_or_path)
        return Tagger(loaded["task"], loaded["models"][0], subword.load(sentencepiece_model))

    def forward(self, src_tokens: Tensor, **unused) -> Tensor:
        """Logits (B, T, L) of ``src_tokens`` (B, T)."""
        features, _ = self.encoder(src_tokens, features_only=True)
        return self.tagging_head(features)

    def upgrade_state_dict_named(self, state_dict: dict, name: str) -> None:
        super().upgrade_state_dict_named(state_dict, name)
        prefix = f"{name}." if name else ""
        for key in [key for key in state_dict if key.startswith(f"{prefix}encoder.lm_head.")]:
            del state_dict[key]
        for key, value in self.tagging_head.state_dict().items():
            state_dict.setdefault(f"{prefix}tagging_head.{key}", value)


class Tagger(nn.Module):
    """A fine-tuned tagger that takes words; see ``load_tagger``.

    Args:
        task: task of the model, which holds the dictionaries and the number of positions.
        model: a fine-tuned ``RobertaTagger``.
        processor: the SentencePiece model of its vocabulary.
    """

    def __init__(self, task: FairseqTask, model: RobertaTagger, processor: SentencePieceProcessor):
        super().__init__()
        self.task, self.processor = task, processor
        self._encode = WordEncoder(processor)
        self.model = model.eval()

    @torch.no_grad()
    def tag(self, words: Sequence[str]) -> list[str]:
        """One label for each word, in their order.

        A sentence that is longer than the model's positions is cut before a word, as in training. A word without any
        piece is taken as ``<unk>``.

        Args:
            words: of one sentence, as the treebank splits it.

        Raises:
            InputError: ``words`` is one string.
        """
        if isinstance(words, str):
            raise InputError(
                f"found the text {words!r:.40}, expected a list of words; split it, e.g. with text.split()"
            )
        if not words:
            return []
        dictionary, device = self.task.source_dictionary, next(self.model.parameters()).device
        pieces = [word or [subword.UNKNOWN] for word in self._encode(map(normalise, words))]
        tokens = [dictionary.index(piece) for word in pieces for piece in word] + [dictionary.eos()]
        first = np.zeros(len(tokens), dtype=bool)
        first[np.cumsum([0] + [len(word) for word in pieces[:-1]])] = True
        starts = cuts(first, self.task.max_positions() - 1)
        predicted = []
        for start, end in zip(starts, [*starts[1:], len(tokens)], strict=True):
            part = torch.tensor([[dictionary.bos(), *tokens[start:end]]], device=device)
            predicted.append(self.model(part)[0, 1:].argmax(-1).cpu().numpy())
        return [self.task.labels[label] for label in np.concatenate(predicted)[first]]


def load_tagger(
    checkpoint: str | Path, data: str | Path | None = None, sentencepiece_model: str | Path | None = None
) -> Tagger:
    """Load a fine-tuned checkpoint for tagging words.

    >>> tagger = load_tagger("checkpoints/pos/model.pt", "pos-bin", "spm/spm.model")
    >>> words = ["the", "small", "house"]
    >>> dict(zip(words, tagger.tag(words)))  # doctest: +ELLIPSIS
    {'the': '...', 'small': '...', 'house': '...'}

    Args:
        checkpoint: file of fairseq-train.
        data: folder of dict.txt and label/dict.txt; default: the folder of the checkpoint.
        sentencepiece_model: that of the pre-training data; default: spm.model in ``data``.

    Raises:
        InputError: a file is missing, or the labels are not those of the checkpoint.
    """
    checkpoint = Path(checkpoint)
    data = checkpoint.parent if data is None else Path(data)
    return RobertaTagger.from_pretrained(
        str(checkpoint.parent), checkpoint.name, str(data.absolute()), sentencepiece_model or data / "spm.model"
    )


@register_model_architecture("roberta_tagger", "roberta_tagger")
def roberta_tagger_architecture(args) -> None:
    base_architecture(args)
