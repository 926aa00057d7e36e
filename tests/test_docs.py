"""The pages of docs/: generated ones are as the code is now, and every source that the code names can be looked up."""

import re
from pathlib import Path

from analysis import schema_page
from analysis.rules import RULES
from harness.mechanisms import page as mechanisms_page
from harness.mechanisms.catalogue import catalogue
from tests.test_house import registries

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
SEED, RECORD, DEFINITION = r"\b00[0-4]\b", r"\brp\d\d\b", r"definitions, ([A-Z][a-z]+(?: [a-z]+)*|IMMAX)"
PAPER = r"([A-Z][\w-]+(?: den [A-Z]\w+)?)(?: and [A-Z][\w-]+| et al\.)? (\d{4})"


def anchors() -> set[str]:
    """What references.md and definitions.md explain: seed and record point numbers, name-year of papers, headings."""
    references = (DOCS / "references.md").read_text(encoding="utf-8")
    definitions = (DOCS / "definitions.md").read_text(encoding="utf-8")
    return {
        *re.findall(r"^### seed (\d{3})$", references, re.M),
        *re.findall(r'<a id="(\w+)">', references),
        *re.findall(r"^\| ([a-z]+-\d{4}) \|", references, re.M),
        *re.findall(r"^## (.+)$", definitions, re.M),
    }


def named(source: str) -> list[str]:
    """The anchors that a source names."""
    papers = [f"{name.split()[-1].lower()}-{year}" for name, year in re.findall(PAPER, source)]
    found = [*re.findall(SEED, source), *re.findall(RECORD, source), *re.findall(DEFINITION, source), *papers]
    return found + ["cross_attention"] * ("cross_attention" in source)


def sources() -> dict[str, str]:
    rows = {f"{kind}: {row.key}": row.source for kind, table in registries().items() for row in table}
    rows |= {f"mechanism: {row.key}": row.source for row in catalogue()}
    return rows | {f"rule: {rule}": cls.source for rule, cls in RULES.items()}


def test_every_source_can_be_looked_up() -> None:
    known, rows = anchors(), sources()
    assert len(rows) > 100
    assert {name: source for name, source in rows.items() if not named(source)} == {}
    assert {name: lost for name, source in rows.items() if (lost := set(named(source)) - known)} == {}


def test_the_check_of_sources_sees_what_is_missing() -> None:
    assert named("seeds 000 and 001; rp13; Guo et al. 2017, eq. 2; definitions, Sample scope") == [
        "000", "001", "rp13", "Sample scope", "guo-2017",
    ]  # fmt: skip
    assert "nobody-1900" not in anchors() and {"000", "rp04", "guo-2017", "Gauge"} <= anchors()


def test_generated_pages_are_as_the_code_is_now() -> None:
    for name, made, command in (
        ("mechanisms.md", mechanisms_page.page(), "python -m harness.mechanisms --markdown"),
        ("store.md", schema_page.page(), "python -m analysis schema"),
    ):
        assert (DOCS / name).read_text(encoding="utf-8") == made, f"run {command} > docs/{name}"


def test_links_and_pictures_of_the_pages_are_there() -> None:
    pages = [*DOCS.glob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
    links = [(page, link) for page in pages for link in re.findall(r"\]\(([^)#]+)", page.read_text("utf-8"))]
    assert len(links) > 5
    assert [link for page, link in links if "://" not in link and not (page.parent / link).exists()] == []
