"""The data report as data: sections of rows with a sentence each, and the faults that stand out."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analysis.errors import UserError
from harness.baselines.features import PairFeatures
from harness.config.blocks.data import DataBlock
from harness.data.dataset import EncodedDataset
from harness.data.folds import make_folds, split
from harness.shortcuts.counts import facts, line_counts
from harness.shortcuts.fold_scores import ACROSS, WITHIN, FoldScores, fold_scores
from harness.shortcuts.line_identity import SIZE, line_identity
from harness.shortcuts.source_split import SourceSplit, source_split
from harness.shortcuts.telltales import LIMIT, Telltale, of_source, telltales

MEANING = {
    "random_split": "the source's split is drawn over pairs: neither cell line nor chromosome is new where it is "
    "evaluated, so that elements learned by heart count as skill; split by chromosome and cell line",
    "shared_loci": "the source's split holds out cell lines and not loci: what was learned of a locus elsewhere counts as "
    "skill; hold chromosomes out as well",
    "distance_shortcut": "the distance between the elements gives labels away; match negatives by distance",
    "length_shortcut": "the lengths of the sequences give labels away; cut both classes alike",
    "promoter_propensity": "a promoter's other pairs give labels away; hold promoters out, or balance them",
    "enhancer_propensity": "an enhancer's other pairs give labels away; hold enhancers out, or balance them",
}
"""Flag -> what it says, and what to do."""


@dataclass(frozen=True)
class DataSection:
    """A table with a title and a sentence that says what it shows; `bars`: columns that a page draws as bars in [0, 1]."""

    key: str
    title: str
    sentence: str
    rows: list[dict[str, Any]]
    bars: tuple[str, ...] = ()

    @property
    def table(self) -> pd.DataFrame:
        """The rows as a frame."""
        return pd.DataFrame(self.rows)


@dataclass(frozen=True)
class DataReport:
    """`flags` are keys of `MEANING`; `notes` what reading changed; `hash` of the data."""

    origin: str
    hash: str
    pairs: int
    flags: tuple[str, ...]
    notes: tuple[str, ...]
    sections: tuple[DataSection, ...]

    def plain(self) -> dict[str, Any]:
        """The report as JSON has it; what is not known is null."""
        sections = {
            each.key: {
                "title": each.title,
                "sentence": each.sentence,
                "rows": [_finite(row) for row in each.rows],
            }
            for each in self.sections
        }
        return {
            "origin": self.origin,
            "data": self.hash,
            "pairs": self.pairs,
            "flags": {flag: MEANING[flag] for flag in self.flags},
            "notes": list(self.notes),
            "sections": sections,
        }


def data_report(
    dataset: EncodedDataset, block: DataBlock, *, started: Callable[[str], None] = lambda what: None
) -> DataReport:
    """The report of a dataset on the first fold of its block. Where no fold can be made, the baselines are left out, and
    why is said in their place."""
    features = PairFeatures(dataset)
    started("splits and shortcuts")
    sharing, tales = source_split(dataset), telltales(features, of_source(dataset))
    flags = ([sharing.flag] if sharing and sharing.flag else []) + [tale.flag for tale in tales if tale.flag]
    sections = [
        DataSection(
            "counts",
            "Pairs",
            "Pairs, share of positives, distinct sequences and lengths (shortest / median / longest) of every cell line "
            "and part of the source's split.",
            line_counts(dataset),
        ),
        DataSection(
            "facts",
            "The dataset as a whole",
            "Labels, bases, and loci that cell lines share.",
            facts(dataset),
        ),
        _split_section(sharing),
        _telltale_section(tales),
        _identity_section(dataset),
    ]
    try:
        fold = make_folds(dataset, block)[0]
        splits = split(dataset, fold)
    except UserError as error:
        sections.append(DataSection("baselines", "Baselines", f"Not measured: {error}.", []))
    else:
        scores = fold_scores(features, splits, started=started)
        sections += _baseline_sections(scores, fold.label)
    return DataReport(
        dataset.origin,
        dataset.hash,
        len(dataset),
        tuple(dict.fromkeys(flags)),
        tuple(dataset.notes),
        tuple(sections),
    )


def _split_section(sharing: SourceSplit | None) -> DataSection:
    rows = [] if sharing is None else sharing.rows
    sentence = (
        "The source names no split; the folds of the harness hold out cell lines and chromosomes."
        if sharing is None
        else "Shares of the evaluated pairs of the source's own split that training knows something of. Nothing new: "
        "neither their cell line nor their chromosomes are held out of training."
    )
    shares = [key for key in (rows[0] if rows else {}) if key not in ("part", "pairs")]
    return DataSection(
        "source_split", "What the source's split shares with training", sentence, rows, tuple(shares)
    )


def _telltale_section(tales: list[Telltale]) -> DataSection:
    rows = [
        {
            "shortcut": tale.shortcut,
            "held out by": tale.parted,
            "pairs": tale.pairs,
            "AUC": tale.auc,
            "2 SE below": tale.low,
            "AUPR": tale.aupr,
            "positive": tale.prevalence,
            "flag": tale.flag,
        }
        for tale in tales
    ]
    return DataSection(
        "shortcuts",
        "Shortcuts without sequences",
        f"AUC (0.5 is chance; mean over cell lines weighted by pairs) of what knows no sequence. It is flagged where two "
        f"standard errors below it still lie above {LIMIT}; rows by random parts beside a source's split say what a random "
        "split would give away, and are not flagged. Below 0.5: what is balanced as a whole is not in a part.",
        rows,
        ("AUC",),
    )


def _identity_section(dataset: EncodedDataset) -> DataSection:
    rows = line_identity(dataset)
    sentence = (
        f"How often the cell line of {SIZE} pairs is named rightly by their mean lengths and composition, on chromosomes "
        "that were not fitted on. Far above chance, an environment that a model infers can be an artefact of how the "
        "pairs were made."
        if rows
        else "Fewer than two cell lines have pairs on both halves of the chromosomes."
    )
    return DataSection(
        "identity", "Do lengths and composition name the cell line?", sentence, rows, ("named rightly",)
    )


def _baseline_sections(scores: FoldScores, fold: str) -> list[DataSection]:
    across = {row["baseline"]: row[ACROSS] for row in scores.baselines}
    promoter = max((name for name in across if name.startswith("promoter_")), key=lambda name: across[name])
    pair = max((name for name in across if name.startswith("pair_")), key=lambda name: across[name])
    return [
        DataSection(
            "baselines",
            "Baselines",
            f"Macro AUPR on chromosomes that were not trained on, {WITHIN} of the training and {ACROSS}: fold {fold}. "
            f"A model that does not beat {promoter} ({across[promoter]:.3f} {ACROSS}) has learnt nothing about "
            f"interaction; the best baseline of both sequences is {pair} ({across[pair]:.3f}).",
            scores.baselines,
            tuple(key for key in scores.baselines[0] if key not in ("baseline", "sees")),
        ),
        DataSection(
            "distances",
            "AUPR by distance",
            "Macro AUPR of the fold's evaluated pairs by the distance between their elements; bins with too few pairs of a "
            "class are left out.",
            _with_values(scores.distances),
        ),
        DataSection(
            "discordant",
            "Discordant loci",
            "Pairs of loci with different labels in different cell lines, the only direct test of R_E, apart from those "
            "with one label; macro AUC on the fold's evaluated pairs.",
            scores.discordant,
            tuple(key for key in scores.discordant[0] if key != "baseline"),
        ),
    ]


def _with_values(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows without the columns in which no row has a number."""
    known = [name for name in rows[0] if any(isinstance(r[name], str) or np.isfinite(r[name]) for r in rows)]
    return [{name: row[name] for name in known} for row in rows]


def _finite(row: dict[str, Any]) -> dict[str, Any]:
    return {key: None if isinstance(v, float) and not np.isfinite(v) else v for key, v in row.items()}
