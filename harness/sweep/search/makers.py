"""Who trains a phase 1 that several trials have in common, and who waits for it."""

Prefix = tuple[str, str]
"""Key of a phase 1, fold."""


class Makers:
    """Of trials that have phase 1 in common, the first to begin trains it, and the others begin when it is there.

    A maker that ends before, however it does, leaves its place to the next: nobody waits for the dead. What is known here
    is forgotten with the driver, and that costs a new start nothing: who begins first then takes what is on disk.
    """

    def __init__(self) -> None:
        self._at_work: dict[str, tuple[Prefix, int]] = {}
        """Tune's name of a trial -> the phase 1 that it trains, and after how many epochs that is there."""
        self._in_the_making: set[Prefix] = set()
        self._made: set[Prefix] = set()

    def ready(self, prefix: Prefix | None) -> bool:
        """Whether a trial with this phase 1 may begin."""
        return prefix not in self._in_the_making

    def begin(self, name: str, prefix: Prefix | None, epochs: int) -> None:
        """A trial begins that was ready to; its phase 1 has so many epochs."""
        if prefix is not None and prefix not in self._made:
            self._at_work[name] = (prefix, epochs)
            self._in_the_making.add(prefix)

    def reached(self, name: str, epoch: int) -> None:
        """A trial has come to the end of an epoch."""
        prefix, epochs = self._at_work.get(name, (None, 0))
        if prefix is not None and epoch >= epochs:
            self._made.add(prefix)
            self.ended(name)

    def ended(self, name: str) -> None:
        """A trial will not go on, or nobody has to wait for it any more."""
        prefix, _ = self._at_work.pop(name, (None, 0))
        if prefix is not None:
            self._in_the_making.remove(prefix)
