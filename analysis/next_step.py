"""What a person would do next with a run: the last line of its ranking."""

import shlex
from collections.abc import Iterator

from rich.text import Text

from analysis.arms import arms
from analysis.confirmation.record import confirmation_of, read_record
from analysis.contrasts import contrasts, factors
from analysis.fidelity.record import FILE, SCREEN, FidelityRecord, read_fidelity, unpromoted
from analysis.imports.view import DOCUMENT as IMPORTED
from analysis.output import counted
from analysis.paths import driven, in_doubt, tried
from analysis.ranking import Ranking
from analysis.started_with import going_on
from analysis.store import Run
from analysis.verdict import verdict
from analysis.waterfall import FILE as WALK


def next_view(ranking: Ranking) -> Iterator[Text]:
    """One line: the first that holds of what is unfinished, at fault, to be read, or undecided."""
    yield Text(f"\nnext: {next_step(ranking)}", style="bold")


def next_step(ranking: Ranking) -> str:
    """The sentence; of results that somebody reported, where nothing can be run, the table of a paper."""
    run, rows = ranking.run, ranking.configurations
    if run.document(IMPORTED):
        return f"{_command('table', ranking)}: the paper's table with a methods paragraph"
    inner = confirmation_of(run)
    record = read_record(inner) if inner is not None else None
    if driven(run.path) or (inner is not None and driven(inner.path)):
        come, units = ranking.counts.to_come, counted(ranking.counts.planned, "unit")
        if come:
            return f"the sweep is running, {come} of {units} still to end: wait for it, then look again"
        if record is not None and record.opened is None:
            return "the confirmation is running: wait for its end, which opens its test split"
    if record is not None and record.opened is None:
        if again := going_on(run, "--confirm", "--resume"):
            return f"{again}: ends the confirmation and opens its test split"
        return "start the sweep again with --confirm --resume, which ends the confirmation and opens its test split"
    if unended := ranking.counts.to_come:
        if tried(run.path):
            return (
                f"a trial is running, {counted(unended, 'unit')} still to end: wait for it, then look again"
            )
        have = "has" if unended == 1 else "have"
        if doubt := in_doubt(run.path):
            return f"{counted(unended, 'unit')} {have} not ended: look where it was started, as {doubt}"
        if not run.plan():
            return f"{counted(unended, 'unit')} {have} not ended: start the trial again, which goes on where it was"
        again = going_on(run, "--resume") or "start the sweep again with --resume"
        return f"{counted(unended, 'unit')} {have} not ended: {again}"
    if left := unpromoted(run):
        again = going_on(run, "--resume") or "start the sweep again with --resume"
        best = "the best one" if left == 1 else f"the best {left}"
        return f"{again}: {best} of these {'is' if left == 1 else 'are'} still to be trained in full"
    told = verdict(ranking)
    if told.faults:
        return f"#1 has a fault ({', '.join(told.faults)}): look at it before the number"
    if len(rows) == 1 and not run.plan():
        return "one configuration alone has nothing to be compared with: put it into a sweep (python -m harness.sweep)"
    planned = arms(run)
    if contrasts(planned) or factors(planned.values()) or run.document(WALK):
        return f"{_command('effects', ranking)}: what each arm did"
    if record is not None:
        return "quote the confirmed number, not the one that was chosen by"
    if told.none_above:
        shows = f"{_command('report', ranking)} shows what the data give away"
        return f"no configuration is above baseline {told.best}: {shows}"
    if (screened := read_fidelity(run)) is not None:
        return _after_a_screen(run, screened)
    rivals = int(rows["tie"].isin(["unknown", "better"]).sum())
    if rivals:
        return f"{rivals} of {len(rows) - 1} others cannot be told apart from #1: more seeds (trial.seeds), then --confirm"
    return "start the sweep again with --confirm: does #1 hold on fresh seeds and on loci that chose nothing?"


def _command(name: str, ranking: Ranking) -> str:
    return f"python -m analysis {name} {shlex.quote(str(ranking.run.path))}"


def _after_a_screen(run: Run, record: FidelityRecord) -> str:
    """Of what was chosen on cached features; `--confirm` is for a choice that was made in full."""
    if run.path.name == SCREEN and (run.path.parent / FILE).exists():
        whole = shlex.quote(str(run.path.parent))
        return f"python -m analysis {whole}: the best of these, which are trained in full there"
    if record.promoted:
        return "put what was promoted into a sweep of its own (fidelity: full) and start that with --confirm"
    return "train the best of these in full: fidelity: {screen: N, promote: K}, or a sweep of them with fidelity: full"
