"""Simulated stores in which a prediction is true, or false, by a stated amount."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit

from analysis.claims.inputs import ClaimInputs
from analysis.metrics import by_cell
from analysis.schema import MACRO, POOLED, to_table

Array = np.ndarray
Row = dict[str, Any]
SETTINGS = {"environment.source": "support", "energy.form": "gated"}
TRAINING, UNSEEN = 9, 3


@dataclass
class SimulatedStore:
    """Rows of tables by name, of units of one fold with so many seeds; `units`: the criteria of each."""

    seeds: int
    rows: dict[str, list[Row]] = field(default_factory=dict)
    units: list[Row] = field(default_factory=list)

    def add(self, table: str, seed: int, rows: Sequence[Row]) -> None:
        key = {"config": "simulated", "fold": "fold", "seed": seed}
        self.rows.setdefault(table, []).extend({**key, **row} for row in rows)

    def inputs(self) -> ClaimInputs:
        """The rows in the schema of the store."""
        units = self.units or [{"seed": seed} for seed in range(self.seeds)]
        frames = (
            to_table(name, self.rows.get(name, [])).to_pandas()
            for name in ("embeddings", "pair_vectors", "cells")
        )
        known = pd.DataFrame(units).assign(config="simulated", fold="fold", phase=2)
        return ClaimInputs("simulated", SETTINGS, known, *frames)


def lines() -> list[tuple[str, tuple[str, ...]]]:
    """(cell line, its splits): training ones first, then unseen ones."""
    names = [f"line{at:02d}" for at in range(TRAINING + UNSEEN)]
    return [
        (name, ("train", "val_seen") if at < TRAINING else ("val_unseen",)) for at, name in enumerate(names)
    ]


def gate_world(true: bool, seeds: int, random: np.random.Generator) -> ClaimInputs:
    """Gates of 12 cell lines: half at 0.1 and half at 0.9 (SD 0.07), or all at 0.5 (SD 0.1); seeds add SD 0.05."""
    store, count = SimulatedStore(seeds), TRAINING + UNSEEN
    modes = np.where(random.permutation(count) % 2, 0.1, 0.9)
    level = random.normal(modes, 0.07) if true else random.normal(0.5, 0.1, count)
    for seed in range(seeds):
        gates = np.clip(level + random.normal(0, 0.05, count), 0, 1)
        rows = [
            {"cell_line": name, "split": split, "draw": 0, "gate": float(value)}
            for (name, splits), value in zip(lines(), gates, strict=True)
            for split in splits
        ]
        store.add("embeddings", seed, rows)
    return store.inputs()


def vector_world(true: bool, seeds: int, random: np.random.Generator, *, label: float = 0.0) -> ClaimInputs:
    """z_I of 504 pairs in 16 directions of falling spread. False: every cell line has its own mean, SD 0.6 of the first two
    directions'. `label`: slope of the label's logit in SDs of the first direction where it is true, 0 where it is not."""
    store, count = SimulatedStore(seeds), TRAINING + UNSEEN
    spread = 0.8 ** np.arange(16)
    shift = np.zeros((count, 16))
    shift[:, :2] = 0.0 if true else random.normal(0, 0.6, (count, 2))
    for seed in range(seeds):
        line = np.repeat(np.arange(count), 42)
        z = (random.normal(size=(len(line), 16)) + shift[line]) * spread
        y = random.random(len(line)) < expit(label * true * (z[:, 0] - z[:, 0].mean()))
        names = [(name, splits[-1]) for name, splits in lines()]
        rows = [
            {
                "split": names[at][1],
                "pair": pair,
                "cell_line": names[at][0],
                "label": int(positive),
                "z_i": vector.tolist(),
                "share": 1.0,
            }
            for pair, (at, positive, vector) in enumerate(zip(line, y, z, strict=True))
        ]
        store.add("pair_vectors", seed, rows)
        environment = random.normal(size=(count, 8))
        store.add(
            "embeddings",
            seed,
            [
                {"cell_line": name, "split": split, "draw": 0, "z_e": environment[at].tolist()}
                for at, (name, split) in enumerate(names)
            ],
        )
    return store.inputs()


def potential_world(true: bool, seeds: int, random: np.random.Generator) -> ClaimInputs:
    """True: U_I has a macro AUPR at 1:1 near 0.78, z_I tells the label (slope 1.5) and nothing of the cell line; false:
    near 0.62, nothing of the label, and the cell line (`vector_world`)."""
    vectors = vector_world(true, seeds, random, label=1.5)
    store = SimulatedStore(seeds)
    for seed in range(seeds):
        level = random.normal(0.78 if true else 0.62, 0.01)
        row = {
            "selection": "best_on_validation",
            "split": "val_unseen",
            "score": "u_only",
            "prevalence_mode": "1:1",
        }
        store.add("cells", seed, [{**row, "protocol": "exact", "cell_line": MACRO, "aupr": float(level)}])
    return ClaimInputs(
        vectors.config, SETTINGS, vectors.units, vectors.embeddings, vectors.vectors, store.inputs().cells
    )


def features_world(true: bool, seeds: int, random: np.random.Generator) -> ClaimInputs:
    """z_E = M v_c of two features, with a map of each seed's own and noise of 2 %: the unseen v_c are mixtures of three
    training ones, or lie 2.5 times as far out as the outermost of them."""
    store = SimulatedStore(seeds)
    training = random.normal(size=(TRAINING, 2))
    mixed = np.stack(
        [random.dirichlet(np.ones(3)) @ training[random.choice(TRAINING, 3, False)] for _ in range(UNSEEN)]
    )
    angle = random.uniform(0, 2 * np.pi, UNSEEN)
    middle, radius = training.mean(0), np.linalg.norm(training - training.mean(0), axis=1).max()
    far = middle + 2.5 * radius * np.stack([np.cos(angle), np.sin(angle)], 1)
    places = np.concatenate([training, mixed if true else far])
    for seed in range(seeds):
        z = places @ random.normal(size=(2, 8))
        z = z + 0.02 * z.std() * random.normal(size=z.shape)
        rows = [
            {"cell_line": name, "split": splits[-1], "draw": 0, "z_e": z[at].tolist()}
            for at, (name, splits) in enumerate(lines())
        ]
        store.add("embeddings", seed, rows)
    return store.inputs()


def correction_world(true: bool, seeds: int, random: np.random.Generator) -> ClaimInputs:
    """200 pairs of each of 6 unseen cell lines whose labels follow U_I through gates from 0.1 to 0.95. The corrected score
    has these gates, or those of another cell line; each seed's U_I has noise of its own."""
    store = SimulatedStore(seeds)
    gates = np.linspace(0.1, 0.95, 6)
    line = np.repeat(np.arange(6), 200)
    exact = random.normal(-0.5, 2.5, len(line))
    y = (random.random(len(line)) < expit(exact * gates[line])).astype(int)
    names = np.array([f"unseen{at}" for at in line])
    used = gates if true else gates[::-1]
    for seed in range(seeds):
        u = exact + random.normal(0, 0.5, len(line))
        unit: Row = {"seed": seed, "rank_invariant": True}
        for score, prefix, logit in (("u_only", "u_", u), ("corrected", "", u * used[line])):
            rows = by_cell(logit, y, names, threshold_logit=0.0, prevalence=None, temperature=1.0)
            at = {"split": "val_unseen", "score": score, "prevalence_mode": "as_found", "protocol": "exact"}
            store.add("cells", seed, [{**at, "selection": "best_on_validation", **row} for row in rows])
            of = {row["cell_line"]: row for row in rows}
            unit |= {f"{prefix}aupr": of[MACRO]["aupr"], f"{prefix}nll": of[POOLED]["nll"]}
            unit[f"{prefix}pooled_aupr"] = of[POOLED]["aupr"]
        store.units.append(unit)
    return store.inputs()


def environment_world(true: bool, seeds: int, random: np.random.Generator) -> ClaimInputs:
    """R_S of 5 support draws: noise of SD 1 of every cell line's pool of pairs, the same for all seeds, 0.5 of a seed's
    own and 0.5 of a draw. True: cell lines have values of their own (SD 6), unseen ones 6 from their mean."""
    store, count = SimulatedStore(seeds), TRAINING + UNSEEN
    level = random.normal(0, 6, count) if true else np.zeros(count)
    if true:
        level[TRAINING:] = level[:TRAINING].mean() + 6 * random.choice([-1, 1], UNSEEN)
    pool = {(name, split): random.normal() for name, splits in lines() for split in splits}
    for seed in range(seeds):
        rows = [
            {"cell_line": name, "split": split, "draw": draw, "r_student": float(value)}
            for at, (name, splits) in enumerate(lines())
            for split in splits
            for draw, value in enumerate(
                level[at] + pool[name, split] + random.normal(0, 0.5) + random.normal(0, 0.5, 5)
            )
        ]
        store.add("embeddings", seed, rows)
    return store.inputs()


World = Callable[[bool, int, np.random.Generator], ClaimInputs]
"""(whether the prediction is true, seeds, random numbers) -> what the store has."""
WORLDS: dict[str, World] = {
    "gate": gate_world,
    "mutual information": vector_world,
    "features": features_world,
    "correction": correction_world,
    "potential": potential_world,
    "environment": environment_world,
}
"""Key of a claim -> the world in which all of its parts are true, or all are false."""
