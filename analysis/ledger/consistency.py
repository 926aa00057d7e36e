"""Whether what the store has of a unit agrees with itself: a ledger that is wrong everywhere alike recomputes well.

Each check is a function of a unit that yields a sentence per kind of disagreement, with the first place where it stands.
"""

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd

from analysis.ledger.forms import GATES
from analysis.ledger.resistance import RAW, UNDERFLOW, standardised, summands
from analysis.ledger.unit import KNOWN, UnitLedger

SAME = 1e-5
"""Difference of numbers that were computed in float32 by two ways, relative to 1 + their size."""
SAME_POTENTIAL = 1e-4
"""The same of U_I, which other pairs of a batch may move."""
WIDE = 8.0
"""Root mean square roundings of bfloat16 that one score of a pair is apart from another one. Each is some roundings of
relative size 2^-8 in a row, carried through a float32 head whose slope no constant bounds, so that their size is measured
per unit (`rounding`); two of them differ by sqrt 2 of it, and 8 is 5.7 standard deviations of that difference."""
UNMEASURED = 64 * 2.0**-8
"""Difference of U_I relative to 1 + its size where bfloat16 ran and nothing was measured: 64 roundings the same way."""


def rows_are_whole(unit: UnitLedger) -> Iterator[str]:
    """Every pair of a split stands once, of draw 0, in finite numbers and with one cell line and label."""
    rows = unit.predictions
    if unit.ledger["predictions"] != len(rows):
        yield f"{len(rows)} predictions are there, and {unit.ledger['predictions']} were written"
    twice = rows.duplicated(["split", "pair"]).to_numpy()
    if twice.any():
        yield f"{unit.row(np.argmax(twice))} stands more than once"
    other = (rows["draw"] != 0).to_numpy()
    if other.any():
        yield f"{unit.row(np.argmax(other))} is of draw {rows['draw'].iloc[int(np.argmax(other))]}, not 0"
    for name in ("u", "r", "t", "logit"):
        lost = ~np.isfinite(unit.column(name))
        if lost.any():
            yield f"{unit.row(np.argmax(lost))} has no finite {name}"
    facts = rows[["pair", "cell_line", "label"]].drop_duplicates()
    several = facts.loc[facts["pair"].duplicated(), "pair"]
    if len(several):
        yield f"pair {several.iloc[0]} has more than one cell line or label"


def potential_repeats(unit: UnitLedger) -> Iterator[str]:
    """U_I is of the sequences alone: the same wherever a pair, or its sequences, stand again."""
    key = "sequence" if "sequence" in unit.predictions else "pair"
    u = pd.Series(unit.column("u"))
    grouped = u.groupby(unit.predictions[key].to_numpy(), sort=False)
    apart = (u - grouped.transform("first")).abs().to_numpy()
    size, rounding = 1.0 + u.abs().to_numpy(), unit.ledger["rounding"]
    if not unit.half:
        allowed = SAME_POTENTIAL * size
    else:
        allowed = UNMEASURED * size if rounding is None else SAME_POTENTIAL * size + WIDE * rounding
    wrong = apart > allowed
    if wrong.any():
        at = int(np.argmax(wrong))
        yield (
            f"{unit.row(at)}: u is {u[at]:.6g}, and {u[at] - apart[at]:.6g} or {u[at] + apart[at]:.6g} of the same "
            "sequences elsewhere"
        )


def temperature_is_one(unit: UnitLedger) -> Iterator[str]:
    """T is 1 in phase 1; one value per unit, that of the checkpoint, where it is fixed, learned or calibrated; else one
    per split and cell line."""
    t, mode = unit.column("t"), unit.ledger["temperature_mode"]
    whole = 1.0 if unit.ledger["phase"] == 1 else unit.ledger["temperature"]
    if (t <= 0).any():
        yield f"{unit.row(np.argmax(t <= 0))}: t is not positive"
    if whole is not None and not np.isnan(whole):
        wrong = ~_same(t, np.full_like(t, whole))
        if wrong.any():
            first = int(np.argmax(wrong))
            yield f"{unit.row(first)}: t is {t[first]:.6g}, and T of the unit ({mode}) is {whole:.6g}"
        return
    if mode in ("fixed", "learned", "calibrated"):
        yield f"temperature mode {mode} has one T per unit, and none is recorded"
    for split, line, at in unit.groups:
        if np.ptp(t[at]) > 0:
            yield f"split {split}, cell line {line}: T takes {len(np.unique(t[at]))} values within one support draw"
            return


def resistance_is_that_of_the_line(unit: UnitLedger) -> Iterator[str]:
    """r is 0 without an environment and in phase 1, and not 0 everywhere with one; at cell scope it is one value per
    split and cell line, r_cell of draw 0."""
    r = unit.column("r")
    if not unit.acts:
        if r.any():
            first = int(np.argmax(r != 0))
            yield f"{unit.row(first)}: r is {r[first]:.6g}, and there is no R_E in the energy (phase 1, or no environment)"
        return
    if len(r) and not r.any():
        yield "r is 0 in every row, although there is an environment"
    rows = unit.embeddings[unit.embeddings["draw"] == 0]
    of_line = dict(zip(zip(rows["split"], rows["cell_line"], strict=True), rows["r_cell"], strict=True))
    for split, line, at in unit.groups:
        if (split, line) not in of_line:
            yield f"split {split}, cell line {line} has predictions and no row of embeddings"
            return
        apart = np.abs(r[at] - of_line[split, line]) > 0
        if unit.ledger["scope"] == "cell" and apart.any():
            which = int(at[np.argmax(apart)])
            yield f"{unit.row(which)}: r is {r[which]:.6g}, and r_cell of its line is {of_line[split, line]:.6g}"
            return


def resistance_is_fused(unit: UnitLedger) -> Iterator[str]:
    """r_cell = alpha r_teacher + (1 - alpha) r_student on cell lines that were trained on, r_student on the others."""
    if unit.embeddings.empty:
        return
    known = unit.embeddings["split"].isin(KNOWN).to_numpy()
    cell, student, teacher = (unit.embedded(name) for name in ("r_cell", "r_student", "r_teacher"))
    alpha = unit.ledger["alpha"]
    fused, size = student, np.abs(student)
    if unit.acts and alpha is not None and not np.isnan(alpha):
        lacking = known & np.isnan(teacher)
        if lacking.any():
            yield f"{unit.place(np.argmax(lacking))} has no r_teacher, and a Teacher answers for that cell line"
            return
        fused = np.where(known, alpha * teacher + (1 - alpha) * student, student)
        size = np.where(known, np.abs(alpha * teacher) + np.abs((1 - alpha) * student), size)
    wrong = ~_same(cell, fused, size)
    if wrong.any():
        at = int(np.argmax(wrong))
        yield f"{unit.place(at)}: r_cell is {cell[at]:.6g}, and Student and Teacher give {fused[at]:.6g}"


def resistance_is_of_raw(unit: UnitLedger) -> Iterator[str]:
    """R_E is made of r_raw as its energy asks: by a softplus, standardised by the reference, or minus a log abundance.

    Read backwards, so that a Teacher's part counts as well: r_raw is the fusion of what r_student and r_teacher are made
    of. In phase 1 all of them are 0.
    """
    if unit.embeddings.empty:
        return
    raw, student, teacher = (unit.embedded(name) for name in ("r_raw", "r_student", "r_teacher"))
    if not unit.acts:
        lies = (raw != 0) | (student != 0)
        if lies.any():
            yield f"{unit.place(np.argmax(lies))}: there is an R_E in phase 1"
        return
    if unit.ledger["form"] not in RAW:
        return
    back = RAW[unit.ledger["form"]]
    alpha = unit.ledger["alpha"]
    share = np.where(np.isnan(teacher), 0.0, 0.0 if alpha is None else alpha)
    expected = (1 - share) * back(student, unit.ledger)
    expected = expected + np.where(share > 0, share * back(np.nan_to_num(teacher), unit.ledger), 0.0)
    size = np.abs(raw)
    if back is standardised:
        size = (1 - share) * summands(student, unit.ledger) + share * summands(
            np.nan_to_num(teacher), unit.ledger
        )
    underflowed = np.isnan(expected) & (np.minimum(student, np.nan_to_num(teacher, nan=1.0)) <= UNDERFLOW)
    wrong = ~_same(raw, expected, size) & ~(underflowed & (share == 0) & (raw < -60.0))
    if wrong.any():
        at = int(np.argmax(wrong))
        yield f"{unit.place(at)}: r_raw is {raw[at]:.6g}, and R_E was made of {expected[at]:.6g}"


def posterior_extrapolates(unit: UnitLedger) -> Iterator[str]:
    """Where a prior extrapolates, r_raw of an unseen cell line is its posterior mean."""
    if unit.embeddings.empty or not unit.acts:
        return
    raw, posterior = unit.embedded("r_raw"), unit.embedded("posterior")
    acts, unseen = bool(unit.ledger["posterior"]), ~unit.embeddings["split"].isin(KNOWN).to_numpy()
    wrong = (acts & unseen) != ~np.isnan(posterior)
    if wrong.any():
        yield f"{unit.place(np.argmax(wrong))}: a posterior mean is {'lacking' if acts else 'recorded and none acts'}"
        return
    wrong = acts & unseen & ~_same(raw, posterior)
    if wrong.any():
        at = int(np.argmax(wrong))
        yield f"{unit.place(at)}: r_raw is {raw[at]:.6g}, and the prior's posterior mean is {posterior[at]:.6g}"


def gate_is_that_of_r(unit: UnitLedger) -> Iterator[str]:
    """The gate that is reported of a cell line is that of its r_cell."""
    form = unit.ledger["form"]
    if unit.embeddings.empty or form not in GATES:
        return
    gate = unit.embedded("gate")
    expected = GATES[form](unit.embedded("r_cell"), unit.ledger)
    wrong = ~_same(gate, expected)
    if wrong.any():
        at = int(np.argmax(wrong))
        yield f"{unit.place(at)}: gate is {gate[at]:.6g}, and r_cell opens it to {expected[at]:.6g}"


def ledger_is_as_configured(unit: UnitLedger) -> Iterator[str]:
    """Form, scope, temperature mode, phase and what is set and not learned are those of the unit's configuration."""
    if not unit.settings:
        return
    settings = unit.settings
    energy, environment = settings["energy"], settings["environment"]
    pairs = {"form": energy["form"], "temperature_mode": settings["temperature"]["mode"]}
    pairs |= {name: energy[name] for name in ("a", "b", "tau") if name in energy}
    pairs["environment"] = environment["source"] != "none"
    if pairs["environment"]:
        teacher = environment.get("teacher", {}).get("kind", "none") != "none"
        pairs |= {"scope": environment["scope"], "alpha": environment["fusion"]["alpha"] if teacher else None}
    if "curriculum" in settings:
        pairs["phase"] = 1 if unit.ledger["epoch"] <= settings["curriculum"]["phase1_epochs"] else 2
    if settings["temperature"]["mode"] == "fixed" and unit.ledger["phase"] == 2:
        pairs["temperature"] = settings["temperature"]["value"]
    for name, expected in pairs.items():
        recorded = unit.ledger[name]
        recorded = None if isinstance(recorded, float) and np.isnan(recorded) else recorded
        if recorded != expected and not (isinstance(expected, float) and _same(recorded, expected)):
            yield f"{name} is recorded as {recorded}, and the configuration says {expected}"


def _same(one: object, other: object, size: np.ndarray | float = 0.0) -> np.ndarray:
    """Whether two are one but for rounding; `size`: of what they are a sum of, where that is larger."""
    a, b = (np.asarray(np.nan if x is None else x, dtype=np.float64) for x in (one, other))
    with np.errstate(invalid="ignore"):
        return np.asarray(np.abs(a - b) <= SAME * (1.0 + np.fmax(np.minimum(np.abs(a), np.abs(b)), size)))


CONSISTENCY: tuple[Callable[[UnitLedger], Iterator[str]], ...] = (
    rows_are_whole,
    potential_repeats,
    temperature_is_one,
    resistance_is_that_of_the_line,
    resistance_is_fused,
    resistance_is_of_raw,
    posterior_extrapolates,
    gate_is_that_of_r,
    ledger_is_as_configured,
)
