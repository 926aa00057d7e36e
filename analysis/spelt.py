"""When two spellings are of one cell line."""

import unicodedata


def cell_line_word(name: str) -> str:
    """What two spellings of one cell line share: its letters and digits, casefolded (HeLa-S3, helas3)."""
    return "".join(sign for sign in unicodedata.normalize("NFKC", name).casefold() if sign.isalnum())
