"""What was asked before the first step."""

from collections.abc import Iterator, Sequence
from typing import ClassVar

from analysis.preregistration import Preregistration, asked_before
from analysis.report.content import Block, Facts, Paragraph
from analysis.report.material import Material
from analysis.report.section import Section


class Question(Section):
    """The preregistration as it was written, its hash, and what was changed since."""

    key: ClassVar[str] = "question"

    def blocks(self, material: Material) -> Sequence[Block] | None:
        blocks: list[Block] = []
        for asked in asked_before(material.run):
            if asked.lost is not None:
                blocks.append(Paragraph(material.texts.said(asked.lost), tone="alert"))
            if asked.known is not None:
                if asked.where:
                    blocks.append(Paragraph(asked.where.strip()))
                blocks += _blocks(asked.known, material)
        return blocks or None


def _blocks(known: Preregistration, material: Material) -> Iterator[Block]:
    text, content = material.texts, known.first
    late = content.get("units_before")
    when = text("question.late", units=text.count("unit", late)) if late else text("question.before")
    size = text.listed(
        [
            text.count("seed", len(content.get("seeds", ()))),
            text.count("fold", len(content.get("folds", {}))),
        ]
    )
    pairs = [
        (text("question.question"), str(content.get("question") or text("question.none"))),
        (
            text("question.criterion"),
            text("question.criterion_is", criterion=known.criterion, rope=f"{known.rope:g}"),
        ),
        (text("question.size"), size),
        *_families(known, material),
        (
            text("question.written"),
            text("question.written_is", date=content.get("date", ""), when=when, sha256=known.sha256),
        ),
    ]
    yield Facts(pairs)
    for problem in known.problems:
        yield Paragraph(text("question.changed", problem=problem), tone="alert")


def _families(known: Preregistration, material: Material) -> Iterator[tuple[str, str]]:
    text, families = material.texts, known.first.get("families", {})
    for family, members in families.items():
        for against, names in members.items():
            yield (
                text("question.family", family=family),
                text("question.family_is", names=text.listed(names), against=against),
            )
    if not families:
        yield text("question.family_none"), text("question.exploratory")
