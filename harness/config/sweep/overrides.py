"""`--set path=value` and `--data ROOT` laid over the YAML's values, before anything is validated."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from analysis.errors import UserError, nearest, shorten
from harness.config.blocks.design import designs
from harness.config.blocks.explain import ConfigError
from harness.config.blocks.paths import find, flatten, leaves
from harness.config.blocks.registered import variants_of
from harness.config.blocks.sweep import ScreenBlock, SweepBlock, design_name
from harness.config.yaml.lines import parse_scalar

SAME = {"trial.epochs": "optimiser.epochs", "trial.budget": "optimiser.steps_per_epoch"}
"""Keys of the sweep's own blocks -> the path of the trial's configuration that they set."""


@dataclass(frozen=True)
class Overridden:
    """The YAML's data with the command line laid over it.

    `origins` maps each dotted path of the sweep's YAML that the command line decided to its option there;
    `warnings` are sentences on what the command line switched off.
    """

    data: dict[str, Any]
    origins: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def override(data: Mapping[str, Any], sets: Sequence[str], data_root: Path | None) -> Overridden:
    """Lay `sets` (each `path=value`, the value read as YAML) and `data_root` over `data`.

    A path of the trial's configuration goes to the `set` block and takes its entry, if there is one, out of
    the space; entries that only existed for another value of it go too. A path of the sweep's own blocks (trials,
    trial.seeds, data.synthetic.form, ...) replaces the YAML's value.

    Raises
    ------
    UserError
        for text without `=`, an unknown path, or a value that is not YAML.
    """
    result = Overridden(copy.deepcopy(dict(data)))
    if data_root is not None:
        _use_root(result, data_root)
    for text in sets:
        path, equals, written = text.partition("=")
        path = path.strip()
        if not equals or not path:
            raise UserError(f"--set {shorten(text)}: expected path=value, such as --set optimiser.lr=0.001")
        try:
            value = parse_scalar(written)
        except ValueError as error:
            raise UserError(f"--set {shorten(text)}: the value is not YAML ({error})") from None
        if path == "use":
            raise UserError(
                f"--set {shorten(text)}: files are loaded before anything is set; name them in the YAML"
            )
        if data_root is not None and path.startswith("data.synthetic"):
            raise UserError(
                f"--set {text}: --data {data_root} takes the place of the synthetic benchmark; leave one out"
            )
        of_sweep = sweep_paths()
        if path in of_sweep:
            _set_sweep_path(result, path, value)
            result.origins[path] = f"--set {text}"
            continue
        if path in ("space", "set") or path.startswith(("space.", "set.")):
            raise UserError(f"--set {text}: name the path itself, without '{path.split('.')[0]}'")
        try:
            find(path)
        except ConfigError as error:
            if "is a block" in str(error):
                raise UserError(f"--set {text}: {error}") from None
            hint = "; --data ROOT gives the folder" if path == "data.root" else _hint(path, value)
            raise UserError(
                f"--set {text}: '{path}' is not a path of the configuration or of the sweep{hint}"
            ) from None
        result.origins[f"{_pin(result, path, value)}.{path}"] = f"--set {text}"
    design = designs().get(design_name(result.data))
    emptied = data.get("space") and not result.data.get("space")
    if emptied and design is not None and design.needs({}):
        pinned = ", ".join(origin for path, origin in result.origins.items() if path.startswith("set."))
        raise UserError(
            f"{pinned}: nothing is left to search; add --set design=grid to run this one configuration"
        )
    return result


def refuse_twice(sets: Sequence[str]) -> None:
    """Refuse one setting that is given twice, under one name or two: only the last one would act."""
    seen: dict[str, str] = {}
    for text in sets:
        path = text.partition("=")[0].strip()
        before = seen.setdefault(SAME.get(path, path), text)
        if before is not text:
            raise UserError(
                f"--set {shorten(text)}: --set {shorten(before)} sets the same already; leave one out"
            )


def _hint(path: str, value: Any) -> str:
    """The nearest path; that of a mechanism where the value is its name (decoupling=grl: decouple.grl)."""
    known = [*leaves(), *sweep_paths()]
    named = [leaf for leaf in known if leaf.rpartition(".")[2] == value]
    return nearest(f"{path}.{value}", named) or nearest(path, known)


def _use_root(result: Overridden, root: Path) -> None:
    block = result.data.get("data")
    kept = dict(block) if isinstance(block, dict) else {}
    named = isinstance(kept.get("folds"), list) or kept.get("chromosomes") is not None
    if kept.pop("synthetic", None) is not None and named:
        kept = {key: value for key, value in kept.items() if key not in ("folds", "chromosomes")}
        result.warnings.append(f"--data {root} replaces the synthetic benchmark, so its folds are not used")
    result.data["data"] = {**kept, "root": root}
    result.origins["data.root"] = f"--data {root}"


def _pin(result: Overridden, path: str, value: Any) -> str:
    """Fix a path of the trial's configuration; returns the block of the YAML that now holds it."""
    _withdraw(result, path)
    space = result.data.get("space")
    entry = space.get(path) if isinstance(space, dict) else None
    if isinstance(space, dict) and isinstance(entry, Mapping) and entry.get("when"):
        # The path exists only under its condition, so the pinned value does too.
        space[path] = {"choice": [value], "when": entry["when"]}
        result.warnings.append(f"{path} is not swept, because --set fixes it")
        return "space"
    block = result.data.get("set")
    kept = flatten(block) if isinstance(block, Mapping) else {}
    result.data["set"] = {**kept, path: value}
    if not isinstance(space, dict):
        return "set"
    if space.pop(path, None) is not None:
        result.warnings.append(f"{path} is not swept, because --set fixes it")
    gone = [path]
    while gone:
        pinned = gone.pop()
        for name, body in list(space.items()):
            when = body.get("when") if isinstance(body, Mapping) else None
            if not isinstance(when, Mapping) or pinned not in when:
                continue
            wanted = when[pinned]
            if pinned != path or value not in (wanted if isinstance(wanted, list) else [wanted]):
                del space[name]
                gone.append(name)
                result.warnings.append(f"{name} is not swept, because --set {path} rules its condition out")
    return "set"


def _withdraw(result: Overridden, path: str) -> None:
    """Remove the YAML's setting of what `path` sets under another name."""
    for sweep_path, trial_path in SAME.items():
        block, _, key = sweep_path.partition(".")
        if path == trial_path and isinstance(result.data.get(block), dict):
            result.data[block].pop(key, None)
        if path == sweep_path:
            if isinstance(result.data.get("set"), Mapping):
                result.data["set"] = {k: v for k, v in flatten(result.data["set"]).items() if k != trial_path}
            if isinstance(result.data.get("space"), dict):
                result.data["space"].pop(trial_path, None)


def _set_sweep_path(result: Overridden, path: str, value: Any) -> None:
    _withdraw(result, path)
    *blocks, key = path.split(".")
    place = result.data
    if blocks == ["design"] and isinstance(place.get("design"), str):
        place["design"] = {"kind": place["design"]}
    for block in blocks:
        inner = place.get(block)
        place[block] = dict(inner) if isinstance(inner, Mapping) else {}
        place = place[block]
    if path == "design" and value in designs():
        for key in [key for key in designs()[value].idle if result.data.pop(key, None) is not None]:
            result.warnings.append(f"{key} has no meaning under --set design={value} and is not used")
    if path == "scheduler.kind" and place.get("kind", "asha") != value:
        place.clear()
    place[key] = value


def sweep_paths() -> dict[str, FieldInfo]:
    """Dotted paths of the sweep's own blocks that the command line may set."""
    paths = _walk(SweepBlock, "")
    paths["design"] = SweepBlock.model_fields["design"]
    paths["fidelity"] = SweepBlock.model_fields["fidelity"]
    paths |= {f"fidelity.{key}": info for key, info in ScreenBlock.model_fields.items()}
    for design in designs().values():
        paths |= {f"design.{key}": info for key, info in design.options.model_fields.items() if key != "kind"}
    return {
        path: info
        for path, info in paths.items()
        if path.split(".")[0] not in ("set", "space", "use") and path != "data.root"
    }


def settable(*, alone: bool = False) -> list[str]:
    """Paths to propose for `--set` of a sweep, or of one trial `alone`: each under one name, and those that exist with some
    choices only where no other has their key."""
    known = leaves()
    always = [path for path, leaf in known.items() if not leaf.variants]
    if not alone:
        always = [*sweep_paths(), *(path for path in always if path not in SAME.values())]
    keys = {path.rpartition(".")[2] for path in always}
    some = [path for path, leaf in known.items() if leaf.variants]
    return [*always, *(path for path in some if path.rpartition(".")[2] not in keys)]


def _walk(model: type[BaseModel], prefix: str) -> dict[str, FieldInfo]:
    paths: dict[str, FieldInfo] = {}
    for name, info in model.model_fields.items():
        parts = [*(variants_of(info.annotation).values() or [info.annotation]), *get_args(info.annotation)]
        blocks = [part for part in parts if isinstance(part, type) and issubclass(part, BaseModel)]
        if get_origin(info.annotation) is list:
            blocks = []
        for block in blocks:
            paths = {**_walk(block, f"{prefix}{name}."), **paths}
        if not blocks:
            paths[prefix + name] = info
    return paths
