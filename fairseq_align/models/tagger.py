"""Model ``roberta_tagger``: a RoBERTa encoder with a label for every token."""

from fairseq.models import register_model, register_model_architecture
from fairseq.models.roberta.model import RobertaModel, base_architecture
from fairseq.modules.transformer_sentence_encoder import init_bert_params
from torch import Tensor, nn


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

    Loads checkpoints of ``roberta`` (their masked-LM head is left out, the tagging head starts afresh) and its own.
    Takes the flags of ``roberta``; ``--pooler-dropout`` is that of the head.
    """

    def __init__(self, args, encoder):
        super().__init__(args, encoder)
        del self.encoder.lm_head
        self.tagging_head: TaggingHead | None = None

    @classmethod
    def build_model(cls, args, task) -> "RobertaTagger":
        """Build the model for a task with ``labels``, the names of the labels in the order of the logits."""
        model = super().build_model(args, task)
        model.tagging_head = TaggingHead(args.encoder_embed_dim, len(task.labels), args.pooler_dropout)
        model.tagging_head.apply(init_bert_params)
        return model

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


@register_model_architecture("roberta_tagger", "roberta_tagger")
def roberta_tagger_architecture(args) -> None:
    base_architecture(args)
