"""What the audit sees of a person's own patch: a sound trial, and the same trial patched, with and without the audit."""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from analysis.errors import UserError
from harness.audit.outcome import RehearsalOutcome, rehearse
from harness.audit.patch import Patch
from harness.audit.rehearsal import Rehearsal

Word = Literal["caught", "missed", "refused", "unchanged", "not applied"]
WORDS: dict[Word, str] = {
    "caught": "the audit ended the unit",
    "missed": "the unit ended and the audit let it pass",
    "refused": "the trial ended by itself, without the audit: not counted",
    "unchanged": "the patch changes nothing: not counted",
    "not applied": "the patch does not fit this harness any more",
}


@dataclass(frozen=True)
class PatchVerdict:
    """What became of one patch: a word of WORDS, a sentence, the parts of the results that it `changes`, and the warnings'
    rules that hold with it and not without, those of severity fault apart."""

    patch: Patch
    word: Word
    sentence: str
    changes: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    fault_rules: tuple[str, ...] = ()


def verdicts(patches: Sequence[Patch], rehearsal: Rehearsal, preset: str | None) -> Iterator[PatchVerdict]:
    """One verdict per patch, in their order. A patch runs on `preset`; where that is None on its own, and where it names
    none on that of the rehearsal.

    Raises
    ------
    UserError
        for a configuration that is impossible, and for a sound trial that does not end `done`.
    """
    sound: dict[str, RehearsalOutcome] = {}
    for number, patch in enumerate(patches):
        folder = rehearsal.folder / str(number)
        name = preset or patch.preset or rehearsal.preset
        trial = replace(rehearsal, preset=name, changes={**rehearsal.changes, **patch.changes})
        try:
            key = trial.configuration().id
        except UserError as error:
            raise UserError(f"{patch.file}: {error}") from None
        if key not in sound:
            sound[key] = _sound(replace(trial, folder=rehearsal.folder / f"sound-{key}"))
        patched = replace(trial, folder=folder)
        plain = _apart(patched, patch, audited=False)
        yield judged(patch, sound[key], plain, partial(_apart, patched, patch, audited=True))


def judged(
    patch: Patch, sound: RehearsalOutcome, plain: RehearsalOutcome, audited: Callable[[], RehearsalOutcome]
) -> PatchVerdict:
    """The verdict on a patch from three trials: sound, patched without the audit (`plain`), and patched with it, which is
    asked for only where the patch changes something.

    Only an end that the unit does not come to by itself is the audit's doing.
    """
    if plain.moved:
        return PatchVerdict(patch, "not applied", f"NOT APPLIED: {plain.error}")
    changes = differences(sound, plain)
    if not changes:
        text = "nothing changed: weights, logits and rows are the same as without it: not counted"
        return PatchVerdict(patch, "unchanged", text)
    raised = [rule for rule in plain.rules if rule not in sound.rules]
    word, sentence = _ended(plain, audited())
    return PatchVerdict(
        patch,
        word,
        sentence,
        changes,
        tuple(rule for rule in raised if plain.rules[rule] != "fault"),
        tuple(rule for rule in raised if plain.rules[rule] == "fault"),
    )


def differences(sound: RehearsalOutcome, other: RehearsalOutcome) -> tuple[str, ...]:
    """Parts of the results that are not bit-equal; the end itself where a trial did not come to it."""
    ends = () if (other.status, other.error) == (sound.status, "") else ("its end",)
    names = dict.fromkeys((*sound.traces, *other.traces))
    return ends + tuple(name for name in names if sound.traces.get(name) != other.traces.get(name))


def _ended(plain: RehearsalOutcome, audited: RehearsalOutcome) -> tuple[Word, str]:
    """The word and sentence of a patch that changes something."""
    how = (audited.status, audited.reason)
    if audited.status in ("stopped", "diverged") and how != (plain.status, plain.reason):
        return "caught", f"caught {_moment(audited, plain)}: {audited.reason}"
    if plain.error:
        return "refused", f"not counted: the trial ends by itself: {plain.error}"
    if audited.error:
        return "missed", f"MISSED: the audit itself fails: {audited.error}"
    if plain.status != "done":
        return "refused", f"not counted: the unit ends as {plain.status} by itself: {plain.reason}"
    said = "; ".join(f"{moment}: {line}" for moment, line in audited.audit.items())
    if audited.faults:
        return "missed", f"MISSED: it ended done although the audit said: {audited.faults[0]} ({said})"
    return "missed", f"MISSED: it ended done ({said})"


def _moment(audited: RehearsalOutcome, plain: RehearsalOutcome) -> str:
    if audited.steps == 0:
        return "before its first step"
    if audited.epochs == 0:
        return "in its first epoch"
    return f"in epoch {audited.epochs + 1}" if audited.epochs < plain.epochs else "at the end"


def _sound(trial: Rehearsal) -> RehearsalOutcome:
    """The trial without a patch; UserError where the audit, or anything else, ends it."""
    audited = _apart(trial, None, audited=True)
    if audited.status != "done":
        raise UserError(
            f"preset {trial.preset} unpatched ends as {audited.status} ({audited.reason}): no patch can be judged on it"
        )
    return _apart(trial, None, audited=False)


def _apart(trial: Rehearsal, patch: Patch | None, *, audited: bool) -> RehearsalOutcome:
    """`rehearse` in a process of its own, in which the project's modules are loaded and nothing was run."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([rehearse.__module__])
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        try:
            return pool.submit(rehearse, trial, patch, audited=audited).result()
        except BrokenProcessPool:
            return RehearsalOutcome("failed", error="its process ended without a word")
