"""The k-mer stem by the plain route, in place of the fast one."""

from torch import Tensor

from models.sequence.stem import KmerStem


class PlainStem(KmerStem):
    """A KmerStem whose `peaks` are Embedding -> Conv1d -> ReLU -> MaxPool1d; same parameters, same result.

    It folds no table: `table` is the embedding itself, so that a network which shares one runs unchanged.
    """

    @classmethod
    def of(cls, stem: KmerStem) -> "PlainStem":
        """A plain stem with a copy of the parameters of `stem`."""
        width, embedding, kernel = stem.weight.shape
        plain = cls(embedding, kernel, width, stem.pool, stem.dropout.p)
        plain.load_state_dict(stem.state_dict())
        plain.dropout.stream = stem.dropout.stream
        return plain.to(stem.weight)

    def table(self) -> Tensor:
        return self.embedding

    def peaks(self, tokens: Tensor, table: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self.plain_peaks(tokens)
