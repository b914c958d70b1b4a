"""To and from Hugging Face transformers: weights, settings, tokenizer, vocabulary, model card."""

import fairseq  # noqa: F401   registers the plugin, before a module of this room is half imported
