"""One spelling per name: chromosomes are normalised, names that only spelling tells apart are refused."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence

import pandas as pd

from analysis.errors import UserError
from analysis.schema import MACRO, POOLED
from analysis.spelt import cell_line_word

PLAIN = re.compile(r"\d{0,3}[A-Za-z]{1,2}|[IVXLivxl]+")
"""Chromosomes that are written in capitals: X, MT, 2L, XVI; scaffolds such as chrUn_gl000220 are not."""
ACCESSION = re.compile(r"(?i)(NC_|CM)(\d{6})(?:\.\d+)?")
"""Human chromosomes in RefSeq (NC_000001 to NC_000024, NC_012920) and GenBank (CM000663 to CM000686)."""
GENBANK = 662
"""What the numbers of GenBank's accessions are above those of the chromosomes."""
MITOCHONDRIAL = 12920
ROMAN = re.compile(r"(?i)(?!x?$)(x{0,2})(ix|iv|v?i{0,3})")
"""1 to 29 in Roman numerals; X alone is the sex chromosome."""
NUMBERED = {"23": "x", "24": "y", "26": "m"}
"""Human chromosomes that some tools number: X, Y and the mitochondrial one."""
PATCH = re.compile(r"(?i)(chr[^_]+)_.*(?:hap\d*|alt|random|fix)")
"""UCSC's names of haplotypes, alternate and unplaced sequences and patches of a chromosome."""
PREFIX = re.compile(r"(?i)^chr(?:om(?:osome)?)?(?![a-z])|^chr")


def normal_chromosome(name: str) -> str:
    """`chr` and the chromosome without leading zeros: Chr1, CHR1, chr01, 1 -> chr1; chrx -> chrX; MT -> chrM.

    Scaffolds (`chrUn_GL000220`) become lower case. A name with nothing behind `chr` is empty; accessions
    (`NC_000002.11`) are no spelling of `chr...` and stay, in capitals.
    """
    short = re.sub(r"(?i)^chr", "", unicodedata.normalize("NFKC", name).strip())
    short = re.sub(r"^0+(?=\d)", "", short)
    if not short:
        return ""
    if ACCESSION.fullmatch(short):
        return short.upper()
    short = short.upper() if PLAIN.fullmatch(short) else short.lower()
    return "chrM" if short == "MT" else f"chr{short}"


def chromosome_word(name: str) -> str:
    """What two spellings of one chromosome share: `chr1`, `chr_1`, `chromosome1`, `1.0`, `chrI`, `NC_000001.10` and
    `CM000663.1` give "1", `chrX` and `chr23` give "x"."""
    short = PREFIX.sub("", unicodedata.normalize("NFKC", name).casefold().strip())
    accession = ACCESSION.fullmatch(short)
    if accession:
        number = int(accession[2]) - (GENBANK if accession[1] == "cm" else 0)
        if number == MITOCHONDRIAL:
            return "m"
        if 1 <= number <= 24:
            return NUMBERED.get(str(number), str(number))
    short = re.sub(r"\.0+$", "", short)
    parts = [re.sub(r"^0+(?=\d)", "", part) for part in re.split(r"[\W_]+", short) if part]
    word = "_".join(parts)
    roman = ROMAN.fullmatch(word)
    if roman:
        units = ("", "i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix").index(roman[2])
        return str(10 * len(roman[1]) + units)
    return NUMBERED.get(word, word)


def chromosome_word_of(names: Iterable[str]) -> Callable[[str], str]:
    """`chromosome_word` for data with these chromosomes. Where a number above 26 is among them (a dog has 38 autosomes),
    23, 24 and 26 are numbers and no other names of X, Y and M."""
    words = {name: chromosome_word(name) for name in names}
    if not any(word.isdigit() and int(word) > 26 for word in words.values()):
        return chromosome_word

    def word(name: str) -> str:
        short = name.removeprefix("chr")
        return short if short in NUMBERED else chromosome_word(name)

    return word


def refuse_alike(
    names: pd.Series, at: Callable[[int], str], *, what: str, word: Callable[[str], str]
) -> None:
    """Raise UserError when two different names [N] share their `word`; `at(i)` says where row i stands."""
    first = names.reset_index(drop=True).drop_duplicates()
    seen: dict[str, int] = {}
    for index, name in first.items():
        other = seen.setdefault(word(str(name)), int(str(index)))
        if other != index:
            raise UserError(
                f"{at(int(str(index)))}: {what} '{name}' is '{first[other]}' in another spelling ({at(other)}); "
                f"expected one spelling per {what}, and names that differ in letters or digits"
            )


def refuse_reserved(cell_lines: pd.Series, at: Callable[[int], str]) -> None:
    """Raise UserError for a cell line [N] that cannot be printed, has no letter or digit, or is called as the result
    tables call a mean.
    """
    first = cell_lines.reset_index(drop=True).drop_duplicates()
    for index, name in first.items():
        word = cell_line_word(str(name))
        if not str(name).isprintable():
            raise UserError(
                f"{at(int(str(index)))}: cell line {str(name)!r} has a character that cannot be printed; expected "
                "letters, digits, spaces and punctuation"
            )
        if not word:
            raise UserError(
                f"{at(int(str(index)))}: cell line '{name}' has no letter or digit; expected a name"
            )
        if word in (MACRO, POOLED):
            raise UserError(
                f"{at(int(str(index)))}: cell line '{name}' has a name that the result tables use themselves "
                f"({MACRO}: mean over cell lines, {POOLED}: all pairs together); expected another name"
            )


def spellings_note(written: Sequence[pd.Series], read: Sequence[pd.Series], shown: int = 8) -> list[str]:
    """One sentence on the chromosomes that were normalised, with the number of regions; none where none was."""
    table = pd.DataFrame({"written": pd.concat(written), "read": pd.concat(read)}).drop_duplicates()
    table["from"] = table["written"].str.extract(r"^(?:[^|]*\|)?([^:|]+):", expand=False)
    table["to"] = table["read"].str.extract(r"^(?:[^|]*\|)?([^:|]+):", expand=False)
    table = table[table["from"] != table["to"]]
    if table.empty:
        return []
    kinds = (table["from"] + " as " + table["to"]).value_counts(sort=False)
    named = [f"{kind} ({count})" for kind, count in list(kinds.items())[:shown]]
    more = f" and {len(kinds) - shown} more spellings" if len(kinds) > shown else ""
    return [f"chromosomes normalised in {len(table)} region names: {', '.join(named)}{more}"]


def patches_note(chromosomes: Sequence[pd.Series]) -> list[str]:
    """One sentence on regions of haplotypes, alternate or unplaced sequences and patches whose chromosome is there as
    well, with their number; none where there is none.
    """
    count = pd.concat(chromosomes, ignore_index=True).value_counts(sort=False)
    matches = {str(name): PATCH.fullmatch(str(name)) for name in count.index}
    of = {name: normal_chromosome(match[1]) for name, match in matches.items() if match}
    of = {name: chromosome for name, chromosome in of.items() if chromosome in count.index}
    if not of:
        return []
    first = min(of)
    return [
        f"elements on haplotypes, alternate or unplaced sequences and patches of a chromosome that is there as well: "
        f"{int(count[list(of)].sum())} on {len(of)} (the first is {first} beside {of[first]}); they are taken for "
        "chromosomes of their own, and no overlap is seen between them"
    ]
