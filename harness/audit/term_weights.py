"""Is the weight of a loss term its weight? Many weights at once on two twins, one by one where these do not answer."""

from collections.abc import Iterable, Mapping

from harness.audit.probe import ProbeStep, differ
from harness.audit.settings import changed, summed, value_at
from harness.audit.twins import Twins
from harness.config.blocks.trial import ConfigurationBlock

Fault = tuple[str, str]
"""Verdict and sentence."""
PART = 0.1
"""Of the smallest weighted gradient, that what twice the weights give may be off by."""


def weight_faults(twins: Twins, paths: Mapping[str, str]) -> dict[str, Fault]:
    """Keys of loss terms whose weight 0 is not leaving out, or whose weight is read and not used. paths: key -> path of the
    term's weight.

    Every second weight is 0 on one twin, which has to take the step of one without these terms, and doubled on another,
    whose gradient has to be g + sum_i (g - g without i); then the others. Each term of a group that does not hold is asked
    alone, by twins of its own, and so are those whose weight builds a part of the model as well, where all others are drawn
    anew; and all where gradients are projected on each other, which promises no sum.
    """
    alone = [key for key, path in paths.items() if not _whole(twins, path)]
    keys = [key for key in paths if key not in alone]
    for group in (keys[::2], keys[1::2]):
        if not _holds(twins, {key: paths[key] for key in group}):
            alone += group
    faults = {key: _alone(twins, key, paths[key]) for key in alone}
    return {key: fault for key, fault in faults.items() if fault is not None}


def _whole(twins: Twins, path: str) -> bool:
    """Whether everything is built at weight 0, but for the terms' own parameters."""
    probe = twins.probe
    built = probe.build(changed(probe.config, {path: 0.0})).named_parameters()
    return all(name in built or name.startswith("terms.") for name in twins.trainer.named_parameters())


def _holds(twins: Twins, paths: Mapping[str, str]) -> bool:
    """Whether the terms keep together what each has to; one of them is asked alone just as well."""
    if len(paths) < 2:
        return not paths
    projected = twins.probe.config.balance.kind == "pcgrad"
    return not projected and _zero(twins, paths) == 0.0 and _doubles(twins, paths)


def _alone(twins: Twins, key: str, path: str) -> Fault | None:
    if _whole(twins, path) and _zero(twins, {key: path}) > 0.0:
        return "leaking", f"{path}: 0 does not give what leaving the term out gives"
    config, plain = twins.probe.config, summed(twins.probe.config)
    gap = differ(twins.base.gradients, _twice(twins, config, [path]).gradients)
    if gap == 0.0 and plain is not config:  # a projection can take away all that a weight does
        once = twins.probe.step(twins.probe.clone(plain))
        gap = differ(once.gradients, _twice(twins, plain, [path]).gradients)
    if gap == 0.0:
        return "inert", f"{path} is read and not used: twice the weight gives the same gradient"
    return None


def _zero(twins: Twins, paths: Mapping[str, str]) -> float:
    """How far the step with these weights 0 is from one without these terms."""
    zero = _stepped(twins, twins.probe.config, dict.fromkeys(paths.values(), 0.0)).parameters
    prefixes = tuple(f"terms.{key}." for key in paths)
    out = {name: p for name, p in twins.without(*paths).parameters.items() if not name.startswith(prefixes)}
    return differ(out, {name: zero[name] for name in out if name in zero})


def _doubles(twins: Twins, paths: Mapping[str, str]) -> bool:
    """Whether twice the weights add every term's gradient once more."""
    expected, sizes = dict(twins.base.gradients), []
    for key in paths:
        out = twins.without(key).gradients
        sizes.append(differ(twins.base.gradients, out))
        for name, gradient in twins.base.gradients.items():
            expected[name] = (
                expected[name] + gradient - out[name] if name in out else expected[name] + gradient
            )
    least = min((size for size in sizes if size > 0.0), default=0.0)
    return differ(expected, _twice(twins, twins.probe.config, paths.values()).gradients) <= PART * least


def _twice(twins: Twins, config: ConfigurationBlock, paths: Iterable[str]) -> ProbeStep:
    """The step with twice these weights."""
    return _stepped(twins, config, {path: 2 * value_at(config, path) for path in paths})


def _stepped(twins: Twins, config: ConfigurationBlock, changes: Mapping[str, float]) -> ProbeStep:
    return twins.probe.step(twins.probe.clone(changed(config, changes)))
