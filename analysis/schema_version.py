"""Runs whose tables have another version of the schema than this program's are refused in a sentence."""

from pathlib import Path

from analysis.errors import UserError
from analysis.schema import SCHEMA_VERSION


def refuse_version(file: Path, version: int) -> None:
    """Raise UserError for a file of another version of the schema than this one."""
    if version > SCHEMA_VERSION:
        raise UserError(
            f"{file} has schema version {version}; this analysis reads version {SCHEMA_VERSION}, update it"
        )
    if version < SCHEMA_VERSION:
        raise UserError(
            f"{file} has schema version {version}, and this program reads version {SCHEMA_VERSION}: rank it with the "
            "program that made it, or give another run folder"
        )


def refuse_older(run: Path) -> None:
    """Raise UserError for a run folder whose tables have the names of an earlier version."""
    if any((run / "trials").glob("*.parquet")) or any((run / "units").glob("*.log")):
        raise UserError(
            f"{run} has schema version {SCHEMA_VERSION - 1} or an earlier one, and this program reads version "
            f"{SCHEMA_VERSION}: rank it with the program that made it, or give another run folder"
        )
