"""Losses and geometry of word embeddings: the alignment loss, pooling of subwords, retrieval, isomorphism.

Modules of this room take tables and ids as tensors; they know neither checkpoints nor files.
"""
