"""JSON schemas of the two kinds of YAML, generated from the typed models, for completion and checks in editors."""

import json
from typing import Any

from analysis.export.trackers import TRACKERS
from harness.config.blocks.paths import Leaf, leaves
from harness.config.blocks.sweep import SweepBlock
from harness.config.blocks.trial import ConfigurationBlock
from harness.config.space.distributions import KINDS

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def sweep_schema() -> dict[str, Any]:
    """Schema of search_spaces/NAME.yaml: the sweep's blocks, and every dotted path under `set` and `space`."""
    schema = SweepBlock.model_json_schema()
    definitions = schema.setdefault("$defs", {})
    for kind, model in KINDS.items():
        kind_schema = model.model_json_schema()
        definitions.update(kind_schema.pop("$defs", {}))
        definitions[f"space_{kind}"] = kind_schema
    any_of_kinds = {"anyOf": [{"$ref": f"#/$defs/space_{kind}"} for kind in KINDS]}
    definitions["space_options"] = definitions["space_choice"]
    schema["properties"]["set"] = {
        **_texts(schema["properties"]["set"]),
        "type": "object",
        "properties": {path: _value(leaf) for path, leaf in leaves().items()},
        "patternProperties": {r"^limits\.": {"type": "number"}},
    }
    schema["properties"]["track"]["items"]["enum"] = list(TRACKERS)
    schema["properties"]["space"] = {
        **_texts(schema["properties"]["space"]),
        "type": "object",
        "properties": {
            path: {**any_of_kinds, **{k: v for k, v in _value(leaf).items() if k == "description"}}
            for path, leaf in leaves().items()
        },
        "patternProperties": {r"^[A-Za-z_][A-Za-z0-9_]*$": {"$ref": "#/$defs/space_options"}},
        "additionalProperties": any_of_kinds,
    }
    return {"$schema": DIALECT, **schema, "title": "Sweep"}


def preset_schema() -> dict[str, Any]:
    """Schema of search_spaces/presets/NAME.yaml: the blocks of one trial."""
    return {"$schema": DIALECT, **ConfigurationBlock.model_json_schema(), "title": "Preset"}


def as_text(schema: dict[str, Any]) -> str:
    """The schema as the file holds it."""
    return json.dumps(schema, indent=1, sort_keys=True) + "\n"


def _value(leaf: Leaf) -> dict[str, Any]:
    shapes = []
    for adapter in leaf.adapters.values():
        shape = adapter.json_schema()
        if shape not in shapes:
            shapes.append(shape)
    described = [info.description for info in leaf.fields.values() if info.description]
    text = {"description": described[0]} if described else {}
    return {**(shapes[0] if len(shapes) == 1 else {"anyOf": shapes}), **text}


def _texts(schema: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key in ("title", "description")}
