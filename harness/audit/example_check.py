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
from harness.audit.examples import FILE, asked_for, examples, recorded
from harness.audit.finding import MechanismFinding
from harness.config.blocks.trial import ConfigurationBlock
from harness.mechanisms.catalogue import configured
from harness.stamp.code import Code

COMMAND = "python -m harness.audit record"


def strange_examples(config: ConfigurationBlock, *, anew: bool = False) -> list[MechanismFinding]:
    """A finding on the first example of a configuration that computes something else than was recorded; none where all
    compute the same. What did so once with this code and these libraries is not computed again on this machine, unless
    `anew`. Raises whatever an example raises."""
    names = asked_for(configured(config.model_dump()))
    sound = set() if anew else _known()
    left = [name for name in names if name not in sound]
    if not left:
        return []
    text = next(_differences(left), "")
    if not text:
        if not anew:
            _remember(sound.union(left))
        return []
    said = f"{text}: what runs here is not what was tested; where the change is meant, {COMMAND}"
    return [MechanismFinding("-", "examples", "broken", said, "example")]


def _differences(names: Iterable[str]) -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="prism-examples-") as folder:
        place = ExamplePlace(Path(folder))
        for name in names:
            if text := difference(place.computed(examples()[name][0]), recorded()[name]):
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
        return set(json.loads(file.read_text(encoding="utf-8"))) if mine else set()
    except (OSError, ValueError):
        return set()


def _remember(names: Iterable[str]) -> None:
    """Written at once, so that who reads it beside sees all of it or the file before; where nothing can be written, it is
    asked again the next time."""
    file = _file()
    partial = file.with_name(f"{file.name}.{os.getpid()}")
    with contextlib.suppress(OSError):
        file.parent.mkdir(mode=0o700, exist_ok=True)
        partial.write_text(json.dumps(sorted(names)), encoding="utf-8")
        partial.replace(file)
