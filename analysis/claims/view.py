"""The predictions of a configuration, and how right their answers are, as text for a terminal."""

import math
from collections.abc import Iterable, Iterator, Sequence

from rich import box
from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from analysis.claims.claim import ClaimPart, LineValue
from analysis.claims.evaluate import ConfigurationClaims
from analysis.claims.inputs import UNSEEN
from analysis.claims.validate import Validity
from analysis.effect_table import dim
from analysis.output import counted

STYLES = {
    "supported": "bold green",
    "refuted": "bold red",
    "undecided": "bold yellow",
    "not evaluated": "dim",
}
MOST_LINES = 8
"""Cell lines that are named of each part; the table of claims has all of them."""


def claims_view(name: str, judged: ConfigurationClaims) -> Iterator[RenderableType]:
    """What a configuration's store says of every prediction: answer, numbers, evidence, what would change it."""
    yield Text(f"\nFalsifiable predictions (source document 004): {name}", style="bold")
    for claim in judged.claims:
        yield Text.assemble(
            "\n", (claim.key, "bold"), ": ", (claim.answer, STYLES[claim.answer]), f"  {claim.statement}"
        )
        for part in claim.parts:
            yield Padding(Text.assemble(*_heading(part)), (0, 0, 0, 2))
            for text in _details(part):
                yield Padding(dim(text), (0, 0, 0, 4))
    yield Text("")
    if judged.left:
        yield dim(f"left out: {judged.left}")
    yield dim(
        f"Intervals: 95 % t over seeds, for these cell lines and loci; pairs of val_unseen and val_seen ({UNSEEN[1]} gives "
        "embeddings alone, never a label). A prediction is refuted where a part of it is, and supported where all are."
    )


def _heading(part: ClaimPart) -> Iterator[str | tuple[str, str]]:
    yield f"{part.name}: "
    yield part.answer, STYLES[part.answer]
    if part.missing:
        yield f": {part.missing}"
        return
    yield f"  {part.what} {part.interval.mean:.4g}"
    if math.isfinite(part.interval.low):
        yield f" ({part.interval.low:.4g} to {part.interval.high:.4g}, {counted(part.interval.n, 'seed')})"
    yield f" against {part.limit:.4g}"


def _details(part: ClaimPart) -> Iterator[str]:
    yield from part.evidence
    if part.lines:
        yield f"{part.lines[0].what}: {_named(part.lines)}"
    if part.change:
        yield f"would change it: {part.change}"


def _named(lines: Sequence[LineValue]) -> str:
    """Cell lines by value, the largest and the smallest of many."""
    ordered = sorted(lines, key=lambda line: -line.value)
    said = [f"{line.cell_line} {line.value:.2f}" + (f" {line.said}" if line.said else "") for line in ordered]
    if len(said) > MOST_LINES:
        half = MOST_LINES // 2
        said = [*said[:half], f"... ({len(said) - MOST_LINES} more)", *said[-half:]]
    return "; ".join(said)


def validity_view(validities: Iterable[Validity]) -> Iterator[RenderableType]:
    """The table of how often the answers were right, wrong and undecided in simulated stores."""
    table = Table(
        title=Text("Answers in simulated stores of known truth", style="bold"),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        header_style="dim",
    )
    for heading in ("prediction", "part", "truth", "stores", "right", "wrong", "at most", "undecided"):
        words = heading in ("prediction", "part", "truth")
        table.add_column(heading, justify="left" if words else "right", no_wrap=not words)
    for each in validities:
        shares = [each.right, each.wrong, each.most_wrong * each.stores, each.undecided]
        right, wrong, most, undecided = (f"{share / each.stores:.0%}" for share in shares)
        truth = "true" if each.true else "false"
        table.add_row(each.claim, each.part, truth, str(each.stores), right, wrong, most, undecided)
    yield table
    yield dim("at most: upper end of the 95 % Clopper-Pearson interval of the share of wrong answers.")
