"""A base preset plus changes, as one typed configuration."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from analysis.errors import UserError, nearest
from harness.config.blocks.acting import unread
from harness.config.blocks.explain import ConfigError, validate
from harness.config.blocks.paths import discriminators, find, flatten, leaves
from harness.config.blocks.trial import ConfigurationBlock
from harness.config.yaml.lines import Document, read_yaml

SEARCH_SPACES = Path(__file__).resolve().parents[3] / "search_spaces"


def compose(base: Mapping[str, Any], changes: Mapping[str, Any]) -> ConfigurationBlock:
    """The configuration of `base` (a sparse preset) with `changes` (dotted path -> value) laid over it.

    A change of a variant (energy.form, temperature.mode, environment.source, balance.kind) drops those keys
    of the base's block that the new variant does not have; keys that `changes` names are never dropped, so a key
    that the variant lacks is an error there.

    Raises
    ------
    ConfigError
        with the dotted path at fault: an unknown key, a wrong type or range, an impossible combination.
    """
    merged = merge(base, changes)
    try:
        return validate(ConfigurationBlock, merged)
    except ConfigError as error:
        leaf = leaves().get(error.path)
        if leaf is None or leaf.discriminator is None or not leaf.variants:
            raise
        actual = flatten(merged)[leaf.discriminator]
        if actual in leaf.variants:
            raise
        wanted = " or ".join(sorted(leaf.variants))
        raise ConfigError(
            leaf.path, f"{leaf.path} exists only where {leaf.discriminator} is {wanted}, and it is {actual}"
        ) from None


def merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The nested mapping that `compose` validates: sparse, every variant block with its discriminator."""
    flat, over = flatten(base), flatten(changes)
    for block, (key, default) in discriminators().items():
        path = f"{block}.{key}"
        if path in over and over[path] != flat.get(path, default):
            for held in [held for held in flat if held.startswith(block + ".")]:
                leaf = leaves().get(held)
                if leaf is not None and leaf.variants and over[path] not in leaf.variants:
                    del flat[held]
        if any(held.startswith(block + ".") for held in (*flat, *over)):
            flat.setdefault(path, default)
    return nest({**flat, **over})


def nest(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Inverse of `flatten`."""
    nested: dict[str, Any] = {}
    for path, value in flat.items():
        # A limit may have a dot in its own name (`RULE.PART`), and `limits` has no blocks inside.
        *blocks, key = path.split(".", 1) if path.startswith("limits.") else path.split(".")
        place = nested
        for depth, block in enumerate(blocks):
            place = place.setdefault(block, {})
            if not isinstance(place, dict):
                whole = ".".join(blocks[: depth + 1])
                raise ConfigError(whole, f"'{whole}' is a block of keys, not a value")
        place[key] = value
    return nested


def shipped() -> list[Path]:
    """The sweeps and presets that come with the project."""
    return [*sorted(SEARCH_SPACES.glob("*.yaml")), *sorted((SEARCH_SPACES / "presets").glob("*.yaml"))]


def preset_document(name: str, *, beside: Path | None = None) -> Document:
    """The preset's YAML with its lines, from `beside`/presets if it is there, else search_spaces/presets."""
    folders = [folder / "presets" for folder in (beside, SEARCH_SPACES) if folder is not None]
    for folder in folders:
        file = folder / f"{name}.yaml"
        if file.is_file():
            return read_yaml(file)
    known = sorted({file.stem for folder in folders for file in folder.glob("*.yaml")})
    raise UserError(f"there is no preset '{name}' (known: {', '.join(known)}){nearest(name, known)}")


def load_preset(name: str, *, beside: Path | None = None) -> dict[str, Any]:
    """The sparse mapping of the preset `name`, checked to be a valid configuration.

    Raises
    ------
    UserError
        for an unknown preset (the nearest is named) or one that is no valid configuration (file and line).
    """
    document = preset_document(name, beside=beside)
    check_preset(document)
    return document.data


def check_preset(document: Document) -> ConfigurationBlock:
    """The configuration of a preset's YAML; UserError with file and line for a mistake or a key nothing reads."""
    try:
        config = compose(document.data, {})
    except ConfigError as error:
        raise UserError(f"{document.where(error.path)}: {error}") from None
    for path in flatten(document.data):
        try:
            find(path)
        except ConfigError as error:
            raise UserError(f"{document.where(path)}: {error}") from None
    for path, needs in unread(config, flatten(document.data)).items():
        raise UserError(
            f"{document.where(path)}: {path} is set and nothing reads it; it acts only with {needs}"
        )
    return config
