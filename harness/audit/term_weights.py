"""Is the weight of a loss term its weight? Many weights at once on two twins, one by one where these do not answer."""

from collections.abc import Iterable, Mapping

from harness.audit.behind_sequence import same_sequence
from harness.audit.probe import Patch, ProbeStep, differ
from harness.audit.settings import changed, value_at
from harness.audit.twins import Twins, leaving_out

Fault = tuple[str, str]
"""Verdict and sentence."""
UNUSED = "the balance gives it the same weight at twice the configured one"
PART = 0.1
"""Of the smallest weighted gradient, that what twice the weights give may be off by."""


def weight_faults(twins: Twins, paths: Mapping[str, str]) -> dict[str, Fault]:
    """Keys of loss terms whose weight 0 is not leaving out, or whose weight is read and not used. paths: key -> path of the
    term's weight.

    On one twin every second weight is 0 and the others are doubled; it has to take the step of a twin with the others
    doubled and without these terms, and its gradient has to be g - sum_i g_i + sum_j g_j, with g_i and g_j what a step
    without the term lacks, over the first and over the others; and the other way round. Where that does not hold each term
    is asked alone, by twins of its own, and so are those whose weight builds a part of the model as well, where all others
    are drawn anew. A balance that sets weights itself has to set others at twice the configured ones.
    """
    alone = [key for keys in _by_block(paths) for key in _building(twins, {key: paths[key] for key in keys})]
    keys = [key for key in paths if key not in alone]
    halves = [{key: paths[key] for key in half} for half in (keys[::2], keys[1::2])]
    if keys and not all(_holds(twins, *each) for each in (halves, halves[::-1])):
        alone += keys
    faults = {key: _alone(twins, key, paths[key]) for key in alone}
    return _unbalanced(twins, paths) | {key: fault for key, fault in faults.items() if fault is not None}


def _by_block(paths: Mapping[str, str]) -> list[list[str]]:
    """The keys by the first part of their path."""
    blocks: dict[str, list[str]] = {}
    for key, path in paths.items():
        blocks.setdefault(path.split(".")[0], []).append(key)
    return [*blocks.values()]


def _building(twins: Twins, paths: Mapping[str, str]) -> list[str]:
    """Those whose weight builds a part of the model, too: all at once are asked first."""
    if _whole(twins, *paths.values()):
        return []
    return [key for key, path in paths.items() if len(paths) == 1 or not _whole(twins, path)]


def _unbalanced(twins: Twins, paths: Mapping[str, str]) -> dict[str, Fault]:
    """Terms that the balance gives the same weight at twice the configured one."""
    probe, config = twins.probe, twins.probe.config
    if probe.summed is config or not paths:
        return {}
    twice = changed(config, {path: 2 * value_at(config, path) for path in paths.values()})
    logs = [probe.step(probe.behind(each)).log for each in (config, twice)]
    one, other = (log.weights if log is not None else {} for log in logs)
    same = [key for key in paths if key in one and one[key] == other.get(key)]
    return {key: ("inert", f"{paths[key]} is read and not used: {UNUSED}") for key in same}


def _whole(twins: Twins, *paths: str) -> bool:
    """Whether everything is built where these weights are 0, but for the terms' own parameters."""
    probe = twins.probe
    config = changed(probe.config, dict.fromkeys(paths, 0.0))
    if not same_sequence(config, probe.config):
        return False
    built, elsewhere = probe.built_behind(config).named_parameters(), ("terms.", "sequence.")
    return all(name in built or name.startswith(elsewhere) for name in twins.trainer.named_parameters())


def _holds(twins: Twins, zero: Mapping[str, str], twice: Mapping[str, str]) -> bool:
    """Whether weights of 0 leave the first terms out and twice the weights add the gradients of the others once more."""
    doubled = _twice_of(twins, twice.values())
    step = _stepped(twins, dict.fromkeys(zero.values(), 0.0) | doubled)
    if zero and _left_out(twins, zero, step, doubled) > 0.0:
        return False
    return _adds_up(twins, zero, twice, step)


def _alone(twins: Twins, key: str, path: str) -> Fault | None:
    if _whole(twins, path) and _zero(twins, {key: path}) > 0.0:
        return "leaking", f"{path}: 0 does not give what leaving the term out gives"
    if differ(twins.short.gradients, _twice(twins, [path]).gradients) == 0.0:
        return "inert", f"{path} is read and not used: twice the weight gives the same gradient"
    return None


def _zero(twins: Twins, paths: Mapping[str, str]) -> float:
    """How far the step with these weights 0 is from one without these terms."""
    return _left_out(twins, paths, _stepped(twins, dict.fromkeys(paths.values(), 0.0)), {})


def _left_out(twins: Twins, paths: Mapping[str, str], step: ProbeStep, changes: Mapping[str, float]) -> float:
    """How far a step with other settings too is from one with those and without these terms."""
    prefixes = tuple(f"terms.{key}." for key in paths)
    expected = twins.without(*paths) if not changes else _stepped(twins, changes, leaving_out(paths))
    out = {name: p for name, p in expected.parameters.items() if not name.startswith(prefixes)}
    return differ(out, {name: step.parameters[name] for name in out if name in step.parameters})


def _adds_up(twins: Twins, zero: Mapping[str, str], twice: Mapping[str, str], step: ProbeStep) -> bool:
    """Whether the step's gradient lacks that of the first terms and has that of the others twice."""
    base = twins.short.gradients
    expected, sizes = dict(base), []
    for key in (*zero, *twice):
        out = twins.left_out(key).gradients
        sizes.append(differ(base, out))
        way = -1.0 if key in zero else 1.0
        for name, gradient in base.items():
            part = gradient - out[name] if name in out else gradient
            expected[name] = expected[name] + way * part
    least = min((size for size in sizes if size > 0.0), default=0.0)
    return differ(expected, step.gradients) <= PART * least


def _twice(twins: Twins, paths: Iterable[str]) -> ProbeStep:
    """The step with twice these weights."""
    return _stepped(twins, _twice_of(twins, paths))


def _twice_of(twins: Twins, paths: Iterable[str]) -> dict[str, float]:
    return {path: 2 * value_at(twins.probe.config, path) for path in paths}


def _stepped(twins: Twins, changes: Mapping[str, float], patch: Patch | None = None) -> ProbeStep:
    probe = twins.probe
    return probe.step(probe.behind(changed(probe.summed, changes), patch))
