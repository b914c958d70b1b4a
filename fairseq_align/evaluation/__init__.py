"""Scoring a checkpoint: on its own task, by bilingual lexicon induction, by retrieval of parallel sentences.

    command (flags -> a request) -> checkpoint (load) -> tasks, alignment (yield a ``Score``) -> print, append

Importing the room is light, so that its commands answer at once; its modules import torch and fairseq.
"""
