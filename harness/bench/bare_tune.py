"""`python -m harness.bench.bare_tune FOLDER TRIALS`: as many trials through Ray Tune that do nothing, a line for each."""

import sys
from pathlib import Path
from typing import Any

from ray.tune import Callback, CheckpointConfig, RunConfig, Trainable, TuneConfig, Tuner
from ray.tune.search import Searcher

from harness.sweep.cluster.cluster import cluster


class Idle(Trainable):
    """A trial that has ended when it is asked to begin, in a process that is used again."""

    def setup(self, config: dict[str, Any]) -> None:
        self.config = config

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        return True

    def step(self) -> dict[str, Any]:
        return {"objective": 0.0, "done": True}


class Counting(Searcher):
    """Proposes a number after the other."""

    def __init__(self, trials: int) -> None:
        super().__init__(metric="objective", mode="max")
        self.left = trials

    def suggest(self, trial_id: str) -> dict[str, Any] | None:
        if self.left <= 0:
            finished: Any = Searcher.FINISHED
            return finished
        self.left -= 1
        return {"number": self.left}

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Nothing is learned."""

    def save(self, checkpoint_path: str) -> None:
        Path(checkpoint_path).write_bytes(b"")

    def restore(self, checkpoint_path: str) -> None:
        raise NotImplementedError("nothing is resumed")


class Saying(Callback):
    """A line per trial that has ended."""

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        print(f"done {trial.trial_id}")


def main() -> None:
    folder, trials = Path(sys.argv[1]), int(sys.argv[2])
    with cluster(address=None, gpus=0):
        Tuner(
            Idle,
            tune_config=TuneConfig(search_alg=Counting(trials), num_samples=-1, reuse_actors=True),
            run_config=RunConfig(
                name="tune",
                storage_path=str(folder.absolute()),
                verbose=0,
                checkpoint_config=CheckpointConfig(checkpoint_frequency=0, checkpoint_at_end=False),
                callbacks=[Saying()],
            ),
        ).fit()


if __name__ == "__main__":
    main()
