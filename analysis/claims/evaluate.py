"""All predictions of a configuration, and as a table that a report can show."""

from dataclasses import dataclass

import pandas as pd

from analysis.arms import base
from analysis.chosen import chosen
from analysis.claims.claim import Claim
from analysis.claims.correction import correction
from analysis.claims.environment import environment
from analysis.claims.features import features
from analysis.claims.gate import gate
from analysis.claims.inputs import ClaimInputs
from analysis.claims.mutual_information import mutual_information
from analysis.claims.potential import potential
from analysis.ranking import rank
from analysis.reported import resolved_configurations
from analysis.store import Run

COLUMNS = (
    "config", "claim", "statement", "answer", "part", "part_answer", "what", "value", "low", "high", "limit", "seeds",
    "evidence", "lines", "change", "missing",
)  # fmt: skip


def judged_configuration(run: Run, name: str | None = None) -> str:
    """The configuration whose predictions are judged: the one that `name` stands for (`chosen`); else the base of the
    run's design; else the first of the ranking by what the run was asked for.

    Raises UserError for a name that is none or several, and for a run without results.
    """
    if name is None:
        return base(run) or str(rank(run).configurations["config"].iloc[0])
    return chosen(run, name)


@dataclass(frozen=True)
class ConfigurationClaims:
    """What a run says of the predictions for one configuration; `left`: units that nothing was taken from, in words."""

    config: str
    claims: tuple[Claim, ...]
    left: str

    def frame(self) -> pd.DataFrame:
        """A row per part of a claim, with `COLUMNS`: config, claim, statement, answer (of the whole), part, part_answer,
        what the value is, value with low and high (95 % t over seeds), the limit that it is judged against, seeds,
        evidence (sentences), lines (`LineValue`s: which cell lines), change (what would change the answer) and missing
        (the input that the store has not; empty where it was evaluated). Numbers are NaN where there are none."""
        rows = [
            (
                self.config, claim.key, claim.statement, claim.answer, part.name, part.answer, part.what,
                part.interval.mean, part.interval.low, part.interval.high, part.limit, part.interval.n, part.evidence,
                part.lines, part.change, part.missing,
            )
            for claim in self.claims
            for part in claim.parts
        ]  # fmt: skip
        return pd.DataFrame(rows, columns=list(COLUMNS))


def configuration_claims(run: Run, config: str) -> ConfigurationClaims:
    """Every prediction of source document 004 for one configuration of a run.

    Raises UserError for a run of several stamps.
    """
    inputs = ClaimInputs.of(run, config)
    return ConfigurationClaims(config, tuple(judge(inputs, _placebo(run, inputs))), inputs.left)


def judge(inputs: ClaimInputs, placebo: ClaimInputs | None = None) -> list[Claim]:
    """The predictions from rows alone; `placebo`: the same configuration trained on permuted v_c."""
    return [
        gate(inputs),
        mutual_information(inputs),
        features(inputs, placebo),
        correction(inputs),
        potential(inputs),
        environment(inputs),
    ]


def _placebo(run: Run, inputs: ClaimInputs) -> ClaimInputs | None:
    """The configuration that differs from these inputs' by nothing but that v_c was permuted in training."""
    if inputs.source != "features":
        return None
    for config, settings in resolved_configurations(run).items():
        other = {
            key for key in {*settings, *inputs.settings} if settings.get(key) != inputs.settings.get(key)
        }
        if other == {"permuted"} and "features" in settings["permuted"]:
            return ClaimInputs.of(run, config)
    return None
