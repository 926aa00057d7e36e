"""`python -m harness.config`: print the JSON schemas, list every path of the configuration, or check YAML files."""

import sys
from collections.abc import Iterator
from pathlib import Path

from rich.table import Table
from rich.text import Text

from analysis.arguments import command_parser
from analysis.errors import UserError, nearest, run_cli
from analysis.output import counted, printable
from analysis.paths import user_path
from analysis.rules import RULES
from harness.config.blocks.paths import leaves
from harness.config.blocks.trial import ConfigurationBlock
from harness.config.space.compose import SEARCH_SPACES, check_preset
from harness.config.sweep.overrides import sweep_paths
from harness.config.sweep.placed import check_placed
from harness.config.sweep.schema import as_text, preset_schema, sweep_schema
from harness.config.sweep.sweep import load_sweep
from harness.config.sweep.use import load_use, use_of_sweep
from harness.config.yaml.lines import read_yaml
from harness.shell import terminal

FILES = {"schema.json": sweep_schema, "preset.schema.json": preset_schema}


def main() -> int:
    """Entry point; the exit status is 0, or 2 for a mistake on the command line or in a file."""
    parser = command_parser("python -m harness.config", str(__doc__))
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    schema = commands.add_parser("schema", help="print the JSON schema of sweeps, or of presets")
    schema.add_argument("--preset", action="store_true", help="the schema of presets")
    schema.add_argument("--write", action="store_true", help=f"write both into {SEARCH_SPACES.name}/ instead")
    schema.add_argument(
        "file",
        nargs="?",
        type=user_path,
        help="a sweep's YAML: with the keys that the files of its `use` register",
    )
    paths = commands.add_parser("paths", help="list the dotted paths that `set`, `space` and --set take")
    paths.add_argument("prefix", nargs="?", default="", help="only paths that start with this, e.g. loss.")
    check = commands.add_parser("check", help="check sweeps and presets without starting anything")
    check.add_argument(
        "files", nargs="+", type=user_path, help="YAML files; those in a folder `presets` are presets"
    )
    arguments = parser.parse_args()
    if arguments.command == "schema":
        if arguments.write and arguments.file is not None:
            raise UserError(f"--write writes the schemas of the project alone; leave {arguments.file} out")
        if arguments.file is not None:
            load_use(use_of_sweep(arguments.file))
            check_placed()
        if arguments.write:
            for name, build in FILES.items():
                (SEARCH_SPACES / name).write_text(as_text(build()), encoding="utf-8")
        else:
            print(as_text(preset_schema() if arguments.preset else sweep_schema()), end="")
    elif arguments.command == "paths":
        _list_paths(arguments.prefix)
    else:
        return 2 if sum(not _checked(file) for file in arguments.files) else 0
    return 0


def _list_paths(prefix: str) -> None:
    every = [*_trial_rows(), *_limit_rows(), *_sweep_rows()]
    rows = [row for row in every if row[0].startswith(prefix)]
    if not rows:
        paths = [path for path, *_ in every]
        blocks = [f"{path.rpartition('.')[0]}." for path in paths if "." in path]
        raise UserError(
            f"no path of the configuration or of the sweep starts with '{prefix}'{nearest(prefix, [*blocks, *paths])}"
        )
    table = Table("path", "default", "exists where", "meaning", box=None, pad_edge=False)
    for row in rows:
        table.add_row(*map(Text, row))
    terminal.console().print(table)


def _trial_rows() -> Iterator[tuple[str, str, str, str]]:
    """(path, default, where it exists, meaning) of what `set`, `space` and --set take."""
    default = ConfigurationBlock()
    for path, leaf in leaves().items():
        value: object = default
        for key in path.split("."):
            value = getattr(value, key, "")
        texts = [info.description for info in leaf.fields.values() if info.description]
        where = f"{leaf.discriminator} is {' or '.join(sorted(leaf.variants))}" if leaf.variants else ""
        yield path, str(value), where, " ".join(texts[0].split()) if texts else ""


def _limit_rows() -> Iterator[tuple[str, str, str, str]]:
    """The same of the limits of warning rules."""
    for rule in RULES.values():
        for name, limit in rule.limits.items():
            yield f"limits.{name}", f"{limit:g}", "", f"of the warning rule {rule.id}: {rule.condition_text}"


def _sweep_rows() -> Iterator[tuple[str, str, str, str]]:
    """The same of the sweep's own blocks, which --set takes and the blocks `set` and `space` do not."""
    for path, info in sweep_paths().items():
        default = "" if info.is_required() else str(info.get_default(call_default_factory=True))
        yield path, default, "in the sweep's YAML", " ".join((info.description or "").split())


def _checked(file: Path) -> bool:
    """Whether it can run; a mistake is said, and the next file is looked at."""
    try:
        _check(file)
    except UserError as error:
        print(f"error: {printable(str(error))}", file=sys.stderr)
        return False
    return True


def _check(file: Path) -> None:
    if file.parent.name == "presets":
        _say(f"{file}: preset, configuration {check_preset(read_yaml(file)).id}")
        return
    sweep = load_sweep(file)
    for sentence in sweep.warnings:
        _say(f"{file}: warning: {sentence}")
    _say(f"{file}: {counted(sweep.trials, 'configuration')} x {counted(len(sweep.config.seeds), 'seed')}")


def _say(sentence: str) -> None:
    """On one line, whatever the names in it are."""
    print(printable(sentence))


if __name__ == "__main__":
    run_cli(main)
