"""The files that docs/adding.md prints: each fenced block whose first line is its name."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "adding.md"


def files_of_page() -> dict[str, str]:
    """Name -> text, exactly as printed."""
    text = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"^```(?:python|yaml)\n(# (\S+)\n.*?)^```$", text, re.M | re.S)
    return {name: block for block, name in blocks}


def write_page(folder: Path, **changed: str) -> Path:
    """Write the files of the page into `folder`, some with another text (by their name without the ending)."""
    for name, text in files_of_page().items():
        (folder / name).write_text(changed.get(Path(name).stem, text), encoding="utf-8")
    return folder
