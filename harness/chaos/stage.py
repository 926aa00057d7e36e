"""The sweep that is broken: a minute of tiny synthetic data with everything that a resumed unit has to remember."""

from pathlib import Path

EPOCHS, SEEDS = 6, 2
SWEEP = f"""\
# Does a broken sweep end as an unbroken one? Dropout, a learned temperature, grad_norm, a memory bank, contrastive.
name: chaos
base: complete
data:
  synthetic: {{form: gated, cell_lines: 6, pairs_per_cell: 60, enhancer_bp: 80, promoter_bp: 80, chromosomes: 4}}
use: [nan_on_demand.py]
trial: {{epochs: {EPOCHS}, seeds: {SEEDS}}}
objective: val_unseen/pooled/aupr
design: grid
space:
  energy.form: {{grid: [linear, gated]}}
scheduler: {{kind: none}}
track: [csv]
set:
  audit: "off"
  loss.nan_on_demand.weight: 0.01
  model.encoder: cnn
  model.embedding: 8
  model.width: 8
  model.kernel: 5
  model.bottleneck: 4
  model.enhancer_bp: 80
  model.promoter_bp: 80
  optimiser.steps_per_epoch: 1
  support.size: 4
  support.draws: 1
  episode.query: 8
  episode.per_step: 4
"""
TERM = '''\
"""A small pull on the logits, which is NaN for one step when a file `nan` lies beside this one."""

from pathlib import Path

from torch import Tensor

from harness.config.blocks.block import Block
from harness.config.blocks.loss import Weight, loss_block
from models.episode import Step
from models.losses import LOSSES, LossTerm
from models.losses.term import EVERY_SIDE, State

FLAG = Path(__file__).with_name("nan")


@loss_block("nan_on_demand")
class NanOnDemandBlock(Block):
    """Keeps logits near 0."""

    weight: Weight = 0.0


@LOSSES.register(
    "nan_on_demand",
    id="M90",
    name="NaN on demand",
    equation="mean l^2",
    shapes="[E, Q] -> scalar",
    source="harness.chaos",
)
class NanOnDemand(LossTerm):
    """mean l^2 over the queries."""

    key = "nan_on_demand"
    weight = "loss.nan_on_demand.weight"
    reach = EVERY_SIDE
    in_phase1 = False
    ramps = True
    reads = frozenset({"logit"})
    objectives = {("value", "SETG"): ("mean square of the logits", "down")}
    needs = frozenset()

    def forward(self, step: Step, state: State) -> tuple[Tensor, State]:
        value = step.logit.square().mean()
        try:
            FLAG.unlink()
        except OSError:
            return value, {}
        return value * float("nan"), {}
'''
FLAG = "nan"
"""Name of the file whose presence makes one step of one unit NaN."""


def set_stage(folder: Path) -> Path:
    """Write the sweep and its file of `use` into a folder; the path of the YAML."""
    folder.mkdir(parents=True, exist_ok=True)
    yaml = folder / "chaos.yaml"
    yaml.write_text(SWEEP)
    (folder / "nan_on_demand.py").write_text(TERM)
    return yaml
