"""What a start of a sweep has to do, given what its run folder already holds."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from analysis.errors import UserError
from harness.config.blocks.design import Staged
from harness.config.blocks.paths import flatten
from harness.config.sweep.sweep import Sweep
from harness.design.plan import FILE, Plan, Unit, diff, merge
from harness.design.trial import Trial
from harness.stamp.stamp import Stamp
from harness.sweep.run.aside import Aside, being_moved, sort_out
from harness.sweep.run.documents import lost_plan, plan_of_run
from harness.sweep.run.statuses import ENDED, Reached
from harness.sweep.run.stored import stored_units
from harness.sweep.run.taken_back import Back, earlier_folders, to_take_back
from harness.sweep.run.verdict import Verdict
from harness.sweep.search.left import unplanned
from harness.sweep.search.stages import results


@dataclass(frozen=True)
class Start:
    """The merged `plan`, the units `pending` per configuration, how many configurations are `new` (still to be
    proposed), whether a finite space has fewer left than were asked for, how many configurations are `complete` and
    units `finished`, what `failed` before, the plan's difference in sentences, what the ended units of pending
    configurations `reached`, the units to be put `aside` because they have other stamps, and those to be taken `back`
    from such a place."""

    plan: Plan
    pending: dict[str, list[Unit]]
    new: int
    exhausted: bool
    complete: int
    finished: int
    failed: list[Unit]
    sentences: list[str]
    reached: Mapping[Trial, Reached] = field(default_factory=dict)
    aside: tuple[Aside, ...] = ()
    back: tuple[Back, ...] = ()

    @property
    def nothing(self) -> bool:
        return not self.pending and self.new == 0


def prepare(
    sweep: Sweep,
    fresh: Plan,
    run: Path,
    *,
    resume: bool,
    gpu: bool,
    reuse: bool = False,
    stamp: Stamp | None = None,
) -> Start:
    """Compare the plan that the sweep asks for with what `run` holds; nothing is written.

    Units of other stamps than this start's `stamp` (that of the sweep on the plan's data when None) count as not there
    and are to be put aside; `reuse` takes those that ended with older code or package versions as they are.
    Configurations of an earlier start count towards the number of a search only while its base and settings still
    give the same content for their changes, and in a grid while it asks for them; the results of the others stay.

    Raises
    ------
    UserError
        for an interrupted run without --resume, --resume without a run, other data, another design.
    """
    lost, old = lost_plan(run), plan_of_run(run, sweep)
    if old is None:
        if resume:
            raise UserError(f"--resume: {run} holds no run to continue; leave --resume out to start one")
        new, wanted = _missing(sweep, fresh, run, gpu)
        return Start(fresh, _group(fresh.units()), new, new < wanted, 0, 0, [], [])
    difference = diff(old, fresh)
    stamp = stamp or Stamp.of(sweep.config, data=fresh.data)
    gone = being_moved(run)
    whole = {unit: row for unit, row in stored_units(run).items() if unit.name not in gone}
    aside, reused = sort_out(run, whole, stamp, reuse=reuse)
    other = {unit for group in aside for unit in group.units}
    present = {unit: row for unit, row in whole.items() if unit not in other}
    plan = replace(merge(old, fresh), reused=tuple(reused))
    design = sweep.config.of_design
    drawn = plan.configs if design.searched else {}
    still = {
        config: planned for config, planned in drawn.items() if _still(sweep, planned.changes, config, gpu)
    }
    kept = design.kept(still, fresh.configs)
    asked = replace(fresh, configs=kept)
    units = asked.units()
    elsewhere = {folder.name: stored_units(folder) for folder in earlier_folders(run)}
    back = to_take_back(run, [unit for unit in units if unit not in present], stamp, elsewhere)
    present |= {unit: elsewhere[group.folder][unit] for group in back for unit in group.units}
    stored = {unit: present[unit] for unit in units if unit in present}
    statuses = {unit: row.status for unit, row in stored.items()}
    failed = [unit for unit in units if statuses.get(unit) == "failed"]
    pruned = {unit.config_id for unit, status in statuses.items() if status == "pruned"}
    pending = [
        unit
        for unit in units
        if statuses.get(unit) not in ENDED
        and (resume or unit not in failed)
        and not (unit.config_id in pruned and unit not in statuses)
    ]
    if old.status != "finished" and not resume:
        done = sum(status in ENDED for status in statuses.values())
        raise _interrupted(run, f", whose {FILE} {lost}" if lost else "", done, old)
    sentences = [f"{FILE} {lost}: made again from the store"] if lost else []
    sentences += [s for s in difference.sentences if "to propose" not in s]
    sentences += [group.sentence(len((set(group.units) & set(units)) - present.keys())) for group in aside]
    sentences += [group.sentence for group in back]
    if gone:
        sentences.append(
            f"an earlier start had begun to put {len(gone)} units aside, which is completed first"
        )
    if reused:
        sentences.append(
            f"{sum(reused.values())} finished units are of older code or package versions and are taken as they are "
            "(--reuse-older-code)"
        )
    elif reuse:
        sentences.append("--reuse-older-code has nothing to do: no finished unit is of older code")
    rest = len(present.keys() & set(plan.whole().units()) - set(plan.units()))
    if rest:
        sentences.append(
            f"{rest} stored unit{'s' if rest > 1 else ''} of what is no longer asked for: kept, not run, left out of the "
            "ranking"
        )
    unlike = len(plan.asked) - len(kept)
    if unlike:
        sentences.append(
            f"{unlike} configuration{'s were' if unlike > 1 else ' was'} made with other settings: "
            "the results stay, and do not count here"
        )
    new, wanted = _missing(sweep, asked, run, gpu)
    if design.searched:
        plan = replace(plan, trials=max(plan.trials, len(kept)))
    if new:
        sentences.append(f"{new} more configuration{'s' if new > 1 else ''} to propose")
    finished = sum(statuses.get(unit) in ENDED for unit in units)
    groups = _group(pending)
    reached: dict[Trial, dict[str, tuple[str, float | None]]] = {}
    for unit, row in stored.items():
        if unit.config_id in groups and row.status in ENDED:
            # What was reached of another objective says nothing of this one.
            value = row.value if row.objective == fresh.objective else None
            reached.setdefault(unit.trial, {})[unit.name] = (row.status, value)
    complete = len(kept) - len(groups)
    return Start(
        plan,
        groups,
        new,
        new < wanted,
        complete,
        finished,
        failed,
        sentences,
        reached,
        tuple(aside),
        tuple(back),
    )


def refuse_interrupted(run: Path) -> None:
    """UserError for an interrupted run, as a start without --resume has it; a lost plan is for that start to tell."""
    plan = Plan.load(run) if lost_plan(run) is None else None
    if plan is not None and plan.status != "finished":
        stored = stored_units(run)
        done = sum(unit in stored and stored[unit].status in ENDED for unit in plan.units())
        raise _interrupted(run, "", done, plan)


def _interrupted(run: Path, whose: str, done: int, plan: Plan) -> UserError:
    """Units are counted with those of configurations that a search has yet to propose, as every view of a run has it."""
    unproposed = max(plan.trials - len(plan.asked), 0)
    units = len(plan.units()) + unproposed * len(plan.folds) * len(plan.seeds)
    return UserError(
        f"{run} holds an interrupted run{whose} ({done} of {units} units finished); add --resume to continue it, or --out "
        "for another folder"
    )


def forget(run: Path, units: Iterable[Unit]) -> None:
    """Drop what was decided about the configurations of failed units, which go on after their last finished epoch."""
    for unit in units:
        Verdict.drop(run, unit.config_id)


def _still(sweep: Sweep, changes: Mapping[str, object], config: str, gpu: bool) -> bool:
    """Whether the sweep would still give `changes` the content that `config` is the hash of."""
    pinned = flatten(sweep.config.set)
    if any(path in changes and changes[path] != value for path, value in pinned.items()):
        return False
    try:
        return sweep.resolved(changes, gpu=gpu).id == config
    except ValueError:
        return False


def _missing(sweep: Sweep, plan: Plan, run: Path, gpu: bool) -> tuple[int, int]:
    """Configurations that a search can still propose, and how many were asked for: a finite space may have fewer."""
    design = sweep.config.of_design
    wanted = design.missing(plan.trials, plan.configs)
    if isinstance(design, Staged):
        ended = not design.next_arms(sweep.basis, results(sweep, plan, run, gpu=gpu))
        return (0, 0) if ended else (max(1, wanted), max(1, wanted))
    left = unplanned(sweep, plan.configs, gpu=gpu)
    return wanted if left is None else sum(1 for _ in islice(left, wanted)), wanted


def _group(units: Iterable[Unit]) -> dict[str, list[Unit]]:
    grouped: dict[str, list[Unit]] = {}
    for unit in units:
        grouped.setdefault(unit.config_id, []).append(unit)
    return grouped
