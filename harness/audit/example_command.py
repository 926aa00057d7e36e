"""`python -m harness.audit record`: what the examples compute, recorded anew."""

from argparse import Namespace
from collections.abc import Mapping

import torch
from rich.console import Console
from rich.progress import track

from harness.audit.example_digest import difference
from harness.audit.examples import (
    FILE,
    ExampleRecord,
    RecordDamaged,
    computed,
    examples,
    of_name,
    recorded,
    varied,
    written,
)

RECORD = """Record what the examples compute: tiny trials, one per preset, one per mechanism that no preset has, and one
that is trained to its end. Before its first step every trial is held against those that have its mechanisms (check
`example`), so that what runs is what was tested. Whoever means to change an equation changes its tests, and then runs
this; the numbers that changed are the difference of harness/audit/examples.json. What changes by less than 1e-6
of a value's norm (5e-4 in the whole trial, which is computed in float32) is rounding, and stays as it was recorded."""


def record_examples(arguments: Namespace, console: Console) -> int:
    """Write what changed, or only say so where `arguments.check`; 1 if that is something."""
    torch.set_num_threads(1)
    made: dict[str, ExampleRecord] = {}
    named_examples = [*examples(every=True), *varied(every=True)]
    named = track(computed(named_examples), "examples", len(named_examples), console=console, transient=True)
    for name, one in named:
        made[name] = one
    before = _before(console)
    changes = {name: _change(name, one, before.get(name)) for name, one in made.items()}
    changes |= {name: "it is not there any more" for name in before if name not in made}
    changed = {name: text for name, text in changes.items() if text}
    for name, text in changed.items():
        console.print(f"{name}: {text}", markup=False, soft_wrap=True)
    if arguments.check:
        console.print(
            f"{len(made)} examples, {len(changed)} of them other ones than were recorded", highlight=False
        )
        return 1 if changed else 0
    if changed:
        kept = {name: one if name in changed else before[name] for name, one in made.items()}
        FILE.write_text(written(kept), encoding="utf-8")
    console.print(
        f"{len(made)} examples, {len(changed)} recorded anew in {FILE}", highlight=False, soft_wrap=True
    )
    return 0


def _change(name: str, made: ExampleRecord, before: ExampleRecord | None) -> str:
    if before is None:
        return "it is new"
    if made.configuration != before.configuration:
        return "its configuration is another one"
    return difference(made.values, before.values, whole=of_name(name, every=True).whole)


def _before(console: Console) -> Mapping[str, ExampleRecord]:
    """What is recorded; nothing, and why, where the record is damaged."""
    try:
        return recorded()
    except RecordDamaged as error:
        console.print(f"{error}: all examples are new", style="yellow", markup=False, soft_wrap=True)
        return {}
