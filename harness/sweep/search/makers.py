"""Who trains a phase 1 that several trials have in common, and who waits for it."""

Prefix = tuple[str, str]
"""Key of a phase 1, fold."""


class Makers:
    """Of trials that have phase 1 in common, the first to begin trains it, and the others begin when it is there.

    A maker that ends before, however, leaves its place to the next: nobody waits for the dead. What is known here is
    forgotten with the driver, and costs a new start nothing: who begins first then takes what is on disk.
    """

    def __init__(self) -> None:
        self._makers: dict[Prefix, tuple[str, int]] = {}
        """Phase 1 -> Tune's name of the trial that trains it, and after how many epochs it is there."""
        self._made: set[Prefix] = set()

    def ready(self, prefix: Prefix | None) -> bool:
        """Whether a trial with this phase 1 may begin."""
        return prefix is None or prefix in self._made or prefix not in self._makers

    def begin(self, name: str, prefix: Prefix | None, epochs: int) -> None:
        """A trial begins; `epochs` of phase 1."""
        if prefix is not None and prefix not in self._made:
            self._makers.setdefault(prefix, (name, epochs))

    def reached(self, name: str, epoch: int) -> None:
        """A trial has come to the end of an epoch."""
        self._made |= {
            prefix for prefix, (maker, epochs) in self._makers.items() if maker == name and epoch >= epochs
        }

    def ended(self, name: str) -> None:
        """A trial will not go on."""
        self._makers = {prefix: maker for prefix, maker in self._makers.items() if maker[0] != name}
