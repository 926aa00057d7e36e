"""In words, where a mechanism that is neutralised is not missed."""

from harness.audit.acting import KNOWN, UNSEEN
from harness.audit.reading import KNOWN_SPLITS


def silent(asked: frozenset[str], still: tuple[str, ...], gap: float) -> str:
    """A sentence on the first of the places asked for where nothing changes: `still` are the splits where no prediction
    does, `gap` the change of a step's gradient. Empty where something changes in all of them."""
    places = {
        KNOWN: [name for name in still if name in KNOWN_SPLITS],
        UNSEEN: [name for name in still if name not in KNOWN_SPLITS],
    }
    lines = {KNOWN: "trained", UNSEEN: "unseen"}
    quiet = [place for place in (KNOWN, UNSEEN) if place in asked and places[place]]
    idle = "training" in asked and gap == 0.0
    if idle and quiet and len(quiet) == len(asked) - 1:
        return "no prediction and no gradient changes when it is neutralised"
    if quiet:
        first = quiet[0]
        return (
            f"it does not act on predictions of {lines[first]} cell lines: neutralised, none of split {places[first][0]} "
            "changes"
        )
    return "it does not act in training: neutralised, no gradient of a step changes" if idle else ""
