"""Is the weight of a loss term its weight? Many weights at once on two twins, one by one where these do not answer."""

from collections.abc import Iterable, Mapping

from harness.audit.behind_sequence import same_sequence
from harness.audit.probe import ProbeStep, differ
from harness.audit.settings import changed, value_at
from harness.audit.twins import Twins

Fault = tuple[str, str]
"""Verdict and sentence."""
UNUSED = "the balance gives it the same weight at twice the configured one"
PART = 0.1
"""Of the smallest weighted gradient, that what twice the weights give may be off by."""


def weight_faults(twins: Twins, paths: Mapping[str, str]) -> dict[str, Fault]:
    """Keys of loss terms whose weight 0 is not leaving out, or whose weight is read and not used. paths: key -> path of the
    term's weight.

    Every second weight is 0 on one twin, which has to take the step of one without these terms, and doubled on another,
    whose gradient has to be g + sum_i (g - g without i); then the others. Each term of a group that does not hold is asked
    alone, by twins of its own, and so are those whose weight builds a part of the model as well, where all others are drawn
    anew. A balance that sets weights itself has to set others at twice the configured ones.
    """
    alone = [key for keys in _by_block(paths) for key in _building(twins, {key: paths[key] for key in keys})]
    keys = [key for key in paths if key not in alone]
    for group in (keys[::2], keys[1::2]):
        if not _holds(twins, {key: paths[key] for key in group}):
            alone += group
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


def _holds(twins: Twins, paths: Mapping[str, str]) -> bool:
    """Whether the terms keep together what each has to; one of them is asked alone just as well."""
    if len(paths) < 2:
        return not paths
    return _zero(twins, paths) == 0.0 and _doubles(twins, paths)


def _alone(twins: Twins, key: str, path: str) -> Fault | None:
    if _whole(twins, path) and _zero(twins, {key: path}) > 0.0:
        return "leaking", f"{path}: 0 does not give what leaving the term out gives"
    if differ(twins.short.gradients, _twice(twins, [path]).gradients) == 0.0:
        return "inert", f"{path} is read and not used: twice the weight gives the same gradient"
    return None


def _zero(twins: Twins, paths: Mapping[str, str]) -> float:
    """How far the step with these weights 0 is from one without these terms."""
    zero = _stepped(twins, dict.fromkeys(paths.values(), 0.0)).parameters
    prefixes = tuple(f"terms.{key}." for key in paths)
    out = {name: p for name, p in twins.without(*paths).parameters.items() if not name.startswith(prefixes)}
    return differ(out, {name: zero[name] for name in out if name in zero})


def _doubles(twins: Twins, paths: Mapping[str, str]) -> bool:
    """Whether twice the weights add every term's gradient once more."""
    expected, sizes = dict(twins.short.gradients), []
    for key in paths:
        out = twins.left_out(key).gradients
        sizes.append(differ(twins.short.gradients, out))
        for name, gradient in twins.short.gradients.items():
            expected[name] = (
                expected[name] + gradient - out[name] if name in out else expected[name] + gradient
            )
    least = min((size for size in sizes if size > 0.0), default=0.0)
    return differ(expected, _twice(twins, paths.values()).gradients) <= PART * least


def _twice(twins: Twins, paths: Iterable[str]) -> ProbeStep:
    """The step with twice these weights."""
    return _stepped(twins, {path: 2 * value_at(twins.probe.config, path) for path in paths})


def _stepped(twins: Twins, changes: Mapping[str, float]) -> ProbeStep:
    probe = twins.probe
    return probe.step(probe.behind(changed(probe.summed, changes)))
