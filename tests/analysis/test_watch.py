"""Warnings of a unit that runs, judged epoch by epoch, are those of all of its rows."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.rules import LIMITS, RULES, UnitRecords, evaluate, watching

LINES = ("K562", "HMEC")
SHARE = st.sampled_from([0.0, 0.02, 0.3, 0.5, 0.7, 0.9, 0.97, 1.0])
SPREAD = st.sampled_from([0.001, 0.04, 0.06, 0.3, 1.0])


@st.composite
def epochs(draw: st.DrawFn) -> list[dict[str, list[dict[str, Any]]]]:
    """Rows of a few epochs, in which values cross the limits in both directions and some are missing."""
    found = []
    for epoch in range(1, draw(st.integers(1, 7)) + 1):
        train = draw(st.one_of(st.none(), SHARE))
        cells = [
            {
                "epoch": epoch, "selection": "epoch", "split": split, "cell_line": line, "score": "corrected",
                "prevalence_mode": "as_found", "protocol": "exact", "n": 40, "positives": 20, "prevalence": 0.5,
                "aupr": draw(st.one_of(st.none(), SHARE)), "auc": draw(SHARE), "f1": draw(SHARE),
                "precision": draw(SHARE), "recall": draw(SHARE), "f1_oracle": draw(SHARE),
                "threshold_oracle": draw(SHARE), "nll": 0.7, "logit_sd": draw(SPREAD), "probability_sd": draw(SPREAD),
            }
            for split in ("train", "val_unseen")
            for line in ("macro", "pooled", *draw(st.sampled_from([LINES, LINES[:1], ()])))
        ]  # fmt: skip
        loss = draw(st.sampled_from([-0.5, -0.1, 0.4]))
        found.append(
            {
                "epochs": [{"epoch": epoch, "loss": loss, "train_aupr": train}],
                "terms": [{"epoch": epoch, "term": "task", "weighted": loss - 0.1}],
                "cells": cells if train is not None else [row for row in cells if row["split"] != "train"],
            }
        )
    return found


@settings(max_examples=150, deadline=None)
@given(epochs(), st.sampled_from([10, 10_000]), st.integers(0, 7))
def test_epoch_by_epoch_the_findings_are_those_of_all_rows(
    parts: list[dict[str, list[dict[str, Any]]]], parameters: int, stopped: int
) -> None:
    trial = {"parameters": parameters, "train_pairs": 100, "config_json": '{"support": {"labels": true}}'}
    limits = {name: 0.4 for name in LIMITS if name in ("mode_collapse", "generalisation_gap")}
    watch = watching(limits)
    whole: dict[str, list[dict[str, Any]]] = {"epochs": [], "terms": [], "cells": []}
    for number, part in enumerate(parts):
        if number == stopped:
            state = json.loads(json.dumps(watch.state()))
            watch = watching(limits)
            watch.resume(state)
        for name, rows in part.items():
            whole[name] += rows
        live = watch.see(trial, part)
        stored = evaluate(UnitRecords(trial, **whole), limits)
        order = list(RULES)
        key = [(order.index(f.rule), str(f.cell_line)) for f in stored]
        assert sorted(map(str, live)) == sorted(map(str, stored))
        assert [order.index(f.rule) for f in live] == [each for each, _ in key]


def test_the_state_does_not_grow_with_the_epochs() -> None:
    watch, sizes = watching(), []
    for epoch in range(1, 61):
        cells = [
            {"epoch": epoch, "selection": "epoch", "split": "val_unseen", "cell_line": line, "aupr": 0.4,
             "logit_sd": 0.01, "probability_sd": 0.001}
            for line in LINES
        ]  # fmt: skip
        row = {"epoch": epoch, "loss": -0.25, "train_aupr": 0.99}
        found = watch.see({}, {"epochs": [row], "terms": [], "cells": cells})
        sizes.append(len(json.dumps(watch.state())))
    assert {f.rule: f.epoch for f in found}["mode_collapse"] == 1
    assert sizes[59] <= sizes[2] + 100
