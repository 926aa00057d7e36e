"""The log of a step of phase 1 as another unit can take it over: without what each unit's own energy says."""

from typing import Any

from harness.trial.step.trainer import StepLog, Trainer


def stored_log(log: StepLog, trainer: Trainer) -> dict[str, Any]:
    """Plain data and tensors; parameters go by their names."""
    names = {parameter: name for name, parameter in trainer.named_parameters().items()}
    reported = trainer.model.energy.report()
    return {
        "loss": log.loss,
        "grad_norm": log.grad_norm,
        "values": dict(log.values),
        "weights": dict(log.weights),
        "shares": {term: list(share) for term, share in log.shares.items()},
        "state": {name: value for name, value in log.state.items() if name not in reported},
        "norms": {names[parameter]: norm for parameter, norm in log.norms.items()},
    }


def log_of(stored: dict[str, Any], trainer: Trainer) -> StepLog:
    """The log as the trainer would have made it, whose energy rests in phase 1: neither gate nor hidden name."""
    parameters = trainer.named_parameters()
    reported = {name: float(value) for name, value in trainer.model.energy.report().items()}
    return StepLog(
        loss=stored["loss"],
        grad_norm=stored["grad_norm"],
        values=stored["values"],
        weights=stored["weights"],
        shares={term: (norm, share) for term, (norm, share) in stored["shares"].items()},
        state=stored["state"] | reported,
        norms={parameters[name]: norm for name, norm in stored["norms"].items()},
    )
