"""The catalogue as a page of the documentation."""

from harness.mechanisms.catalogue import catalogue
from harness.mechanisms.mechanism import GROUPS

OPENING = """# Mechanisms

Made by `python -m harness.mechanisms --markdown`; do not edit. Every mechanism that a configuration can have, the settings
that switch it on, its equation, the parameters that it may train and where it comes from (see [references](references.md)
and [definitions](definitions.md)). The audit of a trial judges these rows.
"""


def page() -> str:
    """Markdown of the whole catalogue, in order of the ids."""
    groups = ", ".join(f"{group} {text}" for group, text in GROUPS.items())
    parts = [OPENING, f"Trains: {groups}.\n"]
    for row in (mechanism.row() for mechanism in catalogue()):
        parts.append(
            f"## {row['id']} {row['name']}\n\n`{row['key']}`\n\n    {row['equation']}\n\n"
            f"{row['shapes']}. Trains {row['trains']}; acts in {row['acts']}; reads {row['reads']}. "
            f"Without it: {row['without']}. Placebo: {row['placebo']}. Source: {row['source']}.\n"
        )
    return "\n".join(parts)
