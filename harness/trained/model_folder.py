"""A folder that holds a configuration and its trained units, for somebody who has neither the run nor its data."""

import hashlib
import io
import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML

from analysis.errors import UserError
from analysis.nearest_path import nearest_path
from harness.config.space.compose import compose
from harness.config.sweep.use import UseFile, load_use, loaded, read_use, with_imported
from harness.config.yaml.lines import read_yaml
from harness.store.storage import writing
from harness.trained.tensor_file import file_name, from_bytes, to_bytes
from harness.trained.trained_unit import FittedCalibration, TrainedUnit

FORMAT = 1
SETTINGS, CARD = "model.yaml", "README.md"
HEAD = "# A trained configuration; README.md beside it says what it is and how to predict with it.\n"
PLAIN = ("name", "seed", "epoch", "fold", "cell_lines", "scale", "fitted")
"""Fields of a unit that model.yaml holds as they are; its tensors are in the file of weights."""


class ExportedModel(NamedTuple):
    """The units of such a folder, and what speaks against them, in sentences."""

    units: list[TrainedUnit]
    warnings: list[str]


def write_model(folder: Path, units: Sequence[TrainedUnit], card: str, warnings: Sequence[str]) -> None:
    """Write model.yaml (with `warnings`), the weights (plain tensors), README.md (`card`) and the files that a person
    brought, whole or not at all.

    Raises
    ------
    UserError
        for a folder that is there already.
    """
    if folder.exists():
        raise UserError(f"--out {folder} is there already; expected a new folder")
    name = file_name()
    weights, config = to_bytes(name, units), units[0].config
    settings: dict[str, Any] = {
        "format": FORMAT,
        "id": config.id,
        "weights": name,
        "weights_sha256": hashlib.sha256(weights).hexdigest(),
        "units": [
            {
                **{name: _plain(getattr(unit, name)) for name in PLAIN},
                "calibration": dict(unit.calibration._asdict()),
            }
            for unit in units
        ],
        "configuration": config.canonical(),
        "warnings": list(warnings),
    }
    settings["sha256"] = _digest(settings)
    text = io.StringIO()
    yaml = YAML(typ="safe")
    yaml.default_flow_style = False
    yaml.dump(settings, text)
    with writing(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}.new-", dir=folder.parent))
        try:
            (scratch / SETTINGS).write_text(HEAD + text.getvalue(), encoding="utf-8")
            (scratch / name).write_bytes(weights)
            (scratch / CARD).write_text(card, encoding="utf-8")
            for file in _brought():
                (scratch / "use").mkdir(exist_ok=True)
                (scratch / "use" / f"{file.name}.py").write_text(file.source, encoding="utf-8")
            scratch.chmod(0o755)
            scratch.rename(folder)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def read_model(folder: Path) -> ExportedModel:
    """What is in such a folder; one of an earlier program refers to its card for what speaks against it.

    Raises
    ------
    UserError
        for a folder that is none, one of another format, and one whose files are not those that were written together.
    """
    if not (folder / SETTINGS).is_file():
        raise UserError(
            f"{folder} is no exported model: it has no {SETTINGS} (python -m harness.runs export-model makes one)"
            f"{'' if folder.exists() else nearest_path(folder, lambda path: (path / SETTINGS).is_file())}"
        )
    files = sorted((folder / "use").glob("[!.]*.py"))
    load_use(read_use(files, [str(folder / "use")] * len(files)))
    settings = read_yaml(folder / SETTINGS).data
    if settings.get("format") != FORMAT:
        raise UserError(f"{folder / SETTINGS}: format {settings.get('format')}; this program reads {FORMAT}")
    if _digest(settings) != settings.get("sha256"):
        raise UserError(f"{folder / SETTINGS} is not as it was written; a trained model cannot be edited")
    name = settings["weights"]
    try:
        data = (folder / name).read_bytes()
    except OSError as error:
        raise UserError(f"{folder / name} cannot be read: {error.strerror}") from None
    if hashlib.sha256(data).hexdigest() != settings["weights_sha256"]:
        raise UserError(f"{folder / name} is not the file that {SETTINGS} was written with; export it again")
    config = compose(settings["configuration"], {})
    tensors = from_bytes(name, data)
    units = [
        TrainedUnit(
            **{field: unit[field] for field in PLAIN},
            config=config,
            calibration=FittedCalibration(**unit["calibration"]),
            **tensors[unit["name"]],
        )
        for unit in settings["units"]
    ]
    unsaid = [f"{folder / SETTINGS} is of an earlier program: its warnings are in {folder / CARD} alone"]
    return ExportedModel(units, [str(sentence) for sentence in settings.get("warnings", unsaid)])


def _digest(settings: Mapping[str, Any]) -> str:
    """SHA-256 over all settings but itself, as JSON."""
    content = {key: value for key, value in settings.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _plain(value: Any) -> Any:
    """The value as YAML has it."""
    return json.loads(json.dumps(value))


def _brought() -> list[UseFile]:
    return with_imported(loaded())
