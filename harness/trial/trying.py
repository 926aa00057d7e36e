"""What a person's files register, built and called once on a few numbers before anything starts: types and shapes alone,
since what a mechanism does is the audit's to judge."""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from analysis.errors import UserError
from analysis.rules import RULES
from analysis.schema import TABLES
from harness.config.blocks.registered import variants_at
from harness.config.blocks.trial import ConfigurationBlock
from harness.config.sweep.untouched import changes, state
from harness.config.sweep.use import loaded, place_of, place_of_class, reason
from harness.trial.episodes.drawn import drawn
from harness.trial.episodes.sampler import SAMPLERS
from harness.trial.live import LiveWarnings
from harness.trial.step.balance import BALANCES, Combined
from harness.trial.step.returned import described, value_and_state
from harness.trial.step.routing import Boundary, Router, WeightedTerm
from models.energy import ENERGIES, TEMPERATURES
from models.environment import ENVIRONMENTS
from models.environment.set_encoders import SET_ENCODERS
from models.episode import Step, Support
from models.losses import LOSSES
from models.losses.term import value_at
from models.registry import Registry, Settings
from models.sizes import Sizes

E, S, Q = 4, 5, 6
"""Episodes, support pairs and query pairs of the step on which classes are tried."""
SIZES = Sizes(cell_lines=E, features=8, width=3, inputs=2, statistics=6)
OWN_CHANCE = (
    "draws from torch's random state or seeds it, so that a step taken again is another one: expected a generator of its "
    "own, models.streams.generator(step.seed, KEY, step.index), with seed and index among what it reads"
)
REGISTRIES: tuple[Registry[Any], ...] = (
    LOSSES,
    ENERGIES,
    TEMPERATURES,
    SET_ENCODERS,
    ENVIRONMENTS,
    SAMPLERS,
    BALANCES,
)
AGAIN = "gives another value when it is called again with the same, so that no run could be repeated"
MANY = 8
"""Times as many pairs at once as the step has."""
Numbers = Callable[..., Tensor]


def try_brought(config: ConfigurationBlock) -> None:
    """Try every class of a person's, with the settings of `config` where it chooses the class and with defaults elsewhere;
    a class whose block lacks defaults is not tried where nothing chooses it.

    Raises
    ------
    UserError
        with file and line, for a class that cannot be built or called, whose result has another type or shape, and
        that changes the state of the whole process.
    """
    if not loaded():
        return
    settings = config.model_dump()
    for registry in REGISTRIES:
        for row in registry:
            if (place := place_of_class(row.cls)) and re.fullmatch(r"M\d+", row.id):
                raise UserError(
                    f"{place}: {registry.kind} '{row.key}' has the id {row.id}, as the project's own: expected X01 or so"
                )
    for what, cls, run in _trials(settings):
        if place_of_class(cls):
            _try(what, cls, run)


def _try(what: str, cls: type, run: Callable[[Numbers], str]) -> None:
    source = torch.Generator().manual_seed(0)
    before = state()
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            fault = run(lambda *shape: torch.rand(*shape, generator=source) + 0.5)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt | UserError):
            raise
        place = place_of(error) or place_of_class(cls)
        raise UserError(f"{place}: {what} cannot be used, {reason(error)}") from None
    if fault:
        raise UserError(f"{place_of_class(cls)}: {what} {fault}")
    for changed, _ in changes(before, ""):
        raise UserError(f"{place_of_class(cls)}: {what} changes {changed}, by which every trial would differ")


def _trials(settings: Settings) -> Iterator[tuple[str, type, Callable[[Numbers], str]]]:
    """(what it is, class, what is wrong with it in words) of everything that is tried."""
    for key, term in LOSSES.terms().items():
        yield f"loss term '{key}'", term, partial(_term, key, settings)
    parts: dict[Registry[Any], Callable[[Any, Numbers], str]] = {
        ENERGIES: _energy,
        TEMPERATURES: _temperature,
        SET_ENCODERS: _set_encoder,
        ENVIRONMENTS: _environment,
    }
    for registry, called in parts.items():
        for row in registry:
            chosen = _choosing(registry.path, row.key, settings)
            if chosen is not None:
                yield f"{registry.kind} '{row.key}'", row.cls, partial(_part, registry, called, chosen)
    for row in SAMPLERS:
        yield f"sampler '{row.key}'", row.cls, partial(_sampler, row.key)
    for row in BALANCES:
        chosen = _choosing(BALANCES.path, row.key, settings)
        if chosen is not None:
            yield f"balance '{row.key}'", row.cls, partial(_balance, row.key, chosen)
    for name, rule in RULES.items():
        yield f"warning rule {name}", type(rule), _rule


def _choosing(path: str, key: str, settings: Settings) -> Settings | None:
    """The settings with `key` at a path of a block and one name; None where its block lacks a default."""
    if value_at(settings, path) == key:
        return settings
    block, _, name = path.rpartition(".")
    variant = variants_at(path).get(key)
    try:
        inside = variant(**{name: key}).model_dump() if variant else {**value_at(settings, block), name: key}
    except ValidationError:
        return None
    return {**settings, block: inside}


def _wrong(what: str, value: Any, *shape: int, dtype: torch.dtype = torch.float32) -> str:
    fits = isinstance(value, Tensor) and value.shape == shape and value.dtype == dtype
    expected = f"expected {list(shape)} of {str(dtype).removeprefix('torch.')}"
    return "" if fits else f"gives {described(value)} as {what}, {expected}"


def _term(key: str, settings: Settings, numbers: Numbers) -> str:
    cls: Any = LOSSES.row(key).cls
    term = LOSSES.build(key, **cls.arguments(settings, SIZES))
    before = term.initial_state()
    if not isinstance(before, dict) or not all(isinstance(part, Tensor) for part in before.values()):
        return f"gives {described(before)} as its initial state, expected a dictionary of tensors"
    for _ in range(2):
        shown = _step(numbers).shown_to(f"loss term {term.key}", term.reads)
        torch.rand(1)  # not where a seed begins
        chance = torch.get_rng_state()
        value, after = value_and_state(term, term(shown, before))
        if not torch.equal(chance, torch.get_rng_state()):
            return OWN_CHANCE
        if not _alike(value, value_and_state(term, term(shown, before))[0]):
            return AGAIN
        if not bool(torch.isfinite(value)):
            return f"is {float(value.detach())} on a step of ordinary numbers"
        shapes = [{name: list(part.shape) for name, part in each.items()} for each in (before, after)]
        if shapes[0] != shapes[1]:
            return f"has the state {shapes[1]} after a step, expected that of its initial state, {shapes[0]}"
        before = after
    return ""


def _step(numbers: Numbers) -> Step:
    """A step with every value that any configuration makes."""
    u, lines = numbers(E, Q), torch.arange(E)
    flat: dict[str, Any] = {name: numbers(E) for name in ("r_raw", "r_student", "r_heard", "r_teacher")}
    return Step(
        u=u, z_i=numbers(E, Q, SIZES.features), z_e=numbers(E, SIZES.width), r=numbers(E, 1), logit=u - 1.0,
        temperature=numbers(E, 1), label=(torch.arange(E * Q).view(E, Q) % 3 == 0).float(), cell=lines,
        query_cell=lines.unsqueeze(1).expand(E, Q), seed=0, index=0, taught=torch.ones(E), pseudo_unseen=torch.zeros(E),
        v=numbers(E, SIZES.inputs), v_decoded=numbers(E, SIZES.inputs), log_prior=numbers(1)[0], kl=numbers(E, Q),
        shallow=numbers(E, S, SIZES.statistics), energy_of=lambda r: u - r, channel_norm=numbers(7),
        channel_size=torch.ones(7), **flat,
    )  # fmt: skip


def _part(
    registry: Registry[Any], called: Callable[[Any, Numbers], str], settings: Settings, numbers: Numbers
) -> str:
    part = registry.choose(settings, SIZES)
    if not isinstance(part, nn.Module):
        return f"builds {described(part)}, expected a module"
    return called(part, numbers)


def _energy(energy: Any, numbers: Numbers) -> str:
    for r in (numbers(E, 1), numbers(E, Q)):
        u, temperature = numbers(E, Q), numbers(E, 1)
        logit = energy(u, r, temperature)
        fault = _wrong("its logit", logit, E, Q)
        increasing = energy.strictly_increasing(r)
        fault = fault or _wrong("strictly_increasing", increasing, *r.shape, dtype=torch.bool)
        if fault:
            return f"{fault}, for U_I {[E, Q]} and R_E {list(r.shape)}"
        if not _alike(logit, energy(u, r, temperature)):
            return AGAIN
        many = energy(u.repeat(1, MANY), r.repeat(1, MANY) if r.shape[1] > 1 else r, temperature)
        if not torch.allclose(many, logit.repeat(1, MANY), rtol=1e-4, atol=1e-5, equal_nan=True):
            return f"gives a pair another logit among {MANY * Q} pairs than among {Q}"
    return ""


def _alike(one: Tensor, other: Tensor) -> bool:
    return torch.equal(one.nan_to_num(nan=7.0), other.nan_to_num(nan=7.0))


def _temperature(temperature: Any, numbers: Numbers) -> str:
    z_e = numbers(E, SIZES.width)
    made = temperature(z_e, E)
    return _wrong("T", made, E, 1) or ("" if _alike(made, temperature(z_e, E)) else AGAIN)


def _set_encoder(encoder: Any, numbers: Numbers) -> str:
    return _wrong("z_E", encoder(numbers(E, S, SIZES.inputs)), E, SIZES.width)


def _environment(environment: Any, numbers: Numbers) -> str:
    known = torch.ones(E, S)
    support = Support(
        numbers(E, S, SIZES.features),
        numbers(E, S),
        known,
        known,
        torch.arange(E),
        v=numbers(E, SIZES.inputs),
    )
    return _wrong("z_E", environment(support), E, environment.width)


def _sampler(key: str, numbers: Numbers) -> str:
    pools = np.split(np.arange(3 * (S + Q + 4)), 3)
    sampler = SAMPLERS.build(
        key, pools=pools, names=["a", "b", "c"], support=S, query=Q, per_step=E, steps_per_epoch=2, seed=0
    )
    for batch in drawn(sampler, 1):
        if batch.support.shape[1] != S or batch.query.shape[1] != Q:
            return (
                f"yields {batch.support.shape[1]} support and {batch.query.shape[1]} query pairs per episode, expected {S} "
                f"and {Q} as it was told"
            )
    return ""


def _balance(key: str, settings: Settings, numbers: Numbers) -> str:
    cls: Any = BALANCES.row(key).cls
    block: Any = variants_at(BALANCES.path)[key].model_validate(settings["balance"])
    balance = BALANCES.build(key, **cls.arguments(block, 0))
    p = nn.Parameter(numbers(3))
    terms = [
        WeightedTerm("task", p.sum(), 1.0, frozenset("G"), ()),
        WeightedTerm("other", p.square().sum(), 0.5, frozenset("G"), ()),
    ]
    router = Router({"G": {"p": p}}, "isolated")
    before = balance.initial_state(["task", "other"])
    combined = balance.combine(router, terms, Boundary((), ()), before, 0)
    if not isinstance(combined, Combined):
        return f"combines to {described(combined)}, expected Combined(gradients, terms, state)"
    if not isinstance(combined.gradients, Mapping) or not isinstance(combined.state, dict):
        return "combines to gradients or a state that are no dictionary"
    fault = _wrong("the gradient of a parameter", combined.gradients.get(p), 3)
    return fault or ("" if len(combined.terms) == 2 else f"gives back {len(combined.terms)} of 2 terms")


def _rule(numbers: Numbers) -> str:
    live = LiveWarnings({}, ())
    for epoch in (1, 2):
        live.see(_row("units"), {name: _rows(name, epoch) for name in ("epochs", "terms", "cells")})
    return ""


def _rows(table: str, epoch: int) -> list[dict[str, Any]]:
    words = {"split": "val_unseen", "selection": "epoch", "prevalence_mode": "as_found", "term": "task"}
    words |= {"score": "corrected", "protocol": "exact"}
    lines = ("C1", "macro", "pooled") if table == "cells" else ("",)
    return [{**_row(table), **words, "epoch": epoch, "cell_line": line} for line in lines]


def _row(table: str) -> dict[str, Any]:
    """A row of ordinary numbers; words are left out."""
    schema = TABLES[table]
    return {
        name: 0.5 if str(kind) in ("double", "float") else 100
        for name, kind in zip(schema.names, schema.types, strict=True)
        if str(kind) in ("double", "float") or str(kind).startswith("int")
    }
