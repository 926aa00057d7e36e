"""Configurations that a sampler proposes, one after the other."""

from collections.abc import Iterator, Mapping
from typing import Any

from harness.config.blocks.design import Arm, Basis, Design, Varied, design
from harness.config.blocks.sweep import SamplerBlock

DEFAULT_TRIALS = 16
"""Configurations of a search whose YAML does not say."""


@design("search")
class Search(Design):
    """The sampler proposes `trials` configurations of the space, each in the light of those that ran."""

    searched = True
    scheduler = "asha"
    runs = "proposes configurations one by one"

    def needs(self, space: Mapping[str, Any]) -> str:
        return "" if space else "needs a space to search; use design: grid to run the base alone"

    def faults(self, space: Varied) -> Iterator[tuple[str, str]]:
        yield from ()

    def arms(self, basis: Basis) -> list[Arm]:
        return []

    def trials(self, asked: int | None, basis: Basis) -> int:
        return asked or DEFAULT_TRIALS

    def words(self, sampler: str) -> str:
        return sampler

    def advice(self, sampler: SamplerBlock, asked: int | None, space: Varied) -> Iterator[str]:
        size = space.size()
        if sampler.kind == "tpe" and asked is not None and sampler.startup >= asked:
            yield (
                f"sampler.startup {sampler.startup} is not below trials {asked}, so every "
                "configuration is drawn at random and TPE never starts"
            )
        if size is not None and asked is not None and asked > size:
            yield f"the space has at most {size} different configurations and trials asks for {asked}"
