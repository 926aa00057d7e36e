"""The warning rules as a page of the documentation, and as `python -m analysis rules` prints them."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from analysis import duplicates
from analysis.arguments import command_parser
from analysis.commands.of_run import add_language, say
from analysis.errors import UserError
from analysis.rules import RULES

OPENING = """# Warning rules

Made by `python -m analysis rules --markdown`; do not edit.

`documented`: beyond a limit that a document of this work states, shown whether or not it harms. `fault`: what was measured
cannot be what was meant. `hint`: worth a look. A rule whose input is missing, whose pairs are too few to have shown a
healthy model (*underpowered*), or whose subject is not configured (*nothing to judge*) is *not evaluated*, which is not
passed. What the data or the sizes imply is said once per run, and marks no configuration.
Limits are settings: `limits: {generalisation_gap: 0.1}` in a preset, `limits.generalisation_gap` in `set`; `stop:
[overfit_train]` in a sweep ends a unit as soon as that rule holds. Sources: [references](references.md) and
[definitions](definitions.md). How often each is right and wrong: [validation](ranking.md#how-often-is-a-warning-right).
"""
_HELP = "Print every warning rule: severity, condition, limits, source and what to try."
_EPILOG = """\
examples:
  python -m analysis rules
  python -m analysis rules --lang zh     in Chinese
"""
_STYLE = {"fault": "bold red", "documented": "yellow", "hint": "cyan"}


class RuleRow(NamedTuple):
    """One rule: its name and letter, its severity, when it holds, its limits by name, its source and what to try."""

    rule: str
    letter: str
    severity: str
    condition: str
    limits: str
    source: str
    advice: str


def rows() -> list[RuleRow]:
    """All rules that are loaded, in their order, and the one that is judged on a whole run."""
    each = [
        RuleRow(
            rule.id,
            rule.mark,
            rule.severity,
            rule.condition_text,
            ", ".join(f"{name} {limit:g}" for name, limit in rule.limits.items()),
            rule.source,
            rule.advice,
        )
        for rule in RULES.values()
    ]
    return [*each, RuleRow(*duplicates.DECLARATION)]


def page() -> str:
    """Markdown of the whole table."""
    lines = [
        "| rule | letter | severity | condition | limits | source | what to try |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows():
        limits = ", ".join(f"`{limit}`" for limit in row.limits.split(", ") if limit)
        cells = (f"`{row.rule}`", row.letter, row.severity, row.condition, limits, row.source, row.advice)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return f"{OPENING}\n" + "\n".join(lines) + "\n"


def rules_view() -> Iterator[RenderableType]:
    """The same for a terminal, one rule after the other."""
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    for row in rows():
        head = Text(f"{row.letter} {row.rule}", style=_STYLE[row.severity])
        told = Group(
            Text(f"{row.severity}: {row.condition}"),
            Text(f"limits {row.limits or 'none'}; {row.source}", style="dim"),
            Text(f"try: {row.advice}"),
        )
        table.add_row(head, told)
    yield table


def rules_command(argv: Sequence[str], console: Console) -> int:
    """`python -m analysis rules [--markdown | --lang LANG]`."""
    parser = command_parser("python -m analysis rules", _HELP, _EPILOG)
    parser.add_argument("--markdown", action="store_true", help="as the page docs/rules.md, in English")
    add_language(parser)
    options = parser.parse_args(argv)
    if options.markdown and options.lang != "en":
        raise UserError(
            f"--markdown prints the English page docs/rules.md; expected no --lang {options.lang} beside it"
        )
    if options.markdown:
        print(page(), end="", file=console.file)
    else:
        say(console, rules_view(), options.lang)
    return 0
