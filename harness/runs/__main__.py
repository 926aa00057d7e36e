"""`python -m harness.runs`: look at runs, mark them, prune and combine them."""

import argparse
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console, Group, RenderableType

from analysis.arguments import SentenceParser, command_parser
from analysis.commands.of_run import add_language
from analysis.console import plain_console
from analysis.errors import UserError, nearest, run_cli
from analysis.language import Catalogue, catalogue, in_language, translated
from analysis.output import counted
from analysis.paths import user_path
from analysis.store import Run, is_run
from harness.runs.choice import chosen_unit
from harness.runs.combining import combine
from harness.runs.description import description
from harness.runs.difference import configurations_view, runs_view
from harness.runs.listing import Listing
from harness.runs.notes import Notes, change_notes
from harness.runs.pruning import prune
from harness.runs.summary import RunSummary, size_text
from harness.runs.trial import trial_view
from harness.shell.terminal import tell, warn

WIDTH = 80
HERE = Path(__file__).parent
"""Where the sentences of these commands are in other languages than English."""
DESCRIPTION = """\
Runs that sweeps left behind, for people in a terminal. RUN is the folder of a run (runs/rp24); ID is a
configuration as rankings show it (energy=gated, or the name of its arm), its identity, or the beginning of that.

looking:
  list [FOLDER]             the runs of a folder (default: runs): status, design, size, best, tags, age
  show RUN                  what a run is: plan, folds, seeds, stamps, statuses, sizes, tags and note
  trial RUN ID              one configuration: what it changes, its units, metrics, warnings and audit
  diff RUN A B              two configurations of a run: keys, results paired by fold and seed, code
  diff RUN RUN2             two runs: plan, results of the configurations in both, code and other stamps

marking (RUN/notes.json):
  tag RUN TAG...            give a run tags; -TAG after -- takes one away
  note RUN TEXT             say something of a run; "" takes it away

changing:
  prune RUN [--dry-run]     remove the checkpoints of ended units; what --resume goes on from is kept
  combine RUN... --out RUN  put runs with equal data and folds into one that python -m analysis ranks

taking away:
  export-model RUN ID --out DIR   weights, YAML and card of a configuration, or of one unit (CONFIG-FOLD-SEED)
"""
EPILOG = """\
examples:
  python -m harness.runs list
  python -m harness.runs trial runs/rp24 3f2a
  python -m harness.runs trial runs/truth_gated energy=gated
  python -m harness.runs diff runs/rp24 3f2a 91c0
  python -m harness.runs diff runs/leave_one_out base "without contrastive"
  python -m harness.runs tag runs/rp24 paper -- -draft
  python -m harness.runs prune runs/rp24 --dry-run
  python -m harness.runs export-model runs/rp24 3f2a --out rp24-model
  python -m harness.runs combine runs/monday runs/tuesday --out runs/both
  python -m harness.runs show runs/rp24 --lang zh         in Chinese

exit status: 0; 1 where a file cannot be read and nothing else holds its rows; 2 for a mistake
"""
COMMANDS = ("list", "show", "trial", "diff", "tag", "note", "prune", "combine", "export-model")


def parser() -> SentenceParser:
    """The command line."""
    made = command_parser(
        "python -m harness.runs", DESCRIPTION, EPILOG, usage="python -m harness.runs COMMAND ..."
    )
    commands = made.add_subparsers(
        dest="command", prog=made.prog, required=True, help=argparse.SUPPRESS, metavar="COMMAND"
    )
    commands.add_parser("list").add_argument(
        "folder",
        metavar="FOLDER",
        type=user_path,
        nargs="?",
        default=Path("runs"),
        help="folder with runs (default: runs)",
    )
    each = {name: commands.add_parser(name) for name in COMMANDS[1:]}
    for command in commands.choices.values():
        add_language(command)
    for name, command in each.items():
        if name != "combine":
            command.add_argument("run", metavar="RUN", type=user_path, help="folder of the run")
    each["trial"].add_argument(
        "id", metavar="ID", help="a configuration by its shown name, its identity, or the beginning of that"
    )
    each["diff"].add_argument("a", metavar="A", help="a configuration, or another run")
    each["diff"].add_argument("b", metavar="B", nargs="?", help="another configuration")
    each["tag"].add_argument("tags", metavar="TAG", nargs="+", help="-TAG, after --, takes one away")
    each["note"].add_argument("text", metavar="TEXT", help='what is to be said of it; "" takes it away')
    each["prune"].add_argument(
        "--dry-run", action="store_true", help="say what would be removed, and remove nothing"
    )
    exported = each["export-model"]
    exported.add_argument("id", metavar="ID", help="a configuration, or a unit")
    exported.add_argument("--out", metavar="DIR", type=user_path, required=True, help="the new folder")
    exported.add_argument("--fold", metavar="NAME", help="units of this fold alone")
    combined = each["combine"]
    combined.add_argument("runs", metavar="RUN", type=user_path, nargs="+", help="folders of runs")
    combined.add_argument("--out", metavar="RUN", type=user_path, required=True, help="the new run's folder")
    combined.add_argument(
        "--reuse-older-code",
        action="store_true",
        help="take units together that differ in code or package versions",
    )
    return made


def main(argv: Sequence[str], console: Console) -> int:
    """Run the command line on its arguments; the return value is the exit status."""
    words = [word for word in argv if not word.startswith("-")]
    if words and words[0] == argv[0] and words[0] not in COMMANDS:
        raise UserError(
            f"unknown command '{words[0]}'{nearest(words[0], COMMANDS)} (known: {', '.join(COMMANDS)})"
        )
    options = parser().parse_args(argv)
    with in_language(options.lang, HERE):
        return _run(options, Voice(console, catalogue(options.lang, HERE)))


class Voice:
    """Says things on a console, in the language of a catalogue (None: English)."""

    def __init__(self, console: Console, words: Catalogue | None) -> None:
        self.console, self.words = console, words

    def show(self, parts: Iterable[RenderableType]) -> None:
        """Texts and tables, laid out for the terminal."""
        for part in translated(parts, self.words):
            # A text by itself would be put together anew, and lose how its lines are broken.
            self.console.print(Group(part))

    def tell(self, sentence: str) -> None:
        """A line that is as long as it is: paths in it can be copied."""
        self.console.print(self.words(sentence) if self.words else sentence, soft_wrap=True)


def _run(options: argparse.Namespace, voice: Voice) -> int:
    if options.command == "list":
        runs = Listing.of(options.folder)
        voice.show(runs.view())
        return 1 if runs.lost else 0
    if options.command == "combine":
        return _combine(options, voice)
    run = RunSummary(Run.open(options.run))
    if options.command == "prune":
        return _prune(options, voice)
    if options.command == "export-model":
        return _export_model(run, options, voice)
    if options.command == "tag":
        _tell_notes(change_notes(options.run, lambda notes: notes.tagged(options.tags)), voice)
        return 0
    if options.command == "note":
        _tell_notes(change_notes(options.run, lambda notes: replace(notes, note=options.text.strip())), voice)
        return 0
    read = [run]
    if options.command == "show":
        parts = description(run)
    elif options.command == "trial":
        parts = trial_view(run, options.id)
    elif options.b is not None:
        parts = configurations_view(run, options.a, options.b)
    elif is_run(user_path(options.a)):
        read.append(RunSummary(Run.open(options.a)))
        parts = runs_view(*read)
    else:
        raise UserError(
            f"diff: '{options.a}' is no run; expected another run, or two configurations of {options.run}: A and B"
        )
    voice.show(parts)
    return 1 if any(each.run.lost for each in read) else 0


def _tell_notes(notes: Notes, voice: Voice) -> None:
    voice.tell(f"tags  {', '.join(notes.tags) or 'none'}")
    voice.tell(f"note  {notes.note or 'none'}")


def _export_model(run: RunSummary, options: argparse.Namespace, voice: Voice) -> int:
    from harness.trained.export import export_model  # torch is asked for here alone

    config, unit = chosen_unit(run.run, options.id)
    done, warnings = export_model(run.run, config, options.out, only=unit, fold=options.fold)
    warn(warnings)
    for sentence in done.lacking:
        tell(voice.console, f"note: {sentence}")
    voice.tell(f"{counted(len(done.units), 'unit')} of {done.config} in {options.out}")
    voice.tell(f"use it  python -m harness.predict --model {options.out} --pairs FILE --out scores.tsv")
    return 0


def _prune(options: argparse.Namespace, voice: Voice) -> int:
    done = prune(options.run, dry_run=options.dry_run)
    verb = "would be removed" if options.dry_run else "removed"
    for folder in done.remove if options.dry_run else ():
        voice.console.print(str(folder), soft_wrap=True)
    voice.tell(
        f"{counted(len(done.remove), 'checkpoint folder')} of ended units {verb}: {size_text(done.remove_bytes)} "
        f"({done.remove_bytes} bytes); results, logs and rankings stay as they are"
    )
    if done.kept:
        voice.tell(
            f"{len(done.kept)} of unfinished or failed units kept ({size_text(done.kept_bytes)}), since --resume goes on "
            "from them"
        )
    return 0


def _combine(options: argparse.Namespace, voice: Voice) -> int:
    done = combine(options.runs, options.out, reuse_older_code=options.reuse_older_code)
    for run, units in done.units.items():
        voice.tell(f"{run}: {counted(units, 'unit')}")
    if done.repeated:
        differing = f"; {done.conflict}" if done.conflict else ""
        voice.tell(
            f"{counted(done.repeated, 'unit')} that several runs have: taken from the first{differing}"
        )
    if done.unfinished:
        voice.tell(f"{counted(done.unfinished, 'unit')} unfinished or failed: left out")
    if done.lacking:
        voice.tell(
            f"{counted(done.lacking, 'configuration')} with fewer seeds or folds than others: ranked after those"
        )
    voice.tell("checkpoints stay where they are")
    voice.tell(f"rank it  python -m analysis {options.out}")
    return 0


if __name__ == "__main__":
    run_cli(lambda: main(sys.argv[1:], plain_console(WIDTH)))
