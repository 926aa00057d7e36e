"""The schema of the store as a page of the documentation."""

from analysis import schema

OPENING = """# The store

Made by `python -m analysis schema`; do not edit.
"""


def page() -> str:
    """Markdown of the layout and of every table, column by column."""
    parts = [OPENING, (schema.__doc__ or "").strip() + "\n"]
    for name, table in schema.TABLES.items():
        parts.append(f"## {name}\n\n| column | type | meaning |\n|---|---|---|")
        rows = [f"| `{column.name}` | {column.type} | {_text(column.metadata[b'doc'])} |" for column in table]
        parts[-1] += "\n" + "\n".join(rows) + "\n"
    return "\n".join(parts)


def _text(doc: bytes) -> str:
    return doc.decode().replace("|", "\\|")
