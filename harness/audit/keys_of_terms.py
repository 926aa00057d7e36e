"""Are the keys of loss terms read? Of every term one key is changed at once, and each term answers for its own."""

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

from harness.audit.fingerprint import OF_TERMS, Fingerprint, is_weight
from harness.audit.settings import changed


def read_by_terms(base: Fingerprint, values: Mapping[str, Sequence[Any]]) -> set[str]:
    """The paths whose term makes something else of the step of `base` with the first of the `values`, among those that are
    a key of a loss term's own block and no weight.

    Each twin differs in one key of every term; no term reads the block of another. What it leaves open, as where it cannot
    be built, says nothing of a key. The loss of the task is read by others, and is asked about alone.
    """
    terms: dict[str, list[str]] = {term: [] for term in base.terms()}
    for path, tries in values.items():
        block, term, *rest = path.split(".")
        if rest and f"{block}.".startswith(OF_TERMS) and not is_weight(path) and term in terms and tries:
            terms[term].append(path)
    read: set[str] = set()
    for paths in zip_longest(*terms.values()):
        asked = {path.split(".")[1]: path for path in paths if path is not None}
        changes = {path: values[path][0] for path in asked.values()}
        twin = Fingerprint(base.probe, changed(base.config, changes), base.depth)
        if not twin.error:
            try:
                read |= {asked[term] for term in base.terms_apart(twin, asked)}
            except (ValueError, TypeError, LookupError, RuntimeError):
                continue  # each is asked alone
    return read
