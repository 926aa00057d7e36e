"""What the warning rules cost a unit that runs, per epoch, against judging all of its epochs again."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import torch

from analysis.rules import UnitRecords, Watch, evaluate
from harness.bench.measurement import Measurement, Time, middle, timed
from harness.bench.ranking import LINES, SCALED

EPOCHS, QUICK_EPOCHS, ROUNDS = 40, 6, 3
TERMS = ("task", "ranking", "contrastive", "orthogonal")
UNIT = {
    "status": "running", "parameters": 20_000, "train_pairs": 4_000, "gate_closes": True,
    "config_json": '{"optimiser": {"epochs": 40}, "support": {"labels": false}}',
}  # fmt: skip
Tables = dict[str, list[dict[str, Any]]]


def bench_rules(epochs: int) -> Measurement:
    """Judge the last `ROUNDS` of `epochs` made-up epochs: by the rows of each alone, and by all rows so far.

    The findings of both ways have to be the same after every epoch.
    """
    cpu, watch = torch.device("cpu"), Watch()
    whole: Tables = {"epochs": [], "terms": [], "cells": []}
    plain: list[Time] = []
    fast: list[Time] = []
    different = 0
    for epoch in range(1, epochs + 1):
        rows = _rows(epoch)
        for table, new in rows.items():
            whole[table] += new
        fast.append(timed(partial(watch.see, UNIT, rows), cpu))
        if epoch > epochs - ROUNDS:
            unit = UnitRecords(UNIT, **whole)
            plain.append(timed(partial(evaluate, unit), cpu))
            different += watch.findings() != evaluate(unit)
    seconds = middle(fast[-ROUNDS:])
    return Measurement(
        name="live rules of one epoch",
        plain=middle(plain),
        fast=seconds,
        required=None,
        rounds=(ROUNDS, ROUNDS),
        differences={"epochs with other findings": float(different)},
        limits={"epochs with other findings": 0.0},
        notes={
            "epochs": epochs,
            "ms per epoch": seconds.wall * 1000,
            "ms of the second epoch": fast[1].wall * 1000,
            "plain way": "all rows of the unit judged again",
        },
    )


def _rows(epoch: int) -> Tables:
    """The rows that one epoch leaves of every table that rules read."""
    terms = [
        {"epoch": epoch, "term": term, "value": 0.5, "weight": 1.0, "weighted": 0.5, "grad_norm": 0.1}
        for term in TERMS
    ]
    return {
        "epochs": [{"epoch": epoch, "phase": 2, "loss": 1 / epoch, "train_aupr": 0.7}],
        "terms": terms,
        "cells": list(_cells(np.random.default_rng([epoch, 2]), epoch)),
    }


def _cells(rng: np.random.Generator, epoch: int) -> Iterator[dict[str, Any]]:
    for split, lines in LINES.items():
        for score in ("u_only", "corrected"):
            for line in ("macro", "pooled", *lines):
                yield {
                    "epoch": epoch, "selection": "epoch", "split": split, "cell_line": line, "score": score,
                    "prevalence_mode": "as_found", "protocol": "exact", "n": 600, "positives": 300, "prevalence": 0.5,
                    "logit_sd": 1.0, "probability_sd": 0.2, "threshold": 0.5, "auc_design_effect": 1.0,
                    **dict.fromkeys(SCALED, 0.6 + 0.02 * rng.standard_normal()),
                }  # fmt: skip
