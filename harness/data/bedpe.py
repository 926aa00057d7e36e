"""Pairs as BEDPE: the enhancer is the first element, the promoter the second."""

from pathlib import Path

import pandas as pd

from analysis.errors import UserError
from harness.data.table import PairTable, check_file

POSITIONS = ("chrom1", "start1", "end1", "chrom2", "start2", "end2")
STANDARD = (*POSITIONS, "name", "score", "strand1", "strand2")
"""Columns of BEDPE (bedtools) in their order; a header line may name further ones after them."""
NAMED = {"cell_line": "name", "label": "score"}
"""What a pair has beside its regions -> the standard column that holds it where no column of that name is."""
PROLOGUE = ("#", "track", "browser")
"""Beginnings of lines above the first pair."""


def read_bedpe(file: Path, *, cell_line: str | None = None, labelled: bool = True) -> PairTable:
    """Columns `enhancer`, `promoter`, `cell_line` and, where `labelled`, `label`, every value as text.

    Cell line and label are columns of these names where a header line (`#chrom1 ... cell_line label`) has them, else the
    columns name (7th) and score (8th); `cell_line` stands for all pairs instead of a column.

    Raises
    ------
    UserError
        for a file that is missing or not UTF-8, rows with fewer columns than they need, and positions that are no numbers.
    """
    check_file(file)
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise UserError(f"{file} is not UTF-8 text (byte {error.start}); expected BEDPE") from None
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}") from None
    while lines and not lines[-1].strip():
        lines.pop()
    first, names = _prologue(lines)
    if first == len(lines):
        raise UserError(
            f"{file} holds no pairs; expected lines of {' '.join(POSITIONS)} and more, tab-separated"
        )
    wanted = {"cell_line": cell_line is None, "label": labelled}
    place: dict[str, int] = {}
    for what, standard in NAMED.items():
        if wanted[what]:
            column = what if what in names else standard
            if column not in names:
                raise UserError(
                    f"{file}: its header has neither {what} nor {standard} (there: {', '.join(names)}); expected one"
                )
            place[what] = names.index(column)
    rows = []
    for number, line in enumerate(lines[first:], start=first + 1):
        values = [value.strip() for value in (line.split("\t") if "\t" in line else line.split())]
        where = f"{file}, line {number}"
        need = max([len(POSITIONS) - 1, *place.values()])
        if len(values) <= need:
            asked = [f"{what} in column {at + 1} ({names[at]})" for what, at in place.items()]
            beside = f", and the {' and the '.join(asked)}" if asked else ""
            raise UserError(
                f"{where}: {len(values)} columns; expected {', '.join(POSITIONS)}{beside}, tab-separated"
            )
        if not all(values[at].isdecimal() for at in (1, 2, 4, 5)):
            raise UserError(
                f"{where}: '{' '.join(values[:6])}' are no two regions; expected chromosome, start and end of the "
                "enhancer, then of the promoter"
            )
        rows.append(
            {
                "enhancer": f"{values[0]}:{values[1]}-{values[2]}",
                "promoter": f"{values[3]}:{values[4]}-{values[5]}",
                "cell_line": cell_line,
                **{what: values[at] for what, at in place.items()},
            }
        )
    return PairTable(pd.DataFrame(rows, dtype=object), file, "line", first + 1)


def _prologue(lines: list[str]) -> tuple[int, list[str]]:
    """How many lines stand above the first pair, and what the columns are called."""
    names = list(STANDARD)
    for number, line in enumerate(lines):
        words = line.lstrip("#").split("\t") if "\t" in line else line.lstrip("#").split()
        header = [word.strip().lower() for word in words]
        if header[:1] == ["chrom1"]:
            names = header
        elif not line.startswith(PROLOGUE) and line.strip():
            return number, names
    return len(lines), names
