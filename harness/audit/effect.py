"""In words, where a mechanism that is neutralised is not missed."""

from harness.audit.acting import KNOWN, UNSEEN
from harness.audit.reading import KNOWN_SPLITS


def quiet(asked: frozenset[str], still: tuple[str, ...]) -> dict[str, list[str]]:
    """Place of a prediction that is asked for -> its splits where nothing changes, of which `still` has some."""
    splits = {
        KNOWN: [name for name in still if name in KNOWN_SPLITS],
        UNSEEN: [name for name in still if name not in KNOWN_SPLITS],
    }
    return {place: names for place, names in splits.items() if place in asked and names}


def silent(asked: frozenset[str], still: tuple[str, ...], gap: float) -> str:
    """A sentence on the first of the places asked for where nothing changes: `still` are the splits where no prediction
    does, `gap` the change of a step's gradient. Empty where something changes in all of them."""
    lines = {KNOWN: "trained cell lines", UNSEEN: "unseen cell lines"}
    places = quiet(asked, still)
    idle = "training" in asked and gap == 0.0
    if idle and places and len(places) == len(asked) - 1:
        return "no prediction and no gradient changes when it is neutralised"
    for place, names in places.items():
        return (
            f"it does not act on predictions of {lines[place]}: neutralised, none of split {names[0]} changes"
        )
    return "it does not act in training: neutralised, no gradient of a step changes" if idle else ""
