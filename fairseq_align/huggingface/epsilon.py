"""Layer norms of another epsilon than fairseq's: how much its 1e-5 changes what an encoder says.

BERT's classes have 1e-12. A layer norm divides by sqrt(variance + epsilon), so a difference matters only where the
variance is small. Whether it is cannot be seen from sizes: the encoder is run with both.
"""

import torch
from torch import Tensor
from torch.nn import functional

from fairseq_align.huggingface.architecture import LAYER_NORM_EPS, OFFSET, Model

SENTENCES, TOKENS = 8, 32
ENCODER = "encoder.sentence_encoder"


def states(model: Model, tokens: Tensor, eps: float) -> Tensor:
    """States of the last layer, without dropout: float32, shape (B, T, C).

    Args:
        tokens: ids without padding, int64, shape (B, T).
        eps: of all layer norms.
    """
    size, tensors = model.architecture, model.tensors
    activation = {"gelu": functional.gelu, "relu": functional.relu}[size.activation]

    def parameters(name: str) -> tuple[Tensor, Tensor]:
        return tensors[f"{ENCODER}.{name}.weight"].float(), tensors[f"{ENCODER}.{name}.bias"].float()

    def norm(x: Tensor, name: str) -> Tensor:
        return functional.layer_norm(x, (size.dim,), *parameters(name), eps)

    def linear(x: Tensor, name: str) -> Tensor:
        return functional.linear(x, *parameters(name))

    def heads(x: Tensor, name: str) -> Tensor:
        return linear(x, name).unflatten(-1, (size.heads, -1)).transpose(1, 2)

    positions = tensors[f"{ENCODER}.embed_positions.weight"][OFFSET : OFFSET + tokens.shape[1]].float()
    x = norm(tensors[f"{ENCODER}.embed_tokens.weight"][tokens].float() + positions, "layernorm_embedding")
    for layer in (f"layers.{number}" for number in range(size.layers)):
        query, key, value = (heads(x, f"{layer}.self_attn.{letter}_proj") for letter in "qkv")
        attended = functional.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
        x = norm(x + linear(attended, f"{layer}.self_attn.out_proj"), f"{layer}.self_attn_layer_norm")
        x = norm(x + linear(activation(linear(x, f"{layer}.fc1")), f"{layer}.fc2"), f"{layer}.final_layer_norm")
    return x


@torch.no_grad()
def difference(model: Model, eps: float) -> float:
    """The largest difference of a state from that with fairseq's epsilon, as a fraction of its length.

    Of ``SENTENCES`` sentences of ``TOKENS`` symbols that are drawn from the whole vocabulary (seed 1).
    """
    size = model.architecture
    shape = (SENTENCES, min(TOKENS, size.positions))
    tokens = torch.randint(size.vocabulary, shape, generator=torch.Generator().manual_seed(1))
    own, fairseqs = states(model, tokens, eps), states(model, tokens, LAYER_NORM_EPS)
    return ((own - fairseqs).norm(dim=-1) / own.norm(dim=-1)).max().item()
