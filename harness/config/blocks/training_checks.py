"""What training and prediction are configured for and could not do: sentences that a configuration is refused with."""

from collections.abc import Iterator, Mapping

from analysis.errors import UserError
from analysis.rules import check_limits
from harness.config.blocks.environment import EncodedEnvironmentBlock, EnvironmentBlock
from harness.config.blocks.environment_checks import relation_faults
from harness.config.blocks.loss import LossBlock
from harness.config.blocks.training import (
    BalanceBlock,
    CurriculumBlock,
    OptimiserBlock,
    PredictBlock,
    SupportBlock,
)


def limit_faults(limits: Mapping[str, float]) -> Iterator[str]:
    """A limit of a warning rule that there is not, or of a value that it cannot have."""
    try:
        check_limits(limits)
    except UserError as error:
        yield str(error)


def loss_faults(loss: LossBlock) -> Iterator[str]:
    """Keys of one loss term that leave it nothing to do, or contradict each other."""
    calibration, contrastive, competition = loss.calibration, loss.contrastive, loss.competition
    if calibration.variance_low > calibration.variance_high:
        yield (
            f"loss.calibration.variance_low {calibration.variance_low} is above variance_high "
            f"{calibration.variance_high}"
        )
    if contrastive.weight > 0 and contrastive.bank == 0:
        yield (
            "loss.contrastive.bank: 0 leaves no positives: the environments of a step are of different cell lines"
        )
    yield from relation_faults("loss.contrastive.relations", contrastive.relations)
    if competition.weight > 0 and competition.push == 0 and competition.pull == 0:
        yield "loss.competition.push and pull are both 0, which leaves the competition nothing to do"


def balance_faults(balance: BalanceBlock, curriculum: CurriculumBlock, alone: bool) -> Iterator[str]:
    """A ramp that is given twice, and a balance or a ramp where the task is the only loss term (`alone`)."""
    only = "the task is the only loss term, every other weight is 0"
    if balance.kind == "ramp" and curriculum.ramp_epochs > 0:
        yield (
            "balance.kind: ramp and curriculum.ramp_epochs are the same ramp, and both are given: leave one of them out"
        )
    if alone and curriculum.ramp_epochs > 0:
        yield f"curriculum.ramp_epochs has no weights to raise: {only}"
    if alone and balance.of_several:
        yield f"balance.kind: {balance.kind} has no {balance.of_several}: {only}"


def phase_faults(curriculum: CurriculumBlock, optimiser: OptimiserBlock) -> Iterator[str]:
    """A curriculum without a phase 2."""
    if curriculum.phase1_epochs >= optimiser.epochs and curriculum.phase1_epochs > 0:
        yield (
            f"curriculum.phase1_epochs {curriculum.phase1_epochs} leaves no epoch of phase 2 "
            f"in optimiser.epochs {optimiser.epochs}"
        )


def prediction_faults(
    support: SupportBlock, predict: PredictBlock, environment: EnvironmentBlock
) -> Iterator[str]:
    """Labels that no Student reads, and a choice between scores of which there is one."""
    if support.labels and environment.source != "support":
        yield "support.labels: true needs environment.source: support; nothing else reads labels"
    if predict.mode == "branch_select" and not isinstance(environment, EncodedEnvironmentBlock):
        yield (
            "predict.mode: branch_select chooses between U_I and the corrected score; "
            f"environment.source: {environment.source} has no corrected score"
        )
