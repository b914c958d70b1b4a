"""The word embeddings of a checkpoint, aligned without text and without encoder: ``fairseq-align align``.

``checkpoint.align`` reads a checkpoint and gives it another table: ``start`` says what it begins with, ``rows`` makes
that, and the steps are those of ``embeddings``.
"""
