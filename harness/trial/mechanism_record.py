"""What each configured mechanism with parameters, a state or a schedule did in an epoch: rows of the table `mechanisms`."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from harness.trial.step.balance import BALANCES
from harness.trial.step.movement import movements
from harness.trial.step.trainer import StepLog, Trainer
from models.energy.base import ENERGIES
from models.energy.temperature import TEMPERATURES
from models.environment.memory import NOW, part
from models.environment.teacher import TEACHERS
from models.losses import LOSSES
from models.losses.term import LossTerm, value_at
from models.mechanism_parameters import Owner, of_choice, of_declared, owners

Row = dict[str, Any]
State = Mapping[str, Tensor]
CERTAIN = 14.0
"""Hidden names that are expected so far, from which on none is no chance: e^-14 is about one in a million."""


class MechanismRecord:
    """Looks at a trainer after each epoch. Built before the trainer resumes, since it keeps the initial parameters and
    states; changes nothing."""

    def __init__(self, trainer: Trainer) -> None:
        self._trainer, self._settings = trainer, trainer.config.model_dump()
        self._terms = {term.key: of_term(term) for term, _ in trainer.weighted}
        self._groups = {
            name: group for group, members in trainer.model.groups().items() for name in members
        } | dict.fromkeys((name for name in trainer.named_parameters() if name.startswith("terms.")), "A")
        of_model = owners(trainer.model, self._groups_of("", "terms."), self._settings)
        of_terms = owners(trainer.terms, self._groups_of("terms."), self._settings)
        self._owner = {
            **of_model,
            **{name: self._terms[_term(name)] for name in self._groups if name.startswith("terms.")},
            **{f"terms.{name}": owner for name, owner in of_terms.items()},
        }
        named = trainer.named_parameters()
        self._parameters = {name: named[name].detach().clone() for name in self._owner}
        self._states = {key: dict(state) for key, state in trainer.states.items()}
        self._memory = part(trainer.memory, NOW)

    def rows(self, epoch: int, logs: Sequence[StepLog], temperature: float | None) -> list[Row]:
        """Rows of an epoch that was trained in the steps `logs`; temperature: the T that validation fitted, if it does."""
        acting = float(self._trainer.schedule.phase(epoch) == 2)
        parts = (
            self._of_parameters(logs, acting),
            self._of_states(logs, acting),
            self._of_schedules(logs, epoch, acting),
            self._of_energy(logs, acting, temperature),
        )
        return [{"epoch": epoch, **row} for rows in parts for row in rows]

    def _groups_of(self, prefix: str, *without: str) -> dict[str, str]:
        """Group by name below `prefix`, of the parameters whose names begin with it and with none of the others."""
        return {
            name.removeprefix(prefix): group
            for name, group in self._groups.items()
            if name.startswith(prefix) and not name.startswith(without)
        }

    def _of_parameters(self, logs: Sequence[StepLog], acting: float) -> Iterator[Row]:
        named, optimiser = self._trainer.named_parameters(), self._settings["optimiser"]
        moved = movements(self._parameters, named, self._parameters, optimiser, self._trainer.index)
        norms = [_squares(log) for log in logs]
        for owner in dict.fromkeys(self._owner.values()):
            names = [name for name, other in self._owner.items() if other == owner]
            square = sum(squares.get(named[name], 0.0) for squares in norms for name in names) / len(logs)
            yield _row(
                owner,
                "parameters",
                max(self._turn(name, logs, acting) for name in names),
                gradient=square**0.5,
                moved=max(moved[name] for name in names),
            )

    def _turn(self, name: str, logs: Sequence[StepLog], acting: float) -> float:
        """Share of the steps in which a parameter's side trains."""
        if name.startswith("terms."):
            return _share(logs, _term(name))
        return 1.0 if self._groups[name] == "S" else acting

    def _of_states(self, logs: Sequence[StepLog], acting: float) -> Iterator[Row]:
        for key, state in self._states.items():
            if any(value.numel() for value in state.values()):
                moved = _change(state, self._trainer.states[key])
                owner = self._terms[key]
                bank = f"{owner.keys[0].rpartition('.')[0]}.bank"
                held = owner._replace(keys=(bank,) if value_at(self._settings, bank) else ())
                yield _row(held, "state", _share(logs, key), moved=moved)
        if self._memory:
            owner = of_choice(TEACHERS, TEACHERS.chosen(self._settings))
            yield _row(owner, "state", acting, moved=_change(self._memory, part(self._trainer.memory, NOW)))

    def _of_schedules(self, logs: Sequence[StepLog], epoch: int, acting: float) -> Iterator[Row]:
        settings, schedule = self._settings, self._trainer.schedule
        if settings["curriculum"]["phase1_epochs"]:
            yield _row(of_declared("curriculum"), "phase", 1.0, amount=acting)
        if settings["episode"]["pseudo_unseen"]:
            hidden = sum(log.hidden for log in logs) / len(logs)
            steps = (epoch - settings["curriculum"]["phase1_epochs"]) * len(logs)
            expected = settings["episode"]["pseudo_unseen"] * settings["episode"]["per_step"] * steps
            if hidden or expected >= CERTAIN:
                yield _row(of_declared("pseudo_unseen"), "names", acting, amount=hidden)
        weighted = {term.key: (term, weight) for term, weight in self._trainer.weighted}
        ramping = {key: weight for key, (term, weight) in weighted.items() if _ramps(term, settings)}
        balance = of_choice(BALANCES, BALANCES.chosen(settings))
        if schedule.ramp and ramping:
            owner = balance if balance.key == "ramp" else of_declared("curriculum_ramp")
            reached = max(
                log.weights.get(key, 0.0) / weight for log in logs for key, weight in ramping.items()
            )
            yield _row(owner, "ramp", acting, amount=reached)
        others = {key: pair for key, pair in weighted.items() if key != "task"}
        if balance.key == "grad_norm" and others:
            gaps = [
                abs(log.weights.get(key, 0.0) / scheduled - 1)
                for at, log in enumerate(logs)
                for key, (term, weight) in others.items()
                if (scheduled := weight * schedule.factor(term, epoch - 1 + at / len(logs)))
            ]
            yield _row(balance, "weights", float(bool(gaps)), amount=max(gaps, default=None))

    def _of_energy(self, logs: Sequence[StepLog], acting: float, temperature: float | None) -> Iterator[Row]:
        energy, environment = self._trainer.model.energy, self._trainer.model.environment
        if environment.acts and energy.gate(torch.zeros(1, device=self._trainer.device)) is not None:
            gates = [log.gate for log in logs if log.gate is not None]
            low = min((gate[0] for gate in gates), default=0.0)
            high = max((gate[1] for gate in gates), default=0.0)
            owner = of_choice(ENERGIES, ENERGIES.chosen(self._settings))
            yield _row(owner, "gate", acting, amount=min(high, 1.0 - low) if gates else None)
        if temperature is not None:
            owner = of_choice(TEMPERATURES, TEMPERATURES.chosen(self._settings))
            yield _row(owner, "fit", acting, amount=abs(temperature - 1.0))


def of_term(term: LossTerm) -> Owner:
    """The mechanism that a loss term is, or is a placebo of."""
    row = next(row for row in LOSSES if row.cls.key == term.key)
    return Owner(row.id, row.mechanism, (term.weight,))


def _row(owner: Owner, what: str, in_force: float, **figures: float | None) -> Row:
    keys = ",".join(owner.keys)
    return {
        "id": owner.id,
        "mechanism": owner.key,
        "part": what,
        "keys": keys,
        "in_force": in_force,
        **figures,
    }


def _term(name: str) -> str:
    """Key of the term that a parameter `terms.KEY...` is of."""
    return name.split(".")[1]


def _share(logs: Sequence[StepLog], key: str) -> float:
    """Share of the steps in which a term is in force."""
    return sum(log.weights.get(key, 0.0) != 0 for log in logs) / len(logs)


def _squares(log: StepLog) -> dict[Tensor, float]:
    """Squared norm of the gradient of each parameter that has one."""
    if not log.norms:
        return {}
    norms = torch.stack(list(log.norms.values())).double().square().tolist()
    return dict(zip(log.norms, norms, strict=True))


def _change(before: State, now: State) -> float:
    """Largest absolute change of an entry."""
    return max(
        (
            float((now[name].double() - old.double()).abs().max())
            for name, old in before.items()
            if old.numel()
        ),
        default=0.0,
    )


def _ramps(term: LossTerm, settings: Mapping[str, Any]) -> bool:
    """Whether the term's weight rises: phase 1 has not trained it already."""
    return term.ramps and not (term.in_phase1 and settings["curriculum"]["phase1_epochs"] > 0)
