"""A dataset as it was read or generated, before it is encoded."""

from dataclasses import dataclass, field

import pandas as pd


@dataclass(frozen=True)
class RawDataset:
    """Checked tables of one dataset.

    `pairs`: one row per pair with `enhancer`, `promoter` (region names), `cell_line`, `label` (int8, 0 or 1)
    and, where the source has them, `split` (train, val, test) and `distance` (bp between the two elements).
    `enhancers`, `promoters`: one row per distinct region with `region` and `sequence` (A C G T N, either
    case). `cell_features`: `cell_line, feature, value` (the continuous epigenomic vector v_c in long form),
    or None. `notes`: what reading normalised and dropped, in sentences that name no folder. `contradictory`:
    pairs dropped for contradictory labels, by the enhancer's chromosome.
    """

    pairs: pd.DataFrame
    enhancers: pd.DataFrame
    promoters: pd.DataFrame
    cell_features: pd.DataFrame | None
    notes: tuple[str, ...] = ()
    contradictory: dict[str, int] = field(default_factory=dict)
