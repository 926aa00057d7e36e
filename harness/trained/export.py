"""Export: a configuration, or one unit, of a run into a folder of its own."""

from pathlib import Path

from analysis.errors import UserError
from analysis.store import Run
from harness.trained.card import card
from harness.trained.caveats import caveats
from harness.trained.kept_units import KeptUnits
from harness.trained.model_folder import write_model


def export_model(
    run: Run, config: str, out: Path, *, only: str | None, fold: str | None
) -> tuple[KeptUnits, list[str]]:
    """Write the units of a configuration (its identity) that have weights below `out`, and return them with what speaks
    against it; `only`, `fold`: as `KeptUnits.of`.

    Raises
    ------
    UserError
        as `KeptUnits.of` and `write_model`.
    """
    if out.exists():
        raise UserError(f"--out {out} is there already; expected a new folder")
    kept = KeptUnits.of(run, config, only=only, fold=fold)
    warnings = caveats(run, config)
    write_model(out, kept.units, card(run, kept.units, warnings), warnings)
    return kept, warnings
