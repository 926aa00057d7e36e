"""Warnings of a unit that runs, judged epoch by epoch, are those of all of its rows."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.rules import LIMITS, RULES, UnitRecords, Watch, evaluate

LINES = ("K562", "HMEC")
TERMS = ("task", "hinge", "grl")
SHARE = st.sampled_from([0.0, 0.02, 0.3, 0.5, 0.7, 0.9, 0.97, 1.0])
SPREAD = st.sampled_from([0.001, 0.04, 0.06, 0.3, 1.0])

CONTENT = {
    "support": {"labels": True}, "optimiser": {"epochs": 3}, "environment": {"source": "support"},
    "predict": {"mode": "unified"}, "episode": {"per_step": 4, "pseudo_unseen": 0.5},
    "loss": {"distillation": {"weight": 0.1}, "competition": {"weight": 0.5, "warmup": 10}},
}  # fmt: skip


@st.composite
def epochs(draw: st.DrawFn) -> list[dict[str, list[dict[str, Any]]]]:
    """Rows of a few epochs, in which values cross the limits in both directions and some are missing."""
    found: list[dict[str, list[dict[str, Any]]]] = []
    pairs = draw(st.sampled_from([40, 4000]))
    never = draw(st.sets(st.sampled_from(TERMS)))
    for epoch in range(1, draw(st.integers(1, 7)) + 1):
        train = draw(st.one_of(st.none(), SHARE))
        cells = [
            {
                "epoch": epoch, "selection": "epoch", "split": split, "cell_line": line, "score": "corrected",
                "prevalence_mode": "as_found", "protocol": "exact", "n": pairs, "positives": pairs // 2, "prevalence": 0.5,
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
                "terms": [
                    {
                        "epoch": epoch,
                        "term": term,
                        "weighted": loss - 0.1,
                        "weight": 0.0 if term in never else draw(st.sampled_from([0.0, 1.0])),
                        "value": draw(st.sampled_from([0.0, 0.0, 0.0, 0.3])),
                        "grad_norm": 0.0,
                    }
                    for term in TERMS
                ],
                "cells": cells,
            }
        )
    return found


@settings(max_examples=60, deadline=None)
@given(epochs(), st.sampled_from([10, 10_000]), st.integers(0, 7), st.booleans())
def test_epoch_by_epoch_the_findings_are_those_of_all_rows(
    parts: list[dict[str, list[dict[str, Any]]]], parameters: int, stopped: int, closes: bool
) -> None:
    content = {
        "support": {"labels": True},
        "optimiser": {"epochs": len(parts) + stopped % 2},
    }
    trial = {"parameters": parameters, "train_pairs": 100, "status": "running", "gate_closes": closes}
    trial |= {"config_json": json.dumps(content)}
    limits = {name: 0.4 for name in LIMITS if name in ("mode_collapse", "generalisation_gap")}
    watch = Watch(limits)
    whole: dict[str, list[dict[str, Any]]] = {"epochs": [], "terms": [], "cells": []}
    for number, part in enumerate(parts):
        if number == stopped:
            state = json.loads(json.dumps(watch.state()))
            watch = Watch(limits)
            watch.resume(state)
        for name, rows in part.items():
            whole[name] += rows
        assert watch.see(trial, part) == evaluate(UnitRecords(trial, **whole), limits)


def test_live_every_rule_is_raised_as_from_all_rows() -> None:
    """On one unit that breaks every limit but one at a time: what raises nothing would prove nothing. A trial has no
    baselines."""
    raised: set[str] = set()
    for threshold, logits in ((0.01, 0.001), (0.99, 1.0)):
        trial = {"parameters": 10_000, "train_pairs": 100, "status": "running"}
        trial |= {
            "objective": "test/macro/aupr",
            "rank_invariant": logits < 1,
            "config_json": json.dumps(CONTENT),
        }
        watch, whole = Watch(), UnitRecords(trial, [], [], [], reports=[], audit=[])
        for epoch in (1, 2, 3):
            cells = [
                {"epoch": epoch, "selection": "epoch", "split": "val_unseen", "cell_line": line, "n": 4000,
                 "positives": 2000, "prevalence": 0.5, "aupr": aupr, "auc": 0.5, "f1": 0.5, "precision": 0.5, "recall": 0.9,
                 "f1_oracle": 0.6, "threshold_oracle": threshold, "logit_sd": logits, "probability_sd": logits,
                 "score": score, "saturated": 0.9, "auc_design_effect": 1.0, "auc_null": 0.5}
                for line in ("macro", "pooled", *LINES)
                for score, aupr in (("corrected", 0.5), ("u_only", 0.9))
            ]  # fmt: skip
            named = (("acted", float(epoch == 1)), ("hinge", 0.0), ("task", 0.5), ("distillation", 0.1))
            terms = [
                {"epoch": epoch, "term": term, "weight": 1.0, "weighted": -0.1, "value": value}
                | {"grad_share": 0.001, "weight_key": "loss.distillation.weight"}
                for term, value in named
            ]
            logged = {"phase": 2, "step": 100 * epoch, "temperature": 50.0, "u_var": 1.0, "r_var": 1e-8}
            logged |= {"student_var": 0.0, "teacher_var": 1.0}
            part: dict[str, list[dict[str, Any]]] = {
                "epochs": [{"epoch": epoch, "loss": -0.1, "train_aupr": 0.99, **logged}],
                "terms": terms,
                "cells": cells,
                "reports": [
                    {"epoch": epoch, "term": "competition", "name": name, "cell_line": "HMEC", "value": 0.0}
                    for name in ("acted", "pulled")
                ],
                "audit": [{"id": "M12", "mechanism": "gated", "verdict": "inert", "energy_gap": 2.0}]
                * (epoch == 1),
            }
            tables = {"epochs": whole.epochs, "terms": whole.terms, "cells": whole.cells}
            for table, rows in (tables | {"reports": whole.reports, "audit": whole.audit}).items():
                assert isinstance(rows, list)
                rows += part[table]
            live = watch.see(trial, part)
            assert live == evaluate(whole)
            raised |= {finding.rule for finding in live}
        silent = next(finding for finding in live if finding.rule == "never_acted")
        assert silent.evidence.endswith("every epoch in force: hinge"), (
            "what acted in the first epoch has acted"
        )
    assert raised == set(RULES) - {"shortcut"}


def test_the_state_does_not_grow_with_the_epochs() -> None:
    watch, sizes = Watch(), []
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
