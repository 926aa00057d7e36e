"""What was checked while the run was made: mechanisms by the audit, predictions by the ledger."""

from collections.abc import Iterator, Sequence
from typing import ClassVar

from analysis.audit_view import GRAVEST, QUIET_VERDICTS, named_ids, verdicts
from analysis.dead_dimensions import silent_dimensions
from analysis.labels import short_ids
from analysis.ledger_view import recorded
from analysis.report.content import Block, Cell, Paragraph, RowTable
from analysis.report.material import Material
from analysis.report.section import Section
from analysis.reported import configuration_changes


class Audited(Section):
    """Every mechanism by its gravest verdict, what was swept without effect, and how many predictions were verified."""

    key: ClassVar[str] = "audit"

    def blocks(self, material: Material) -> Sequence[Block] | None:
        return [*_verdicts(material), *_silent(material), *_predictions(material)] or None


def _verdicts(material: Material) -> Iterator[Block]:
    text, rows = material.texts, verdicts(material.run)
    if rows.empty:
        return
    mechanisms, short = rows[rows["id"] != "-"], short_ids(configuration_changes(material.run))
    counts = mechanisms["verdict"].value_counts()
    said = text.listed(
        text(f"audit.count_{verdict.replace('-', '_')}", n=counts[verdict])
        for verdict in reversed(GRAVEST)
        if verdict in counts
    )
    judged = text.count("mechanism", len(mechanisms))
    yield Paragraph(text("audit.counts", n=judged, said=said) if said else text("audit.counts_none"))
    told = rows[~rows["verdict"].isin(QUIET_VERDICTS)]
    if len(told):
        headings = [text(f"audit.{name}") for name in ("mechanism", "verdict", "where", "reason")]
        cells = [
            [
                Cell(row["mechanism"], "" if row["id"] == "-" else row["id"], "name"),
                Cell(text(f"audit.{row['verdict'].replace('-', '_')}"), style=f"verdict {row['verdict']}"),
                Cell(
                    text("audit.where_is", configs=row["configurations"], of=row["of"]),
                    text.said(named_ids(row["configs"], short)) if row["configurations"] < row["of"] else "",
                ),
                Cell(text.said(str(row["reason"]))),
            ]
            for row in told.to_dict("records")
        ]
        yield RowTable(headings, cells, wide=4)
    for verdict in QUIET_VERDICTS:
        names = list(mechanisms.loc[mechanisms["verdict"] == verdict, "mechanism"])
        if names:
            key = f"audit.named_{verdict.replace('-', '_')}"
            yield Paragraph(text(key, names=", ".join(dict.fromkeys(names))), tone="quiet")


def _silent(material: Material) -> Iterator[Block]:
    for dimension in silent_dimensions(material.run):
        yield Paragraph(material.texts("audit.silent", sentence=dimension.sentence()), tone="alert")


def _predictions(material: Material) -> Iterator[Block]:
    text, known = material.texts, recorded(material.run)
    if known is None:
        return
    if known.predictions:
        said = {
            "n": text.count("prediction", known.predictions),
            "largest": f"{known.largest:.0e}".replace("e-0", "e-"),
        }
        yield Paragraph(text("audit.recomputed", **said))
    if known.unlike:
        yield Paragraph(
            text("audit.not_recomputed", n=text.count("prediction", known.unlike_predictions), why=known.why),
            tone="quiet",
        )
    if known.missing:
        yield Paragraph(text("audit.not_verified", n=known.missing, of=known.ended), tone="alert")
