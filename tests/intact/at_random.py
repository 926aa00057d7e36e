"""`python -m tests.intact.at_random N`: trials of random settings that nobody has broken, and whom the audit accuses."""

import argparse
import math
import random
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from analysis.errors import UserError, run_cli
from analysis.paths import user_path
from harness.config.blocks.data import DataBlock
from harness.config.blocks.explain import ConfigError
from harness.config.blocks.trial import ConfigurationBlock
from harness.config.space.compose import SEARCH_SPACES, compose, load_preset
from harness.data.folds import make_folds
from harness.data.store import open_dataset
from harness.shell import terminal
from harness.trial.device import exact_float32
from harness.trial.unit_run import UnitRun
from tests.intact.factors import ENERGIES, FACTORS, LONG, SCOPES, SHORT, Changes
from tests.intact.options import parser_of
from tests.intact.run import Outcome, trained, unit_of

SIZES: Changes = {"model.embedding": 4, "model.kernel": 5, "model.width": 8, "model.pool": 12}
LINES = (5, 6, 7, 9, 13, 20, 34)
FORMS = ("gated", "linear", "interaction", "modulated")
TRIES = 200
"""Settings that are drawn for one trial until some go together."""
TRUE = "there is nothing to rank"
"""The end of an accusation that drawn settings can deserve: one pair of each cell line in every query set."""
DESCRIPTION = """Trials with a random preset, energy, environment, sampler, balance, decoupling, weights, sizes, data and
seed under `audit: strict`: the matrix of `tests.intact` has each setting, and these have what nobody thought of. Trial K
is the same on every machine. The exit status is 1 where somebody is accused.

examples:
  python -m tests.intact.at_random 50
  python -m tests.intact.at_random 1 --start 20109     # one again
  python -m tests.intact.at_random 20 --data ~/pairs --device cuda"""


class RandomTrial(NamedTuple):
    config: ConfigurationBlock
    data: DataBlock
    seed: int
    told: str
    """What was drawn, for a person."""


def random_trial(number: int, root: Path | None = None) -> RandomTrial:
    """Trial `number`; of the real pairs in `root`. Raises UserError where no drawn settings go together."""
    source = random.Random(number)
    for _ in range(TRIES):
        preset, changes = _drawn(source)
        changes |= LONG if root else {}
        lines, seed, form = source.choice(LINES), source.randrange(1000), source.choice(FORMS)
        try:
            config = compose(load_preset(preset), changes).resolved(gpu=False)
        except ConfigError:
            continue
        told = f"{preset}, seed {seed}, {'real pairs' if root else f'{lines} lines, {form}'}: {changes}"
        return RandomTrial(config, _data(lines, form, root), seed, told)
    raise UserError(f"trial {number}: none of {TRIES} drawn settings go together")


def _data(lines: int, form: str, root: Path | None) -> DataBlock:
    if root:
        return DataBlock(root=root, contradictions="drop")
    small = {"pairs_per_cell": 160, "chromosomes": 4, "motifs": 4, "enhancer_bp": 80, "promoter_bp": 100}
    return DataBlock.model_validate({"synthetic": {"form": form, "cell_lines": lines, **small}})


def _drawn(source: random.Random) -> tuple[str, Changes]:
    """A preset, and changes of its sizes and of one to four things more."""

    def weight() -> float:
        return math.exp(source.uniform(math.log(0.01), math.log(2)))

    preset = source.choice(sorted(file.stem for file in (SEARCH_SPACES / "presets").glob("*.yaml")))
    base = load_preset(preset)
    epochs = source.choice([1, 2, 3])
    changes = {
        **SHORT,
        **SIZES,
        "optimiser.epochs": epochs,
        "optimiser.steps_per_epoch": source.choice([1, 2, 3, 5, 8]),
        "optimiser.lr": math.exp(source.uniform(math.log(1e-4), math.log(3e-2))),
        "episode.per_step": source.choice([1, 2, 3, 4, 6, 8]),
        "episode.query": source.choice([4, 8, 16, 32]),
        "support.size": source.choice([2, 4, 8, 16, 32]),
        "support.draws": source.choice([1, 2, 3]),
    }
    if base.get("model", {}).get("bottleneck") is not None:
        changes["model.bottleneck"] = 4
    if base.get("curriculum", {}).get("phase1_epochs", 0):
        changes["curriculum.phase1_epochs"] = source.choice([0, 1]) if epochs > 1 else 0
    if base.get("balance", {}).get("kind") == "ramp":
        changes["balance.epochs"] = source.choice([0.5, 1.0])
    factors = ("environment", "temperature", "balance", "sampler", "encoder", "decoupling")
    more: list[Changes] = [source.choice(list(FACTORS[factor].values())) for factor in factors]
    kinds = ["pull", "hinged", "contrastive"]
    more += [
        {"energy.form": source.choice(ENERGIES)},
        {"environment.scope": source.choice(SCOPES)},
        {"loss.contrastive.weight": weight()},
        {"loss.prototypes.weight": weight(), "loss.prototypes.kind": source.choice(kinds)},
        {"loss.ranking.weight": weight()},
        {"loss.sparsity.z_e": weight()},
        {"episode.pseudo_unseen": source.choice([0.1, 0.5, 0.9])},
        {"support.labels": source.choice([True, False])},
        {"model.dropout": source.choice([0.0, 0.1, 0.5])},
    ]
    for change in source.sample(more, source.choice([1, 2, 3, 4])):
        changes |= change
    return preset, changes


def run(number: int, cache: Path, folder: Path, root: Path | None = None, device: str = "cpu") -> Outcome:
    """Train trial `number` to its end below `folder`."""
    trial = random_trial(number, root)
    windows = {"enhancer_bp": trial.config.model.enhancer_bp, "promoter_bp": trial.config.model.promoter_bp}
    crops: dict[str, Any] = {name: int(bp or 0) for name, bp in windows.items()}

    def begin() -> UnitRun:
        dataset = open_dataset(trial.data, **crops, cache=cache, progress=False)
        fold = make_folds(dataset, trial.data)[0]
        return unit_of(trial.config, dataset, fold, folder, seed=trial.seed, device=device)

    return trained(str(number), trial.config, begin)


def undeserved(outcome: Outcome) -> list[str]:
    """Accusations of what nobody broke, and how a trial ended that was not accused."""
    told = [sentence for sentence in outcome.accusations if not sentence.endswith(TRUE)]
    deserved = len(told) < len(outcome.accusations)
    # What else such a ranking is said not to read follows from it.
    return [sentence for sentence in told if not (deserved and "loss.ranking." in sentence)]


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    if arguments.count < 1:
        raise UserError(f"N is {arguments.count}: expected at least 1")
    if arguments.start < 0:
        raise UserError(f"--start {arguments.start}: expected 0 or more")
    exact_float32()
    console, guilty = terminal.console(), 0
    for number in range(arguments.start, arguments.start + arguments.count):
        with tempfile.TemporaryDirectory(prefix="intact-") as folder:
            outcome = run(number, arguments.cache, Path(folder), arguments.data, arguments.device)
        told = undeserved(outcome)
        guilty += bool(told)
        console.print(f"{number}  {outcome.status}  {outcome.seconds} s", highlight=False)
        for sentence in told:
            console.print(f"  {sentence}", style="red", markup=False, highlight=False, soft_wrap=True)
        if told:
            drawn = random_trial(number, arguments.data).told
            console.print(f"  {drawn}", markup=False, highlight=False, soft_wrap=True)
    console.print(f"{arguments.count} trials; somebody is accused in {guilty}", highlight=False)
    return 1 if guilty else 0


def _parser() -> argparse.ArgumentParser:
    parser = parser_of("tests.intact.at_random", DESCRIPTION)
    parser.add_argument("count", type=int, metavar="N", help="how many trials, of some 5 to 20 s each")
    parser.add_argument(
        "--start", type=int, default=0, metavar="K", help="number of the first (default: %(default)s)"
    )
    parser.add_argument(
        "--data", type=user_path, metavar="FOLDER", help="real pairs in place of planted ones"
    )
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"), help="default: %(default)s")
    return parser


if __name__ == "__main__":
    run_cli(main)
