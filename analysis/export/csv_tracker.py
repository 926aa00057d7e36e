"""CSV files: three tables that a spreadsheet or pandas opens."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from analysis.export.csv_table import CsvTable, digest
from analysis.export.tracked import TrackedRun
from analysis.export.tracker import Tracker


class CsvTracker(Tracker):
    """`units.csv` and `configurations.csv`, a row per tracked run (tags, `param/<path>`, metrics), and `epochs.csv`, a row
    per unit and epoch. The column `key` joins them; `config` of a unit is the key of its configuration."""

    key = "csv"
    files = ("units.csv", "configurations.csv", "epochs.csv")
    opened = (
        "open {out}/units.csv, epochs.csv or configurations.csv in a spreadsheet, or with pandas.read_csv"
    )

    def __init__(self, out: Path, project: str) -> None:
        super().__init__(out, project)
        self._tables = {name.removesuffix(".csv"): CsvTable(out / name) for name in self.files}
        self._waiting: dict[str, dict[str, list[dict[str, Any]]]] = {name: {} for name in self._tables}

    def write(self, run: TrackedRun, before: str | None) -> str:
        row: dict[str, Any] = {"name": run.name, **run.tags, "changes": json.dumps(dict(run.changed))}
        row |= {"started": run.started, "finished": run.finished}
        row |= {f"param/{path}": _param(value) for path, value in run.params.items()}
        row |= run.finals
        self._waiting["units" if run.kind == "unit" else "configurations"][run.key] = [row]
        if run.kind == "unit":
            named = {key: run.tags[key] for key in ("config", "fold", "seed")}
            epochs = [{**named, "epoch": epoch, **values} for epoch, values in run.series]
            self._waiting["epochs"][run.key] = epochs
            return f"unit {len(epochs)} {digest([row])} {digest(epochs)}"
        return f"configuration {len(run.series)} {digest([row])}"

    def has(self, key: str, known_by: str) -> bool:
        kind, epochs, *_ = known_by.split()
        rows = self._tables["units" if kind == "unit" else "configurations"].rows_of
        return rows[key] == 1 and (kind != "unit" or self._tables["epochs"].rows_of[key] == int(epochs))

    def edited(self, written: Mapping[str, str]) -> str:
        now = {name: table.digests() for name, table in self._tables.items()}
        said = []
        for name, digests in now.items():
            keys = []
            for key, known_by in written.items():
                kind, _, *then = known_by.split()
                told = dict(
                    zip(["units", "epochs"] if kind == "unit" else ["configurations"], then, strict=False)
                )
                if name in told and key in digests and digests[key] != told[name]:
                    keys.append(key)
            said += [f"{name}.csv: {', '.join(keys[:3])}{', ...' if len(keys) > 3 else ''}"] if keys else []
        return "; ".join(said)

    def flush(self) -> None:
        for name, rows in self._waiting.items():
            if rows:
                self._tables[name].put(rows)
                self._waiting[name] = {}


def _param(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, (list, dict, bool)) else value
