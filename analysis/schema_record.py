"""Columns of the tables that hold what a unit really did: its mechanisms in every epoch, and at its end z_I of some pairs
and the ledger."""

import pyarrow as pa

Columns = list[tuple[str, pa.DataType, str]]
"""(name, type, meaning) of each column beside those that name the unit."""

MECHANISMS: Columns = [
    ("epoch", pa.int32(), "1-based"),
    ("id", pa.string(), "M01 to M43"),
    ("mechanism", pa.string(), "key of the mechanism (python -m harness.mechanisms)"),
    (
        "part",
        pa.string(),
        "what of it is told: parameters, state (of a term, or a Teacher's memory), gate, names (that are hidden), "
        "phase (2 of the curriculum), ramp, weights (that a balance sets) or fit (of T)",
    ),
    (
        "keys",
        pa.string(),
        "dotted paths of its settings, separated by commas; BLOCK.* for all keys of a block",
    ),
    ("in_force", pa.float64(), "share of the epoch's steps in which it had its turn"),
    (
        "gradient",
        pa.float64(),
        "root mean square over the epoch's steps of the norm of the gradient on its parameters, before clipping; null "
        "without any",
    ),
    (
        "moved",
        pa.float64(),
        "how far its parameters have moved from their initial values beyond weight decay, relative, the largest of "
        "them; of a state the largest change of an entry",
    ),
    (
        "amount",
        pa.float64(),
        "gate: the smaller of the largest opening and 1 - the smallest, 0 for one that is fully open, or shut, at "
        "every step; names: share of episodes; phase: share of steps; ramp: largest weight in force over the "
        "configured one; weights: largest |weight in force / scheduled - 1|; fit: |T - 1|; null for the others",
    ),
]

PAIR_VECTORS: Columns = [
    (
        "split",
        pa.string(),
        "val_seen or val_unseen: at most 512 of their pairs, as many of each cell line, from a stream of their own",
    ),
    ("pair", pa.int64(), "row of the pair in the dataset"),
    ("cell_line", pa.string(), "cell line of the pair"),
    ("label", pa.int8(), "0 or 1"),
    (
        "z_i",
        pa.list_(pa.float32()),
        "z_I of the reported weights less its mean over these pairs, in the at most 16 directions in which they vary "
        "most (principal ones, the largest first)",
    ),
    ("share", pa.float64(), "share of the variance of z_I over these pairs that those directions hold"),
]

LEDGER: Columns = [
    ("epoch", pa.int32(), "epoch of the weights that `predictions` and `embeddings` are of"),
    ("phase", pa.int32(), "curriculum phase of that epoch; in phase 1 logit = U_I, T = 1 and R_E = 0"),
    ("form", pa.string(), "energy form"),
    ("environment", pa.bool_(), "there is an environment"),
    ("scope", pa.string(), "cell or sample; null without an environment"),
    ("temperature_mode", pa.string(), "fixed, learned, per_cell, calibrated, or a person's own"),
    (
        "temperature",
        pa.float64(),
        "the unit's one T, calibration included; null where T is per cell line, and in phase 1",
    ),
    ("lam", pa.float64(), "lambda of the interaction energy; null elsewhere"),
    ("w", pa.float64(), "gate slope of the gated and the blocking energy; null elsewhere"),
    ("a", pa.float64(), "largest promotion of the boosted gate; null elsewhere"),
    ("b", pa.float64(), "leak of the threshold gate; null elsewhere"),
    ("tau", pa.float64(), "threshold of the threshold gate; null elsewhere"),
    ("alpha", pa.float64(), "the Teacher's share in R_E of training cell lines; null without a Teacher"),
    ("posterior", pa.bool_(), "raw R_E of an unseen cell line is a prior's posterior mean"),
    (
        "lengthscale",
        pa.float64(),
        "of that prior, in units of how far cell lines are apart; null without one",
    ),
    ("variance", pa.float64(), "of that prior; null without one"),
    (
        "noise",
        pa.float64(),
        "variance of one support set's raw R_E around its cell line's; null without a prior",
    ),
    (
        "prior_r",
        pa.list_(pa.float64()),
        "running raw R_E of the training cell lines that were met; null without a prior",
    ),
    ("prior_places", pa.list_(pa.list_(pa.float64())), "where the prior has them; null without one"),
    (
        "reference_mean",
        pa.float64(),
        "mean of the training cell lines' running raw R_E; null until two have been met",
    ),
    (
        "reference_sd",
        pa.float64(),
        "their standard deviation, without the floor of 0.1; null until two have been met",
    ),
    ("predictions", pa.int64(), "rows of `predictions` that were written"),
    (
        "recomputed",
        pa.int64(),
        "of them recomputed from the log as the unit ended; null where nothing looked",
    ),
    ("rescored", pa.int64(), "pairs that were scored again then with the weights of the checkpoint's file"),
    ("largest", pa.float64(), "largest |stored - recomputed| of a logit then"),
    (
        "rounding",
        pa.float64(),
        "root mean square difference that bfloat16 makes to U_I of the pairs scored again, against float32; null where "
        "the sequence side ran in float32, or nothing looked",
    ),
    ("not_recomputed", pa.string(), "why nothing could be recomputed; null where it could"),
    (
        "files",
        pa.string(),
        "SHA-256 of the values of predictions and embeddings, as they were in the log then",
    ),
    ("checkpoint", pa.string(), "SHA-256 of the checkpoint of that epoch"),
]
