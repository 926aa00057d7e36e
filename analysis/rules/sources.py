"""The project's own documents, as a rule that leans on one cites it (docs/references.md says what each holds)."""

NOTES = {"000": "12", "001": "12", "002": "9", "003": "22, 23", "004": "25"}
"""Number of a document -> the record points that its notes are on."""


def documents(*numbers: str) -> str:
    """`source document 003 (notes on record points 22, 23)`, of several `source documents 000, 003 (...)`."""
    points = list(dict.fromkeys(point for number in numbers for point in NOTES[number].split(", ")))
    points.sort(key=int)
    noun, on = "document" + "s" * (len(numbers) > 1), "record point" + "s" * (len(points) > 1)
    return f"source {noun} {', '.join(numbers)} (notes on {on} {', '.join(points)})"
