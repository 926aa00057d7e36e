"""Which run a folder holds, however the folder is called and wherever it was copied to."""

import hashlib
import json
from typing import Any

from analysis.schema import KEYS
from analysis.store import Run

FILE = "run.json"
"""What the first start of a sweep writes: the run's `id`, drawn at random."""


def identity(run: Run) -> str:
    """The `id` of RUN/run.json; of a run without one the hash of its first start, as provenance.json has it, or of its
    first unit, and of its data. Empty of a run in which nothing has begun."""
    known = run.document(FILE).get("id")
    if known:
        return str(known)
    newest = run.document("provenance.json")
    starts = [*(newest.get("earlier") or []), newest]
    first: dict[str, Any] = (
        {key: starts[0].get(key) for key in ("started", "command", "folder")} if newest else {}
    )
    if not newest:
        units = run.table("units")[["started", *KEYS]].dropna().sort_values(["started", *KEYS])
        first = {str(key): str(value) for key, value in units.iloc[0].items()} if len(units) else {}
    text = json.dumps([first, run.plan().get("data")], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16] if first else ""
