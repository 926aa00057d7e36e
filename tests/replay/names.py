"""Everything that the recorder knows of the inside of the product: its command, its folders, its checkpoints, its tables.

Names are those of the first recorded revision; the renames of a tree (renames.yaml) translate them.
"""

from pathlib import PurePosixPath

COMMAND = "harness.trial"
"""The module that trains one configuration alone; record.py has its options."""
PACKAGES = ("models", "harness", "analysis")
PRESETS = PurePosixPath("search_spaces/presets")
"""Folder of the presets in a tree."""
DATA = "synthetic:gated"
SEED = 0

CHECKPOINTS = "checkpoints/*/*.pt"
"""In a run folder: what the one unit of the run goes on from, and the weights of its selected epoch."""
WEIGHTS_OF = {"last": "trainer"}
"""Name of a checkpoint file -> the entry of it that holds weights and states; any other file is one such entry."""

KEYS: dict[str, tuple[str, ...]] = {
    "trials": (),
    "epochs": ("epoch",),
    "terms": ("epoch", "term"),
    "cells": ("epoch", "selection", "split", "cell_line", "score", "prevalence_mode", "protocol"),
    "competition": ("epoch", "cell_line"),
    "warnings": ("rule", "epoch", "cell_line"),
    "audit": ("moment", "mechanism"),
}
"""Tables compared row by row -> the columns that tell their rows apart."""
ARRAYS = ("predictions", "embeddings")
"""Tables compared as arrays, a column of a split at a time, in the order of their rows."""
SPLIT = "split"

EXCLUDED = {
    "config": "hash of the configuration, which renamed keys change",
    "fold": "hash of the fold's content",
    "config_json": "content of the configuration, with its keys' names",
    "changes_json": "keys' names",
    "fold_json": "the fold, whose pairs are in predictions",
    "code": "hash of the product's code",
    "versions": "versions of packages",
    "stamp": "hash of code and versions among others",
    "scheduler": "there is none",
    "stop": "there is none",
    "started": "wall time",
    "finished": "wall time",
    "wall_s": "wall time",
    "cpu_s": "processor time",
    "cost_steps": "wall time",
    "reason": "prose",
    "source": "prose",
    "advice": "prose",
    "evidence": "prose",
    "id": "number of a mechanism, beside its key",
}
"""Columns that are not recorded, in whatever table, and why."""
