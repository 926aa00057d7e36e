"""Tables and paragraphs as Markdown and as LaTeX (booktabs)."""

import re
from collections.abc import Sequence

from analysis.output import printable
from analysis.paper.tables import PaperTable

LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "±": r"$\pm$", "≡": r"$\equiv$", "−": "--", "×": r"$\times$", "→": r"$\rightarrow$", "…": r"\dots{}",
}  # fmt: skip
"""Characters that mean something to LaTeX, or that its fonts lack."""


def markdown_table(table: PaperTable) -> str:
    """Caption in bold, then a pipe table; numbers to the right."""
    lines = [f"**{_cell(table.caption)}**", "", _row(table.headings)]
    lines.append(
        "|" + "|".join("---" if at in table.words else "---:" for at in range(len(table.headings))) + "|"
    )
    return "\n".join([*lines, *map(_row, table.rows)]) + "\n"


def latex_table(table: PaperTable) -> str:
    """A `table` with a `tabular` in the rules of booktabs; numbers to the right."""
    columns = "".join("l" if at in table.words else "r" for at in range(len(table.headings)))
    body = [_latex_row(row) for row in table.rows]
    if table.rule is not None:
        body.insert(table.rule, r"\midrule")
    return "\n".join(
        [
            r"\begin{table}",
            rf"\caption{{{latex(table.caption)}}}",
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            _latex_row(table.headings),
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def latex(text: str) -> str:
    """Text in which nothing is a command."""
    return "".join(LATEX.get(sign, sign) for sign in printable(text))


def _latex_row(cells: Sequence[str]) -> str:
    return " & ".join(latex(cell) for cell in cells) + r" \\"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_cell(cell) for cell in cells) + " |"


def _cell(text: str) -> str:
    """Text that is no markup of a table."""
    return re.sub(r"([|*`\\<])", r"\\\1", printable(text))
