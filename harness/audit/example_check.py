"""Whether what runs in this process computes what was recorded: asked of the examples that a configuration needs."""

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch

from harness.audit.example import ExamplePlace
from harness.audit.example_digest import difference
from harness.audit.examples import FILE, RecordDamaged, asked_for, of_name, recorded, without_example
from harness.audit.finding import MechanismFinding
from harness.config.blocks.trial import ConfigurationBlock
from harness.mechanisms.catalogue import configured
from harness.stamp.code import Code

COMMAND = "python -m harness.audit record"


def strange_examples(config: ConfigurationBlock, *, anew: bool = False) -> list[MechanismFinding]:
    """A finding on the first example of a configuration that computes something else than was recorded, on a record that is
    damaged, and on mechanisms that no example has; none where all compute the same. What did so once with this code and
    these libraries is not computed again on this machine, unless `anew`. Raises whatever an example raises."""
    rows = configured(config.model_dump())
    try:
        recorded()
    except RecordDamaged as error:
        return [_finding("broken", f"{error}; {COMMAND} makes it anew")]
    missing = without_example(rows)
    names = asked_for(rows)
    sound = set() if anew else _known()
    left = [name for name in names if name not in sound]
    text = next(_differences(left), "") if left else ""
    if text:
        said = f"{text}: what runs here is not what was tested; where the change is meant, {COMMAND}"
        return [_finding("broken", said)]
    if left and not anew:
        _remember(sound.union(left))
    if missing:
        return [_finding("idle", f"no recorded example has {' and '.join(missing)}; {COMMAND} makes one")]
    return []


def _finding(verdict: str, text: str) -> MechanismFinding:
    return MechanismFinding("-", "examples", verdict, text, "example")


def _differences(names: Iterable[str]) -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="prism-examples-") as folder:
        place = ExamplePlace(Path(folder))
        for name in names:
            example = of_name(name)
            if text := difference(place.computed(example), recorded()[name].values, whole=example.whole):
                yield f"in the example of {name}, {text}"


def _file() -> Path:
    """Where it is kept which examples are sound with the present code, libraries and record."""
    record = hashlib.sha256(FILE.read_bytes()).hexdigest()[:8]
    versions = f"{torch.__version__}-{np.__version__}-{record}".replace("+", "-")
    user = Path(tempfile.gettempdir()) / f"prism-{os.getuid()}"
    return user / f"examples-{Code.today().hash}-{versions}.json"


def _known() -> set[str]:
    file = _file()
    try:
        mine = file.stat().st_uid == os.getuid()
        names = json.loads(file.read_text(encoding="utf-8")) if mine else []
    except (OSError, ValueError):
        return set()
    return set(names) if isinstance(names, list) and all(isinstance(name, str) for name in names) else set()


def _remember(names: Iterable[str]) -> None:
    """Written at once, so that who reads it beside sees all of it or the file before; where nothing can be written, it is
    asked again the next time."""
    file = _file()
    partial = file.with_name(f"{file.name}.{os.getpid()}")
    with contextlib.suppress(OSError):
        file.parent.mkdir(mode=0o700, exist_ok=True)
        partial.write_text(json.dumps(sorted(names)), encoding="utf-8")
        partial.replace(file)
