"""Python's search for garbage, set for a process that builds and drops trainers all the time."""

import gc

YOUNG = 20_000
"""New objects after which the young ones are searched. A trainer is some thousand objects and goes when nothing refers to
it, without a search: with Python's own 700 the audit of a small trial searched a thousand times and found nothing."""


def settle() -> None:
    """Take what is loaded by now out of the search, and search seldom from now on."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, *gc.get_threshold()[1:])
