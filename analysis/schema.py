"""The schema of the store: every table, column, type, unit and meaning. `analysis.schema_page` says how the files of a run
lie, and how they are written and read.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

from analysis.schema_folds import BASELINES, PAIRS
from analysis.schema_record import LEDGER, MECHANISMS, PAIR_VECTORS

SCHEMA_VERSION = 5

ADDED = "plan-added.jsonl"
"""Configurations that joined the plan since plan.json was written, one JSON object per line."""
PROVENANCE = "provenance.json"
"""Where every start of a run comes from, the newest at its top."""
SHIPPED = "shipped"
"""Folder of a run with a record of every copy of encoded data that a node of a cluster was sent."""
LOCK = ".driver.lock"
"""File that the driver of a run holds an exclusive lock (flock) of for as long as it is at work."""
TRIAL_LOCK = ".trial.lock"
"""File that every trial alone in a run holds a shared lock (flock) of for as long as it is at work."""
STUDIES = "studies"
"""Folder of the studies of a search; each is made again from plan and store when it is not there."""
PART = "part-"
"""How the names of parts start; a configuration's name is a hash and never does."""
PART_UNITS, PART_GROUPS = b"units", b"groups"
"""Keys of a part's metadata."""
TABLE_NAME = b"table"
"""Key of the metadata of every table that is written: its name."""
GROUPED_BY = ("prevalence_mode", "split", "selection")
"""Columns of `cells` by which a part is divided into row groups."""

STATUSES = ("running", "done", "stopped", "diverged", "failed", "pruned")
SPLITS = ("train", "val_seen", "val_unseen", "test")
SCORES = ("u_only", "corrected", "branch_select")
LEAKING = "branch_select"
"""The score that is chosen on test: never the one that decides."""
MACRO, POOLED = "macro", "pooled"
UNDATED = 2**31 - 1
"""Epoch of a result that was reported without one (python -m analysis import): after every epoch that is known."""
REPORTED_BY_OTHERS = "as reported"
"""Selection rule of the weights of imported results: it is not known."""
PREVALENCES: dict[str, float | None] = {"as_found": None, "1:1": 1.0 / 2.0, "1:20": 1.0 / 21.0}
"""Share of positives that each `prevalence_mode` reweights to; None leaves the rows as they are."""

_S, _I32, _I64, _F64, _F32, _B = pa.string(), pa.int32(), pa.int64(), pa.float64(), pa.float32(), pa.bool_()
_T = pa.timestamp("us", tz="UTC")

_KEYS: list[tuple[str, pa.DataType, str]] = [
    ("config", _S, "identity of the configuration (hash of its resolved content)"),
    (
        "fold",
        _S,
        "identity of the fold (hash of its content); plan.json has its name, cell lines and chromosomes",
    ),
    ("seed", _I32, "seed"),
]

_COLUMNS: dict[str, list[tuple[str, pa.DataType, str]]] = {
    "units": [
        ("status", _S, "running, done, stopped, diverged, failed or pruned"),
        ("reason", _S, "one sentence for every status but running and done"),
        ("epochs", _I32, "finished epochs"),
        ("selected_epoch", _I32, "epoch whose weights are reported as best_on_validation"),
        ("selection", _S, "selection rule of the reported weights"),
        ("objective", _S, "what the sweep optimises, e.g. val_unseen/macro/aupr"),
        ("objective_value", _F64, "its value at selected_epoch; null for a unit that the audit stopped"),
        ("parameters", _I64, "trainable parameters"),
        ("train_pairs", _I64, "training pairs of the fold"),
        ("features", _S, "SHA-256 of cached features (fidelity: cached); null for full training"),
        (
            "shared_epochs",
            _I32,
            "epochs of phase 1 whose steps another unit took: their rows are those that this one would have; null in older "
            "stores",
        ),
        ("phase1_of", _S, "the unit that took these steps (config-fold-seed); null where no epoch is shared"),
        ("wall_s", _F64, "seconds of training and evaluation"),
        ("started", _T, "UTC"),
        ("finished", _T, "UTC, null while running"),
        ("device", _S, "device of the trial"),
        ("bitwise", _B, "the device allows a bitwise reproduction of the trial"),
        ("config_json", _S, "resolved configuration as JSON"),
        ("changes_json", _S, "JSON object: dotted path -> value that this configuration changes in the base"),
        ("rank_invariant", _B, "the score is a strictly increasing function of U_I within a cell line"),
        (
            "gate_closes",
            _B,
            "the energy's gate may close on a cell line, whose pairs then all have nearly the same probability; null in "
            "older stores",
        ),
        ("train_prevalence", _F64, "share of positives among training pairs"),
        (
            "fold_json",
            _S,
            "the fold as JSON: its name, cell lines and chromosomes, and what else decides the splits",
        ),
        ("data", _S, "content hash of the data set"),
        ("code", _S, "hash of the project's code, whose modules RUN/code/<hash>.json lists"),
        ("versions", _S, "versions of the packages that compute numbers, as JSON"),
        ("scheduler", _S, "settings of the scheduler as JSON"),
        ("stop", _S, "warning rules that end a unit, as JSON"),
        ("stamp", _S, "identity of data, code, versions, objective, selection, scheduler and stop together"),
    ],
    "epochs": [
        ("epoch", _I32, "1-based"),
        ("phase", _I32, "curriculum phase, 1 or 2"),
        ("step", _I64, "optimiser steps done"),
        ("loss", _F64, "total training loss, mean over the epoch"),
        ("lr", _F64, "learning rate at the end of the epoch"),
        ("wall_s", _F64, "seconds of this epoch"),
        (
            "cpu_s",
            _F64,
            "seconds of processor time of this epoch, of all threads: other work on the machine changes it little; null in "
            "older stores",
        ),
        ("temperature", _F64, "T (mean over cell lines when per cell line)"),
        ("lam", _F64, "lambda of the interaction energy"),
        ("w", _F64, "gate slope w of the gated and the blocking energy"),
        ("u_mean", _F64, "mean of U_I"),
        ("u_var", _F64, "variance of U_I"),
        ("r_mean", _F64, "mean of R_E"),
        ("r_var", _F64, "variance of R_E over cell lines"),
        ("student_var", _F64, "variance of R_S over the episodes of a step; null without a Teacher"),
        ("teacher_var", _F64, "variance of R_T over the episodes of a step; null without a Teacher"),
        ("grad_norm", _F64, "total gradient norm before clipping, mean over the epoch"),
        ("train_aupr", _F64, "macro AUPR of the training subset in evaluation mode"),
        (
            "dependence",
            _F64,
            "of z_I on z_E over the last step's queries, 0 to 1: HSIC, or distance correlation where HSIC is trained on",
        ),
        (
            "dependence_p",
            _F64,
            "share of shuffled pairings with at least that dependence; null in phase 1 and without an environment",
        ),
    ],
    "terms": [
        ("epoch", _I32, "1-based"),
        ("term", _S, "key of the loss term; every configured one has a row per epoch"),
        (
            "value",
            _F64,
            "unweighted value, mean over the epoch's steps in which it was in force; null without any",
        ),
        ("weight", _F64, "weight in force at the epoch's last step, 0 where it was not in force then"),
        ("weighted", _F64, "weight * value"),
        ("grad_norm", _F64, "norm of the weighted gradient on the term's target parameters"),
        ("grad_share", _F64, "grad_norm over the task's on the same parameters"),
        ("in_force", _F64, "share of the epoch's steps in which its weight was not 0"),
        ("acting", _F64, "share of the epoch's steps in which neither its weight nor its value was 0"),
        ("weight_key", _S, "dotted path of its weight in the configuration"),
    ],
    "cells": [
        ("epoch", _I32, "1-based epoch of the weights"),
        ("selection", _S, "epoch (each epoch's row), best_on_validation or last (final evaluation)"),
        ("split", _S, "train, val_seen, val_unseen or test (reporting only)"),
        ("cell_line", _S, "name, or macro (mean over cell lines), or pooled (all pairs together)"),
        (
            "score",
            _S,
            "u_only (U_I) or corrected (the energy's logit); branch_select: of the two the better by test AUPR per test "
            "cell line, which leaks and decides nothing",
        ),
        ("prevalence_mode", _S, "as_found, 1:1 or 1:20, the latter two by reweighting"),
        (
            "protocol",
            _S,
            "exact (each pair once) or documented (balanced resampled batches, and imported results)",
        ),
        ("n", _I64, "pairs"),
        ("positives", _I64, "positive pairs"),
        ("prevalence", _F64, "share of positives after reweighting"),
        ("aupr", _F64, "average precision, 0 to 1"),
        ("aupr_lift", _F64, "aupr / prevalence"),
        ("auc", _F64, "area under the ROC curve"),
        ("f1", _F64, "at `threshold_logit`"),
        ("precision", _F64, "at `threshold_logit`"),
        ("recall", _F64, "at `threshold_logit`"),
        ("threshold", _F64, "sigma(threshold_logit), a probability, to be read: nothing is decided by it"),
        (
            "threshold_logit",
            _F64,
            "best-F1 threshold on validation, logit: a pair is called positive from it on; null in older stores",
        ),
        ("f1_oracle", _F64, "best F1 over all thresholds on these very pairs (optimistic)"),
        ("threshold_oracle", _F64, "threshold of f1_oracle, probability"),
        ("threshold_oracle_logit", _F64, "threshold of f1_oracle, logit; null in older stores"),
        ("nll", _F64, "negative log-likelihood in nats per pair"),
        ("nll_calibrated", _F64, "the same after dividing logits by a temperature fitted on validation"),
        ("brier", _F64, "mean squared error of the probability"),
        ("ece", _F64, "expected calibration error, 15 equal-width bins"),
        ("logit_sd", _F64, "standard deviation of logits"),
        ("probability_sd", _F64, "standard deviation of probabilities"),
        ("saturated", _F64, "share of pairs with abs(logit) > 6; null in older stores"),
        (
            "auc_null",
            _F64,
            "auc with null tokens in place of all sequences; of val_unseen, score corrected, selection best_on_validation",
        ),
        ("aupr_null", _F64, "aupr of the same"),
        ("aupr_support_sd", _F64, "standard deviation of aupr over support draws"),
        (
            "auc_design_effect",
            _F64,
            "variance of the AUC with the pairs of a 2 Mb locus bin taken together over that with all pairs taken as "
            "independent, at least 1; pooled: of the mean over cell lines weighted by pairs; as found only",
        ),
    ],
    "warnings": [
        ("rule", _S, "id of the rule"),
        ("mark", _S, "letter that stands for it in a ranking"),
        ("value", _F64, "worst measured value that broke the limit"),
        ("limit", _F64, "limit in force"),
        ("severity", _S, "documented, fault or hint"),
        ("epoch", _I32, "first epoch at which it held (null for what is known before training)"),
        ("cell_line", _S, "cell line, macro, pooled, or null where it does not apply"),
        ("source", _S, "document that the rule comes from"),
        ("advice", _S, "what to try"),
        ("evidence", _S, "the measured numbers in words, and what follows from the data alone"),
        ("implied", _B, "true where the data or the sizes imply it before any training"),
        ("live", _B, "raised while the trial ran"),
    ],
    "audit": [
        (
            "moment",
            _S,
            "first (before the first step, on a clone that was warmed up), run (at a batch or a scoring) or last (final "
            "weights)",
        ),
        ("id", _S, "M01 to M43; - for a key that nothing reads and for a contract"),
        (
            "mechanism",
            _S,
            "key of the mechanism (python -m harness.mechanisms), the dotted path of the key, or data, sampler, "
            "support, prediction, optimiser, energy, record or examples",
        ),
        ("verdict", _S, "active, idle, inert, leaking, broken, redundant, rank-invariant or drowned"),
        ("reason", _S, "one sentence"),
        (
            "check",
            _S,
            "check that found a fault: present, share, route, effect, input, direction, energy, contract, real step, key, "
            "step or example; empty where none did",
        ),
        ("share", _F64, "norm of a term's weighted gradient over the task's on its target parameters"),
        ("grad_norm", _F64, "that norm; of a module, the norm of the total gradient on its own parameters"),
        ("route_gap", _F64, "largest gradient of a term on a parameter that it may not reach"),
        (
            "effect_gradient",
            _F64,
            "norm of the change of a step's gradient when it is neutralised, over its norm: of the task's, and where that "
            "stays of that of all terms",
        ),
        ("effect_known", _F64, "largest change of a predicted logit of trained cell lines then"),
        ("effect_unseen", _F64, "largest change of a predicted logit of unseen cell lines then"),
        ("effect_aupr", _F64, "change of AUPR of these pairs then"),
        (
            "input_gap",
            _F64,
            "smallest movement of R_E, or of the logit, over the inputs that it reads, over the spread of what moves",
        ),
        (
            "direction_gap",
            _F64,
            "largest |finite difference / slope of the gradient - 1| over its objectives",
        ),
        (
            "displacement",
            _F64,
            "cosine of a real step's displacement, less weight decay, and minus the combined gradient",
        ),
        ("energy_gap", _F64, "largest |stored - recomputed| logit over its tolerance"),
        ("contracts", _I64, "batches and scorings whose contracts were checked"),
        ("moved", _F64, "smallest movement of one of its parameters beyond weight decay, relative"),
        ("weight_gap", _F64, "largest |weight in force / expected - 1|"),
        ("step_gap", _F64, "norm of the difference of parameters between a step with it and one without"),
        ("cost_steps", _F64, "cost of the twins in steps of the trial by wall time, on every row of them"),
    ],
    "reports": [
        ("epoch", _I32, "1-based"),
        ("term", _S, "loss term that was in force at the end of the epoch and reports on its state"),
        (
            "name",
            _S,
            "what is reported; python -m harness.mechanisms has the term, its class says what it is",
        ),
        ("cell_line", _S, "training cell line; null for what is not of one"),
        ("value", _F64, "its value at the end of the epoch"),
    ],
    "mechanisms": MECHANISMS,
    "predictions": [
        ("split", _S, "split of the pair; of train a fixed subset"),
        ("draw", _I32, "support draw that the prediction is of: 0"),
        ("pair", _I64, "row of the pair in the dataset"),
        ("cell_line", _S, "cell line of the pair"),
        ("label", pa.int8(), "0 or 1"),
        ("u", _F32, "U_I"),
        ("r", _F32, "R_E as the energy consumed it; 0 in phase 1 and without an environment"),
        ("t", _F32, "T in force, calibration included"),
        (
            "logit",
            _F32,
            "the energy's logit; python -m analysis verify makes it again of u, r, t and `ledger`",
        ),
        (
            "branch",
            _S,
            "under predict.mode branch_select, of test pairs: u_only or corrected, whichever has the better test AUPR in "
            "the pair's cell line; null elsewhere",
        ),
    ],
    "embeddings": [
        ("cell_line", _S, "cell line"),
        ("split", _S, "split"),
        ("draw", _I32, "support draw"),
        (
            "r_cell",
            _F64,
            "R_E of the cell line: its cell part, after softplus or standardisation where either is on, fused",
        ),
        (
            "r_raw",
            _F64,
            "the cell part of R_E before softplus or standardisation: linear(z_E), or where `posterior` stands that; fused",
        ),
        ("r_student", _F64, "R_S of the cell line, in the units of r_cell"),
        ("r_teacher", _F64, "R_T of a training cell line, in the units of r_cell; null without a Teacher"),
        (
            "posterior",
            _F64,
            "mean of the Gaussian-process prior's posterior, of unseen cell lines where environment.prior.extrapolate is "
            "posterior; null elsewhere",
        ),
        (
            "gate",
            _F64,
            "how far R_E opens the cell line's gate, 0 to 1: sigma(w R_E) (gated, blocking), sigma(R_E) (boosted_gate), "
            "1[R_E > tau] (threshold_gate); null for energies without a gate",
        ),
        ("z_e", pa.list_(_F32), "environment vector"),
        (
            "place",
            pa.list_(_F32),
            "where the prior has the cell line: v_c, standardised, or z_E; null where `posterior` is",
        ),
    ],
    "pair_vectors": PAIR_VECTORS,
    "ledger": LEDGER,
}


def _schema(table: str, columns: list[tuple[str, pa.DataType, str]]) -> pa.Schema:
    fields = [pa.field(name, kind, metadata={"doc": doc}) for name, kind, doc in columns]
    return pa.schema(fields, metadata={"schema_version": str(SCHEMA_VERSION), TABLE_NAME: table})


TABLES: dict[str, pa.Schema] = {
    **{name: _schema(name, _KEYS + columns) for name, columns in _COLUMNS.items()},
    "baselines": _schema("baselines", BASELINES),
    "pairs": _schema("pairs", PAIRS),
}
"""Table name -> pyarrow schema; a field's meaning is in its metadata under `doc`."""


OF_FOLDS = ("baselines", "pairs")
"""Tables with one file per fold, in which no unit has rows."""
COMPACTED = tuple(name for name in TABLES if name not in OF_FOLDS)
"""Tables that have rows of units."""
ALWAYS = ("epochs", "terms", "cells", "warnings", "units")
"""Tables in which every unit that has ended has a file or a place in a part, with rows or without."""
KEYS = [name for name, _, _ in _KEYS]
"""Columns that name a unit."""


def to_table(name: str, rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Rows as an Arrow table of `TABLES[name]`: absent columns are null, no rows give an empty table.

    Raises
    ------
    ValueError
        for a table or a column that the schema does not have, or a value of the wrong type.
    """
    if name not in TABLES:
        raise ValueError(f"the store has no table '{name}'; it has {', '.join(TABLES)}")
    schema = TABLES[name]
    materialised = [dict(row) for row in rows]
    unknown = {key for row in materialised for key in row} - set(schema.names)
    if unknown:
        raise ValueError(f"table '{name}' has no column {', '.join(sorted(unknown))}")
    try:
        return pa.Table.from_pylist(materialised, schema=schema)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise ValueError(f"table '{name}': {error}") from error
