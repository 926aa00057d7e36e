"""The plan of a run: content-hashed configurations x folds x seeds, kept as JSON in the run's folder."""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

from analysis.errors import UserError
from analysis.schema import ADDED
from harness.config.blocks.design import Arm, designs
from harness.config.blocks.explain import ConfigError, validate_stored
from harness.config.blocks.paths import flatten
from harness.config.blocks.trial import ConfigurationBlock
from harness.config.sweep.sweep import Sweep
from harness.data.folds import Fold
from harness.design.trial import Trial
from harness.stamp.code import unused
from harness.store.writer import replace_atomically

FILE = "plan.json"
VERSION = 2
Status = Literal["planned", "running", "interrupted", "finished"]
STATUSES: tuple[Status, ...] = ("planned", "running", "interrupted", "finished")


class Unit(NamedTuple):
    """One unit: a configuration on a fold with a seed."""

    config_id: str
    fold: str
    """Identity of the fold's content (`Fold.id`)."""
    seed: int

    @property
    def name(self) -> str:
        """Stem of the unit's files in the store."""
        return self.trial.unit(self.seed)

    @property
    def trial(self) -> Trial:
        """The trial that it is part of."""
        return Trial(self.config_id, self.fold)


def by_trial(units: Iterable[Unit]) -> dict[Trial, list[Unit]]:
    """Trial -> its units, both in the order in which they come."""
    grouped: dict[Trial, list[Unit]] = {}
    for unit in units:
        grouped.setdefault(unit.trial, []).append(unit)
    return grouped


@dataclass(frozen=True, slots=True)
class Planned:
    """One configuration of a plan: `changes` (dotted path -> value) around the base, the resolved `config`, and what its
    design says of it (`harness.config.blocks.design.Arm`): `arm` is what a person calls it, `family` the comparisons that
    it belongs to, `mechanism` what it is about, `along` what goes or comes with that, `levels` those of a factorial's
    factors, `note` what stands in a mechanism's place and whether its capacity is held."""

    changes: Mapping[str, Any]
    config: ConfigurationBlock
    arm: str = ""
    family: str = ""
    mechanism: str = ""
    along: tuple[str, ...] = ()
    levels: Mapping[str, int] = field(default_factory=dict)
    note: str = ""

    @classmethod
    def of(cls, arm: Arm, config: ConfigurationBlock) -> "Planned":
        """An arm of a design with its resolved configuration."""
        said = (arm.name, arm.family, arm.mechanism, arm.along, dict(arm.levels), arm.note)
        return cls(dict(arm.changes), config, *said)

    @classmethod
    def stored(cls, entry: Mapping[str, Any]) -> "Planned":
        """From an entry of plan.json, maybe of before designs had arms."""
        config = validate_stored(ConfigurationBlock, entry["config"])
        words = {name: entry.get(name, "") for name in ("arm", "family", "mechanism", "note")}
        along, levels = tuple(entry.get("along", ())), entry.get("levels", {})
        return cls(entry["changes"], config, along=along, levels=levels, **words)

    def content(self) -> dict[str, Any]:
        """What plan.json keeps of it beside its identity."""
        said = {
            "arm": self.arm,
            "family": self.family,
            "mechanism": self.mechanism,
            "along": list(self.along),
            "levels": dict(self.levels),
            "note": self.note,
        }
        return {
            "changes": dict(self.changes),
            **{key: value for key, value in said.items() if value},
            "config": self.config.canonical(),
        }


@dataclass(frozen=True)
class Plan:
    """What a run consists of. Its units are every configuration on every fold with every seed.

    A grid's configurations are all known from the start; a search's are added as they are proposed, up to `trials`.
    Identical configurations are one: their id is the hash of their content.
    """

    name: str
    design: str
    objective: str
    data: str
    """Content hash of the dataset."""
    trials: int
    """Configurations that the run is to have (with repeats of identical ones left out, it may end with fewer)."""
    folds: tuple[str, ...]
    """Identities of the folds that are asked for."""
    seeds: tuple[int, ...]
    """Seeds that are asked for."""
    configs: Mapping[str, Planned] = field(default_factory=dict)
    """Configuration id -> configuration, in the order in which they were planned."""
    status: Status = "planned"
    """`running` means nothing by itself: a driver that was killed leaves it behind (`harness.sweep.run.lock`)."""
    known: Mapping[str, Fold] = field(default_factory=dict)
    """Identity -> fold, of all that the run has units of, those that are no longer asked for included."""
    other_configs: tuple[str, ...] = ()
    """Of `configs`, those that a grid no longer asks for: what they have stays in the store, and counts nowhere."""
    other_seeds: tuple[int, ...] = ()
    """Seeds of earlier starts that are no longer asked for."""
    reused: tuple[str, ...] = ()
    """Other stamps whose units the latest start took as they are, because it was asked to."""

    @classmethod
    def of(cls, sweep: Sweep, *, folds: Sequence[Fold], data: str, gpu: bool = False) -> "Plan":
        """The plan of a sweep on the dataset with content hash `data`; `gpu` decides model.size: auto."""
        plan = cls(
            name=sweep.config.name,
            design=sweep.config.design.kind,
            objective=sweep.config.objective,
            data=data,
            trials=sweep.trials,
            folds=tuple(dict.fromkeys(fold.id for fold in folds)),
            seeds=tuple(sweep.config.seeds),
            known={fold.id: fold for fold in folds},
        )
        for arm in sweep.arms():
            plan = plan.with_arm(sweep.resolved(arm.changes, gpu=gpu), arm)
        return plan

    def add(self, config: ConfigurationBlock, changes: Mapping[str, Any]) -> "Plan":
        """This plan with one more configuration (resolved), of which its changes say all; the same plan when it is there
        already."""
        return self.with_arm(config, Arm(dict(changes)))

    def with_arm(self, config: ConfigurationBlock, arm: Arm) -> "Plan":
        """This plan with an arm of a design (resolved); the same plan when its configuration is there already."""
        if (identity := config.id) in self.configs:
            return self
        return replace(self, configs={**self.configs, identity: Planned.of(arm, config)})

    def units(self) -> list[Unit]:
        """Every unit that is asked for, configuration by configuration."""
        return [unit for config in self.asked for unit in self.units_of(config)]

    @property
    def asked(self) -> list[str]:
        """Identities of the configurations that are asked for."""
        other = frozenset(self.other_configs)
        return [config for config in self.configs if config not in other]

    def whole(self) -> "Plan":
        """This plan with all that the run may have units of, whether it is asked for now or was earlier."""
        seeds = (*self.seeds, *self.other_seeds)
        return replace(self, folds=tuple(self.known), seeds=seeds, other_configs=(), other_seeds=())

    def units_of(self, config: str) -> list[Unit]:
        """The units of one configuration."""
        return [Unit(config, fold, seed) for fold in self.folds for seed in self.seeds]

    def append(self, run: Path, config: str) -> None:
        """Add one configuration of this plan to the saved one, in a line of its own: as quick with thousands as with
        none. It is on disk when this returns; half a line of a process that was killed before counts for nothing.
        """
        with (run / ADDED).open("ab") as stream:
            stream.write(json.dumps(self._entry(config)).encode() + b"\n")
            stream.flush()
            os.fsync(stream.fileno())

    def label(self, fold: str) -> str:
        """What a person calls a fold, with its cell lines and chromosomes."""
        return self.known[fold].label if fold in self.known else fold

    def _entry(self, config: str) -> dict[str, Any]:
        return {"id": config, **self.configs[config].content()}

    def save(self, run: Path) -> Path:
        """Write RUN/plan.json: complete or not at all, whenever the process is killed.

        What was appended to the file before is part of this plan, and its lines are removed afterwards.
        """
        content = {
            "version": VERSION,
            "name": self.name,
            "status": self.status,
            "design": self.design,
            "objective": self.objective,
            "data": self.data,
            "trials": self.trials,
            "folds": {fold: self.known[fold].content() for fold in self.folds},
            "other_folds": {id: fold.content() for id, fold in self.known.items() if id not in self.folds},
            "reused": list(self.reused),
            "seeds": list(self.seeds),
            "other_seeds": list(self.other_seeds),
            "other_configs": list(self.other_configs),
            "configs": [self._entry(config) for config in self.configs],
        }
        target = run / FILE
        replace_atomically(target, (json.dumps(content, indent=1) + "\n").encode())
        (run / ADDED).unlink(missing_ok=True)
        return target

    @classmethod
    def load(cls, run: Path) -> "Plan | None":
        """The plan of RUN, or None when the folder has none.

        Raises
        ------
        UserError
            when the file is no plan of this version, or holds a configuration whose content no longer has its id.
        """
        file = run / FILE
        if not file.exists():
            return None
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
            version = content["version"]
            if version == 1:
                raise UserError(
                    f"{file}: the plan has version 1, which knows its folds by name only, so that nobody can tell "
                    "what its units were trained on; rank it with the program that made it, or give another --out"
                )
            if version != VERSION:
                raise UserError(
                    f"{file}: the plan has version {version}, this program reads version {VERSION}"
                )
            if content["status"] not in STATUSES:
                raise UserError(f"{file}: status '{content['status']}' is not one of {', '.join(STATUSES)}")
            stored = {e["id"]: e for e in [*content["configs"], *_added(run)]}
            configs = {key: Planned.stored(entry) for key, entry in stored.items()}
            known = {
                key: Fold.stored(fold) for key, fold in {**content["folds"], **content["other_folds"]}.items()
            }
            plan = cls(
                name=content["name"],
                design=content["design"],
                objective=content["objective"],
                data=content["data"],
                trials=content["trials"],
                folds=tuple(content["folds"]),
                seeds=tuple(content["seeds"]),
                configs=configs,
                status=content["status"],
                known=known,
                reused=tuple(content["reused"]),
                other_configs=tuple(content.get("other_configs", ())),
                other_seeds=tuple(content.get("other_seeds", ())),
            )
        except OSError as error:
            raise UserError(f"{file}: the plan of the run cannot be read ({error.strerror})") from None
        except (ValueError, KeyError, TypeError, AttributeError, ConfigError) as error:
            lacking = ", ".join(unused(run))
            if lacking:
                raise UserError(
                    f"{file}: a configuration of the run cannot be read ({error}); the run was started with {lacking}, "
                    f"which `use` of this sweep does not name (copies are in {run / 'use'})"
                ) from None
            raise UserError(f"{file}: this is not the plan of a run ({error})") from None
        for key, planned in configs.items():
            if planned.config.id != key:
                raise UserError(f"{file}: {_unlike(key, planned.config, stored[key]['config'])}")
        for key, fold in known.items():
            if fold.id != key:
                raise UserError(f"{file}: fold {key} has the content of {fold.id}; the file was edited")
        return plan


def _unlike(key: str, config: ConfigurationBlock, stored: Mapping[str, Any]) -> str:
    """Why what is stored of a configuration does not have its identity."""
    new = [path for path in flatten(config.identity()) if path not in flatten(stored)]
    if new:
        return (
            f"configuration {key} was stored before {', '.join(new)} existed, and nothing says what the program did "
            "then; mark each in harness/config with Before(VALUE), the value at which it does the same (see "
            "CONTRIBUTING.md), or give another --out"
        )
    return (
        f"configuration {key} has the content of {config.id}; "
        "the file was edited, or written by another version of the configuration"
    )


def _added(run: Path) -> list[dict[str, Any]]:
    """Configurations appended since the plan was saved; the last line only if it is a whole one."""
    file = run / ADDED
    lines = file.read_bytes().split(b"\n")[:-1] if file.exists() else []
    return [json.loads(line) for line in lines]


@dataclass(frozen=True)
class Difference:
    """What a new plan asks beyond an old one, and what of the old one it no longer asks (its results stay)."""

    added: list[Unit]
    """Units of the new plan that the old one has not."""
    shared: list[Unit]
    """Units of both: their results are reused."""
    dropped: list[Unit]
    """Units of the old plan alone."""
    more_trials: int
    """Configurations that a search is still to propose."""
    sentences: list[str]
    """The difference for a person; empty when the plans ask for the same."""


def diff(old: Plan, new: Plan) -> Difference:
    """Compare the plan of a run with the plan of a later start.

    A search's new plan knows no configurations yet: it keeps the old ones, and `more_trials` counts the rest.

    Raises
    ------
    UserError
        when the two are on different data, or of different designs, whose results cannot stand in one run.
    """
    if old.data != new.data:
        raise UserError(
            f"run '{old.name}' was made on data {old.data[:12]} and this start is on data {new.data[:12]}; "
            "give another --out, since results on different data are not comparable"
        )
    if old.design != new.design:
        raise UserError(
            f"run '{old.name}' has design {old.design} and this start has design {new.design}; give another --out"
        )
    design = designs()[new.design]
    configs = design.kept(old.configs, new.configs)
    now, before = replace(new, configs=configs).units(), old.units()
    known, wanted = set(before), set(now)
    more = design.missing(new.trials, configs)
    sentences = []
    for word, plural, had, has in (
        ("configuration", "configurations", old.asked, list(configs)),
        ("fold", "folds", list(old.folds), list(new.folds)),
        ("seed", "seeds", [str(s) for s in old.seeds], [str(s) for s in new.seeds]),
    ):
        for verb, these, those in (("new", has, had), ("no longer asked for", had, has)):
            names = [name for name in these if name not in those]
            if word == "fold":
                names = [new.label(name) if name in new.known else old.label(name) for name in names]
            if names:
                sentences.append(
                    f"{len(names)} {word if len(names) == 1 else plural} {verb}: {', '.join(names)}"
                )
    if more:
        sentences.append(f"{more} more configuration{'s' if more > 1 else ''} to propose")
    if old.objective != new.objective:
        sentences.append(f"the objective is {new.objective} instead of {old.objective}")
    return Difference(
        added=[unit for unit in now if unit not in known],
        shared=[unit for unit in now if unit in known],
        dropped=[unit for unit in before if unit not in wanted],
        more_trials=more,
        sentences=sentences,
    )


def merge(old: Plan, new: Plan) -> Plan:
    """The plan that a run has after `new` was started on it: every configuration of both. Folds, seeds and the
    configurations of a grid are asked for as `new` does: means and rankings are over those, and units of others stay
    for later.

    Raises
    ------
    UserError
        as `diff`.
    """
    diff(old, new)
    kept = designs()[new.design].kept(old.configs, new.configs)
    return replace(
        new,
        configs={**old.configs, **new.configs},
        known={**old.known, **new.known},
        other_configs=tuple(c for c in old.configs if c not in kept),
        other_seeds=tuple(seed for seed in (*old.seeds, *old.other_seeds) if seed not in new.seeds),
    )
