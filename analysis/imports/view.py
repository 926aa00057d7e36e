"""What an import says, in a terminal: notes on its files, and every name with the rules that it broke."""

from collections.abc import Iterator

import pandas as pd
from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from analysis.flags import survey
from analysis.imports.predictions_view import predictions_view
from analysis.reported import configuration_changes, reported_units
from analysis.rules import why
from analysis.store import Run

DOCUMENT = "import.json"
"""Where a run of imported results says what it was made of."""


def import_view(run: Run) -> Iterator[RenderableType]:
    """Notes, a row per name, and the rules that had no input anywhere."""
    for note in run.document(DOCUMENT).get("notes", []):
        yield Text(f"note: {note}", style="yellow")
    surveyed = survey(run)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in ("name", "AUPR", "warnings: worst value"):
        table.add_column(heading, no_wrap=heading != "warnings: worst value")
    values = reported_units(run).groupby("config")["aupr"].mean()
    for config, name in _by_name(run):
        aupr = values.get(config, float("nan"))
        table.add_row(Text(name), f"{aupr:.4f}" if aupr == aupr else "", _raised(surveyed.findings, config))
    yield table
    rows = surveyed.unevaluated.to_dict("records")
    nowhere = list(dict.fromkeys(row["rule"] for row in rows if row["units"] == row["of"]))
    if nowhere:
        said = f"not evaluated in any unit, since the files lack what they need: {', '.join(nowhere)}"
        yield Text(f"{said} (the ranking says what)", style="magenta")
    for row in (row for row in rows if row["units"] < row["of"]):
        yield Text(
            f"not evaluated: {row['rule']} in {row['units']} of {row['of']} units: {why(row['missing'])}",
            style="magenta",
        )


def imported_view(run: Run) -> Iterator[RenderableType]:
    """Names of an imported run that no AUPR was reported for, with their warnings, and what is said of predictors; nothing
    for other runs."""
    if not run.document(DOCUMENT):
        return
    yield from predictions_view(run)
    units, findings = reported_units(run), survey(run).findings
    ranked = set(units.loc[units["aupr"].notna(), "config"])
    for config, name in _by_name(run):
        if config not in ranked:
            text = Text("not ranked, as no AUPR was reported: ", style="yellow").append(name)
            raised = _raised(findings, config)
            yield text.append(": ").append_text(raised) if raised.plain else text


def _by_name(run: Run) -> list[tuple[str, str]]:
    """Configurations with their names, by name."""
    named = {config: str(change["name"]) for config, change in configuration_changes(run).items()}
    return sorted(named.items(), key=lambda each: each[1])


def _raised(findings: pd.DataFrame, config: str) -> Text:
    """`overfit_train 0.979, threshold_low 0.01 (GM12878)`: of every rule the value that is furthest beyond the limit."""
    text = Text()
    of_config = findings[findings["config"] == config]
    for rule in dict.fromkeys(of_config["rule"]):
        raised = of_config[of_config["rule"] == rule]
        worst = raised.loc[(raised["value"] - raised["limit"]).abs().idxmax()]
        where = f" ({worst['cell_line']})" if isinstance(worst["cell_line"], str) else ""
        text.append(", " if text.plain else "").append(f"{rule} {worst['value']:.4g}{where}")
    return text
