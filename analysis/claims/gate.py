"""Prediction gate: sigma(w R_E) takes two modes, open and closed, over cell lines and seeds."""

import math

import numpy as np
import pandas as pd
from sklearn.mixture import GaussianMixture

from analysis.claims.claim import Answer, Claim, ClaimPart, LineValue, unevaluated
from analysis.claims.dip import dip
from analysis.claims.inputs import KNOWN, UNSEEN, ClaimInputs, line_means
from analysis.intervals import Interval, t_interval
from analysis.output import counted
from analysis.power import ALPHA, POWER

KEY = "gate"
STATEMENT = "sigma(w R_E) is bimodal over cell lines and seeds: it opens some cell lines and closes others"
APART = 0.2
"""Smallest distance of two modes that is an opening and a closing."""
MODES, WITHIN = (0.1, 0.9), 0.1
"""Modes that the test has to have been able to see (document 004: all or none), and SD of the cell lines of one of them."""
FEWEST_LINES = 4
SIMULATED = 199
FLOOR = 1e-4
"""Smallest variance of a component: gates closer than 0.01 are one value."""
Array = np.ndarray


def gate(inputs: ClaimInputs) -> Claim:
    """Dip test and two- against one-component mixture on the gates of cell lines and seeds, each the mean over support
    draws and folds.

    A seed's mean over cell lines is taken out, as a seed whose gates are all open opens none rather than another. Seeds of
    one cell line are alike, which a plain dip test takes for modes: its null is simulated with as many cell lines
    (uniform, of the observed spread) and the observed spread of seeds within them; BIC counts cell lines. Source: seed
    004; Hartigan 1985.
    """
    missing = inputs.embedding_missing()
    if not missing and not inputs.embeddings["gate"].notna().any():
        missing = f"a gate (energy.form {inputs.settings.get('energy.form')} has none)"
    if missing:
        return Claim(KEY, STATEMENT, (unevaluated("bimodal", missing),))
    rows = line_means(inputs.embeddings, "gate", (*KNOWN, *UNSEEN))
    points = rows.pivot_table(index="cell_line", columns="seed", values="gate", observed=True).dropna()
    if len(points) < FEWEST_LINES:
        missing = f"gates of {FEWEST_LINES} cell lines in every seed (there are {len(points)})"
        return Claim(KEY, STATEMENT, (unevaluated("bimodal", missing),))
    return Claim(KEY, STATEMENT, (_bimodal(points),))


def _bimodal(points: pd.DataFrame) -> ClaimPart:
    """The part, of gates [lines, seeds]."""
    gates, random = points.to_numpy(dtype=np.float64), np.random.default_rng(0)
    levels = gates.mean(0)
    x = gates - levels + levels.mean()
    means = x.mean(1)
    residuals = (x - means[:, None]).ravel()
    null = simulated_dips(random, x.shape, residuals, uniform(float(means.std())))
    observed = dip(x.ravel())
    p = (1 + int((null >= observed - 1e-12).sum())) / (1 + SIMULATED)
    difference, modes = mixtures(x)
    evidence = [
        f"dip {observed:.3f} of {x.shape[0]} cell lines and {counted(x.shape[1], 'seed')}, p {p:.3f} against one mode",
        f"two components against one: BIC {difference:+.1f}; modes at {modes.min():.2f} and {modes.max():.2f}",
        f"the level of a seed, {levels.min():.2f} to {levels.max():.2f} over all cell lines, is taken out",
    ]
    answer: Answer = "undecided"
    change = "a dip test and a mixture that agree: gates of more cell lines"
    if p < ALPHA and difference < 0:
        answer = "supported" if np.ptp(modes) >= APART else "refuted"
        change = f"a dip p of {ALPHA} or more, or modes {'less' if answer == 'supported' else 'more'} than {APART} apart"
    elif p >= ALPHA and difference >= 0:
        seen = power(random, x.shape, residuals)
        evidence.append(
            f"modes at {MODES[0]} and {MODES[1]} would have been seen with probability {seen:.2f}"
        )
        answer = "refuted" if seen >= POWER else "undecided"
        change = f"a dip p below {ALPHA}" if answer == "refuted" else "gates of more cell lines"
    return ClaimPart(
        "bimodal",
        answer,
        "distance of the modes",
        Interval(float(np.ptp(modes)), math.nan, math.nan, math.nan, x.shape[1]),
        APART,
        evidence=tuple(evidence),
        lines=tuple(_line(str(name), row) for name, row in zip(points.index, gates, strict=True)),
        change=change,
    )


def mixtures(x: Array) -> tuple[float, Array]:
    """BIC of two normal components less that of one, over gates [lines, seeds] in which a cell line counts once; and the
    two means [2]."""
    data, lines = x.reshape(-1, 1), len(x)
    bic, means = [], np.zeros(2)
    for count in (1, 2):
        model = GaussianMixture(count, reg_covar=FLOOR, max_iter=500, random_state=0).fit(data)
        bic.append(-2 * lines * float(model.score(data)) + (3 * count - 1) * math.log(lines))
        means = model.means_.ravel()
    return bic[1] - bic[0], means


def uniform(sd: float) -> tuple[float, float]:
    """Ends of the uniform distribution of that SD around 0.5: of all with one mode the one nearest to two."""
    return 0.5 - math.sqrt(3) * sd, 0.5 + math.sqrt(3) * sd


def simulated_dips(
    random: np.random.Generator, shape: tuple[int, int], residuals: Array, ends: tuple[float, float]
) -> Array:
    """Dips [SIMULATED] of gates [lines, seeds] whose cell lines are uniform, with drawn `residuals` of the seeds."""
    return np.array(
        [
            dip((random.uniform(*ends, shape[0])[:, None] + random.choice(residuals, shape)).ravel())
            for _ in range(SIMULATED)
        ]
    )


def power(random: np.random.Generator, shape: tuple[int, int], residuals: Array) -> float:
    """How often gates of which half have one of `MODES` each are told from one mode at 5 %."""
    spread = math.hypot((MODES[1] - MODES[0]) / 2, WITHIN)
    critical = np.quantile(simulated_dips(random, shape, residuals, uniform(spread)), 1 - ALPHA)
    modes = np.where(np.arange(shape[0]) % 2, *MODES)
    hits = [
        dip((random.normal(modes, WITHIN)[:, None] + random.choice(residuals, shape)).ravel()) > critical
        for _ in range(SIMULATED)
    ]
    return float(np.mean(hits))


def _line(name: str, gates: Array) -> LineValue:
    interval = t_interval(gates)
    said = "open" if interval.low > 0.5 else "closed" if interval.high < 0.5 else "neither in every seed"
    return LineValue(name, "gate", interval.mean, said)
