"""BEDPE with a genome as a dataset: the same pairs and DNA as in other layouts, and assemblies that cannot be."""

from pathlib import Path

import pytest

from analysis.errors import UserError
from harness.config.blocks.data import DataBlock
from harness.data.fasta import Fasta
from harness.data.read import read
from harness.data.store import open_dataset
from tests.harness.new_pairs import bases, write_genome

CONTIGS = {"chr1": bases(1000), "chr2": bases(731, 1), "chrX": bases(60, 2)}


def write_dataset(root: Path, contigs: dict[str, str] = CONTIGS, header: str = "", rows: str = "") -> Path:
    """Two cell lines with two pairs each, on chr1 and chr2."""
    root.mkdir()
    write_genome(root / "genome.fa", contigs)
    rows = rows or "".join(
        f"chr{1 + at % 2}\t{100 * at}\t{100 * at + 60}\tchr1\t700\t790\t{line}\t{at % 2}\t+\t-\n"
        for line in ("GM12878", "K562")
        for at in (1, 2)
    )
    (root / "pairs.bedpe").write_text(header + rows)
    return root


def test_pairs_have_the_bases_of_their_intervals(tmp_path: Path) -> None:
    raw = read(write_dataset(tmp_path / "data"))
    assert raw.pairs["enhancer"].tolist()[:2] == ["chr2:100-160", "chr1:200-260"]
    assert raw.pairs["label"].tolist() == [1, 0, 1, 0]
    assert raw.pairs["cell_line"].tolist() == ["GM12878"] * 2 + ["K562"] * 2
    sequences = dict(zip(raw.enhancers["region"], raw.enhancers["sequence"], strict=True))
    assert sequences == {"chr2:100-160": CONTIGS["chr2"][100:160], "chr1:200-260": CONTIGS["chr1"][200:260]}
    assert raw.promoters["sequence"].tolist() == [CONTIGS["chr1"][700:790]]
    dataset = open_dataset(
        DataBlock(root=tmp_path / "data"),
        enhancer_bp=60,
        promoter_bp=90,
        cache=tmp_path / "cache",
        progress=False,
    )
    assert dataset.enhancer_sequence(int(dataset.enhancer_row[0])) == CONTIGS["chr2"][100:160]


def test_a_header_names_columns_and_a_prologue_is_skipped(tmp_path: Path) -> None:
    header = "# made by somebody\n#chrom1\tstart1\tend1\tchrom2\tstart2\tend2\tlabel\tcell_line\n"
    rows = "".join(f"1\t{at}\t{at + 50}\tchr2\t500\t580\t{at % 200 // 100}\tNHEK\n" for at in (100, 200))
    raw = read(write_dataset(tmp_path / "data", header=header, rows=rows))
    assert raw.pairs["cell_line"].tolist() == ["NHEK", "NHEK"]
    assert raw.pairs["label"].tolist() == [1, 0]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_any_interval_is_read_with_and_without_an_index(newline: str, tmp_path: Path) -> None:
    file = write_genome(tmp_path / "genome.fa", CONTIGS)
    file.write_bytes(file.read_bytes().replace(b"\n", newline.encode()))
    made = Fasta(file)
    width = 50 + len(newline)
    lines = [f"{name}\t{c.length}\t{c.offset}\t50\t{width}" for name, c in made.contigs.items()]
    assert [line.split("\t")[1] for line in lines] == ["1000", "731", "60"]
    (tmp_path / "genome.fa.fai").write_text("\n".join(lines) + "\n")
    for fasta in (made, Fasta(file)):
        for start, end in ((0, 1), (0, 731), (49, 51), (50, 100), (700, 731), (730, 731)):
            assert fasta.fetch("chr2", start, end) == CONTIGS["chr2"][start:end]
    for other in (lines[0].replace("1000", "999"), lines[0].replace("chr1", "chr2"), "chr1\t10", ""):
        (tmp_path / "genome.fa.fai").write_text(other + "\n")
        with pytest.raises(UserError, match=r"genome\.fa\.fai is no index of genome\.fa"):
            Fasta(file)


def test_other_spellings_and_uncertain_bases_are_told(tmp_path: Path) -> None:
    contigs = {"1": CONTIGS["chr1"], "2": "RYMN" * 183}
    raw = read(write_dataset(tmp_path / "data", contigs))
    assert raw.enhancers["sequence"].tolist()[0] == "N" * 60
    said = " ".join(raw.notes)
    assert "chromosomes that the FASTA calls otherwise: 2 (" in said
    assert "chr1 is 1 there" in said
    assert "knows no base (N alone): 1" in said


@pytest.mark.parametrize(
    ("contigs", "sentence"),
    [
        (
            {"chr1": bases(750), "chr2": bases(731)},
            r"line 1: promoter chr1:700-790 ends beyond chr1 of .*genome\.fa \(750 bp\), as do regions of 4 of 4 pairs: "
            "these coordinates are of another assembly",
        ),
        ({"chr1": bases(900)}, r"line 1: .*has no chromosome chr2.*\(2 of 4 pairs lie on one that it lacks"),
        ({"chr1": bases(900), "NC_000002.11": bases(731)}, "it has NC_000002.11, which may be the same"),
        ({"chr1": bases(900), "1": bases(900)}, "contigs chr1 and 1 are one chromosome in two spellings"),
        ({"chr1": bases(120) + "\n" + bases(900), "chr2": bases(731)}, "are not all of one length"),
    ],
)
def test_an_assembly_that_cannot_be_is_one_sentence(
    contigs: dict[str, str], sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=sentence):
        read(write_dataset(tmp_path / "data", contigs))


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ("chr1\t1\t9\tchr1\t20\t30\n", r"line 1: 6 columns; expected .* the cell_line in column 7 \(name\)"),
        ("chr1\tx\t9\tchr1\t20\t30\tK562\t1\n", "line 1: 'chr1 x 9 chr1 20 30' are no two regions"),
        ("chr1\t1\t9\tchr1\t20\t30\tK562\t7\n", "line 1: label '7' is not 0 or 1"),
        ("#only a comment\n", "holds no pairs"),
        ("#chrom1\tstart1\nchr1\t1\n", "its header has neither cell_line nor name"),
    ],
)
def test_bad_bedpe_is_one_sentence(rows: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=sentence):
        read(write_dataset(tmp_path / "data", rows=rows))
