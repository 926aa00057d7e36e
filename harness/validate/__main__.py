"""`python -m harness.validate --out FOLDER`: how often each warning rule is right, and how often it is wrong."""

import json
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from analysis.arguments import command_parser
from analysis.errors import UserError, run_cli
from analysis.paths import user_path
from harness.shell import terminal
from harness.shell.arguments import whole
from harness.stamp.code import Code
from harness.store.writer import replace_atomically
from harness.trial.clock import Clock
from harness.validate import trials
from harness.validate.cases import Row, append, lines, planted_rows, trained_rows
from harness.validate.figures import (
    Proportion,
    RuleFigures,
    audited_without,
    faulty_recipes,
    faulty_shares,
    lesson_figures,
    rule_figures,
    seconds_by_recipe,
    summary,
)
from harness.validate.health import EndedTrials, TrialUnit, ended_trials
from harness.validate.markdown import decimals, groups_markdown, rules_markdown
from harness.validate.need import in_need
from harness.validate.planted import FAULTS

BEGIN = ("harness.validate.__main__",)
UNITS, TURNS = 150, 10
WANTED = tuple(fault.rule for fault in FAULTS)
"""Rules that are to be judged on enough healthy units."""
DESCRIPTION = """How often is each warning rule right? Faults are planted in doses into the records of healthy units, and
the rules judge both. Outside of CI: hundreds of small trials are trained, the seeds of a configuration as one stack.

healthy     real trials of a few seconds, of several recipes on data of every planted form. Healthy is, without any rule,
            what has no planted fault, finished, whose U_I has an unseen AUC with a lower 95 % bound above 0.5, and in whose
            configuration the audit found nothing inert or leaking.
faulty      real trials of recipes that are bound to have a fault: rp24 and rp25, of whose weights documents say that they
            are without effect, and Students of data whose cell lines differ in a marker that means nothing to U_I. They are
            counted apart, beside what measures the same without the rule: the audit, and labels.
planted     simulated summaries: the rows that a healthy unit left, changed as the fault would have changed them (scores
            are made anew where it acts on predictions). A warning on them is right.

Each recipe is trained on each form; then, turn by turn, those whose units are judged by a rule that has fewer than N yet.
Limits are tuned on half of the configurations; recall and false alarms are those of the limits in force on the other
half. FOLDER keeps trained units, trained.jsonl, cases.jsonl and report.jsonl, stamped with the hash of the code: what is
there is not done again, and a killed run goes on."""


def main() -> int:
    parser = command_parser("python -m harness.validate", DESCRIPTION)
    parser.add_argument("--out", type=user_path, required=True, metavar="FOLDER", help="where it is kept")
    parser.add_argument(
        "--healthy",
        type=whole("--healthy", 1),
        default=UNITS,
        metavar="N",
        help=f"healthy units that each rule is to be judged on ({UNITS})",
    )
    parser.add_argument("--trained", action="store_true", help="judge the trials that are there; train none")
    parser.add_argument("--markdown", action="store_true", help="the two tables as docs/ranking.md has them")
    options = parser.parse_args()
    console, out = terminal.console(), Path(options.out)
    if out.is_file():
        raise UserError(f"--out {out}: that is a file; expected a folder, which may be there already")
    out.mkdir(parents=True, exist_ok=True)
    began, arms = Clock.now(), trials.arms(list(trials.places(out)))
    if not options.trained:
        train(out, arms, options.healthy, console, began)
    ended = ended_trials(arms)
    if not ended.healthy:
        raise UserError(f"--out {out}: of {ended.ended} trials none is healthy; train more without --trained")
    report(out, ended, console, markdown=options.markdown)
    console.print(f"{began.cpu / 60:.0f} min of processor", highlight=False)
    return 0


def train(out: Path, arms: list[trials.SmallTrial], wanted: int, console: Console, began: Clock) -> None:
    """Train by turns until every rule can be judged on as many healthy units as are wanted, or nothing adds to it."""
    healthy: list[Row] = []
    for turn in range(TURNS):
        chosen = list(in_need(arms, turn, healthy, WANTED, wanted))
        for number, arm in enumerate(chosen):
            trials.train(arm, turn)
            place = f"turn {turn + 1}, {number + 1} of {len(chosen)}: {arm.name}"
            console.print(f"{place}; {began.cpu:.0f} s of processor so far", highlight=False)
        if not chosen:
            return
        healthy = judgements(out / "trained.jsonl", ended_trials(arms).healthy, Code.of(begin=BEGIN).hash)


def report(out: Path, ended: EndedTrials, console: Console, *, markdown: bool) -> None:
    """Judge what was not judged, and say what all of it comes to."""
    code = Code.of(begin=BEGIN).hash
    units = ended.healthy
    healthy, faulty, accused = (
        judgements(out / "trained.jsonl", each, code) for each in (units, ended.faulty, ended.accused)
    )
    for fault in FAULTS:
        done = {row["case"] for row in lines(out / "cases.jsonl", code) if row["rule"] == fault.rule}
        append(out / "cases.jsonl", planted_rows(fault, units, done), code)
    figures = rule_figures(lines(out / "cases.jsonl", code), healthy)
    text = "".join(
        json.dumps({**row, "code": code}) + "\n" for row in summary(figures, healthy, faulty, accused)
    )
    replace_atomically(out / "report.jsonl", text.encode())
    console.print(f"{len(units)} of {ended.ended} trials are healthy; code {code}", highlight=False)
    shares = faulty_shares(healthy)
    if markdown:
        print(f"{rules_markdown(figures)}\n{groups_markdown(shares)}")
    else:
        console.print(rules_table(figures))
        console.print(healthy_table(shares))
    without = audited_without(healthy, accused)
    console.print(
        f"inert_mechanism where health does not ask the audit: {without.hits} of {without.of}, up to "
        f"{without.bounds[1]:.3f}",
        highlight=False,
        soft_wrap=True,
    )
    for each in faulty_recipes(faulty):
        console.print(
            f"{each.recipe}, bound to have {each.rule}: raised in {each.raised.hits} of {each.raised.of} units, another "
            f"fault in {each.others}; without the rule it shows in {each.witnessed}, of which the rule accuses {each.both}",
            highlight=False,
            soft_wrap=True,
        )
    for taught in lesson_figures([*healthy, *faulty]):
        said = "; ".join(
            f"{verdict} {each.of}, of them accused {each.hits}" for verdict, each in taught.accused.items()
        )
        console.print(f"Students by the labels, {taught.recipe}: {said}", highlight=False, soft_wrap=True)
    seconds = seconds_by_recipe([*healthy, *faulty])
    taken = ", ".join(f"{name} {mean:.1f}" for name, mean in seconds.items())
    console.print(f"seconds of processor a trial: {taken}", highlight=False, soft_wrap=True)
    for rule in figures:
        console.print(Text(f"{rule.rule}: {rule.dose}", style="dim"))


def judgements(file: Path, units: list[TrialUnit], code: str) -> list[Row]:
    """What the rules say of units; `file` keeps what this code has judged."""
    known = {row["unit"] for row in lines(file, code)}
    append(file, trained_rows([unit for unit in units if unit.name not in known], FAULTS), code)
    names = {unit.name for unit in units}
    return [row for row in lines(file, code) if row["unit"] in names]


def rules_table(figures: list[RuleFigures]) -> Table:
    """One row per rule: recall and false alarms on the reporting half, false alarms of all healthy units, and precision,
    with the 95 % bounds."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    names = (
        "planted",
        "recall",
        "from",
        "false alarms",
        "up to",
        "of all healthy",
        "up to",
        "precision",
        "from",
        "tuned limit",
    )
    for name in ("rule", *names):
        table.add_column(name, justify="left" if name == "rule" else "right")
    for each in figures:
        tuned = "" if each.tuned is None else f"x {each.tuned:g}"
        recall = each.recall
        table.add_row(
            each.rule,
            *(str(recall.of), decimals(recall.value), decimals(recall.bounds[0])),
            *(text for alarms in (each.alarms, each.every) for text in _hits(alarms)),
            *(decimals(each.precision), decimals(each.worst_precision), tuned),
        )
    return table


def _hits(share: Proportion) -> tuple[str, str]:
    return (f"{share.hits} of {share.of}", decimals(share.bounds[1])) if share.of else ("-", "-")


def healthy_table(shares: dict[str, Proportion]) -> Table:
    """Healthy units that carry any fault, of all, by recipe and by form."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("healthy units", "number", "with a fault", "share", "up to"):
        table.add_column(name, justify="left" if name == "healthy units" else "right")
    for group, share in sorted(shares.items()):
        counted = (str(share.of), str(share.hits))
        table.add_row(group, *counted, decimals(share.value), decimals(share.bounds[1]))
    return table


if __name__ == "__main__":
    run_cli(main)
