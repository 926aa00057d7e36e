"""The data block: where pairs come from and which cell lines and chromosomes are held out."""

from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from analysis.errors import UserError, nearest
from analysis.nearest_path import nearest_path
from harness.config.blocks.block import Before, Block

Contradictions = Literal["refuse", "drop"]
CONTRADICTIONS = "pairs with both labels in one cell line: refuse the data, or drop these pairs (refuse)"
"""Help of the option of that name."""
Share = Annotated[float, Field(ge=0.0, le=1.0)]


class SyntheticBlock(Block):
    """The synthetic benchmark with known truth: planted motifs, continuous environments, a chosen energy form."""

    form: Literal["linear", "interaction", "gated", "modulated"] = "gated"
    """Energy that labels are drawn from."""
    cell_lines: int = Field(16, ge=4, le=200)
    pairs_per_cell: int = Field(320, ge=20, le=100000)
    chromosomes: int = Field(8, ge=2, le=22)
    enhancer_bp: int = Field(160, ge=80, le=5000)
    promoter_bp: int = Field(240, ge=80, le=10000)
    motifs: int = Field(6, ge=1, le=32)
    """Planted motifs that make U_I."""
    environment_dim: int = Field(2, ge=1, le=16)
    """Dimension of each cell line's environment vector v_c."""
    strength: float = Field(3.0, gt=0.0, le=20.0)
    """Standard deviation of the planted U_I in logits."""
    label_noise: Share = 0.0
    """Share of labels flipped (planted fault)."""
    uninformative_environment: bool = False
    """Planted fault: sequences carry no trace of v_c."""
    training_shortcut: Share = 0.0
    """Planted fault: probability that a positive of a training cell line carries a motif that means nothing elsewhere."""
    composition_fingerprint: Annotated[Share, Before(0.0)] = 0.0
    """Planted fault: share of the bases of a training cell line that are drawn anew with its own preferences of what
    follows what, whatever the label: the mean composition of a support set tells the line again, a single pair
    hardly, and neither says anything of a line that was never met."""
    promoter_shortcut: Share = 0.0
    """Planted fault: share of the potential that the promoter alone decides."""
    seed: int = Field(0, ge=0)


class FoldBlock(Block):
    """One fold: unseen test and validation cell lines, and the chromosomes held out of training."""

    test: list[str] = Field(min_length=1)
    """Unseen cell lines used for reporting only."""
    val: list[str] = Field(min_length=1)
    """Unseen cell lines used for model selection."""
    chromosomes: list[str] = Field(min_length=1)
    """Chromosomes of all unseen evaluation, and of val_seen; no region overlapping them is trained on."""

    @property
    def content(self) -> tuple[frozenset[str], ...]:
        """What it is, in whatever order its names are given."""
        return frozenset(self.test), frozenset(self.val), frozenset(self.chromosomes)


def _kind_of_folds(folds: object) -> str:
    return "list" if isinstance(folds, list) else "word"


Folds = Annotated[
    Annotated[Literal["one", "each cell line"], Tag("word")]
    | Annotated[list[FoldBlock], Field(min_length=1), Tag("list")],
    Discriminator(_kind_of_folds),
]
"""A word for folds that follow from the data, or a list of them."""


class DataBlock(Block):
    """Exactly one of `root` (a dataset folder) and `synthetic`."""

    root: Annotated[Path, Field(strict=False)] | None = None
    """Folder in the PRISM CSV layout or with pairs/enhancers/promoters as Parquet."""
    synthetic: SyntheticBlock | None = None
    contradictions: Annotated[Contradictions, Before("refuse")] = "refuse"
    """Pairs of `root` with both labels in one cell line: refuse the data, or drop these pairs and say how many."""
    folds: Folds = "one"
    """one: one sensible fold; each cell line: a fold per cell line as test, the next by name as validation; or a list of
    folds. The default is that of the sweep's design."""
    chromosomes: Annotated[list[str], Field(min_length=1)] | None = None
    """Chromosomes held out by every fold that is not listed; the source's own, or a quarter of the pairs, when absent."""

    @model_validator(mode="after")
    def _one_source(self) -> "DataBlock":
        if (self.root is None) == (self.synthetic is None):
            raise ValueError("data needs exactly one of root and synthetic")
        if self.chromosomes is not None and isinstance(self.folds, list):
            raise ValueError(
                "data.chromosomes has no meaning beside a list of folds, each of which names its own"
            )
        if self.root is None and self.contradictions != "refuse":
            raise ValueError(
                f"data.contradictions: {self.contradictions} acts on the pairs of data.root; synthetic pairs have none"
            )
        return self

    @field_validator("root")
    @classmethod
    def _home(cls, root: Path | None) -> Path | None:
        return root if root is None else _expanded(root)

    @property
    def origin(self) -> str:
        """Where the data come from, in words for messages and provenance."""
        return f"synthetic:{self.synthetic.form}" if self.synthetic is not None else str(self.root)


def _expanded(path: Path) -> Path:
    """The path with a leading `~` or `~name` as the home folder; raises ValueError for a user without one."""
    try:
        return path.expanduser()
    except RuntimeError:
        raise ValueError(f"data.root: {path} names no user's home folder; expected a folder") from None


def parse_source(text: str, contradictions: Contradictions = "refuse") -> DataBlock:
    """The data block of a command line's `ROOT` or `synthetic:FORM`; `contradictions` as in the block.

    Raises
    ------
    UserError
        for a form that the synthetic benchmark does not have, or a folder that is not there.
    """
    kind, _, form = text.partition(":")
    if kind == "synthetic":
        forms = get_args(SyntheticBlock.model_fields["form"].annotation)
        if form and form not in forms:
            raise UserError(
                f"'{text}': the synthetic benchmark has the forms {', '.join(forms)}{nearest(form, forms)}"
            )
        if contradictions != "refuse":
            raise UserError(
                f"--contradictions {contradictions}: '{text}' has none; it acts on a dataset folder"
            )
        return DataBlock(synthetic=SyntheticBlock.model_validate({"form": form} if form else {}))
    try:
        root = _expanded(Path(text))
        there = root.is_dir()
    except ValueError as error:
        raise UserError(str(error)) from None
    except OSError as error:
        raise UserError(
            f"'{text[:60]}' cannot be read: {error.strerror} (expected a dataset folder)"
        ) from None
    if not there:
        hint = nearest_path(root, Path.is_dir)
        raise UserError(
            f"{root}: there is no such folder (expected a dataset folder, or synthetic:FORM){hint}"
        )
    return DataBlock(root=root, contradictions=contradictions)
