"""Every reason that an audit may give, and every one for which a unit may end early, is Chinese in Chinese views."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

from analysis.__main__ import main
from analysis.errors import UserError
from analysis.language import catalogue
from analysis.language.catalogue import PLACE
from analysis.reported import AUDIT_STOP
from analysis.rules import RULES
from analysis.schema import TABLES
from harness.audit.examples import recorded
from harness.audit.finding import FATAL, MechanismFinding, fault, sentence
from harness.mechanisms.catalogue import catalogue as mechanisms
from harness.mechanisms.mechanism import GROUPS
from models.losses import LOSSES
from tests.analysis.sentences import TOLD, sentences
from tests.analysis.test_language import ZH, english, words_of
from tests.narrow import present
from tests.parsed import parsed, walked
from tests.recorded.copies import Copy, write, write_run, write_unit

ROOT = Path(__file__).parents[2]
REASONS = Path(__file__).with_name("audit_reasons.txt").read_text(encoding="utf-8").splitlines()
"""What audits said of trials that were sabotaged or taught wrongly, of each kind one."""
JUDGES = sorted((ROOT / "harness" / "audit").rglob("*.py"))
LEDGER = sorted((ROOT / "analysis" / "ledger").glob("*.py"))
TRIAL = sorted((ROOT / "harness" / "trial").rglob("*.py"))
COMMANDS = frozenset(
    {"__main__.py", "example_command.py", "outcome.py", "patch.py", "rehearsal.py", "sabotage.py"}
)
"""Modules that tell a person of a patch, in English."""
PUT_TOGETHER = frozenset({"summary", "lines", "fault", "sentence"})
"""Functions of `harness.audit.finding` for logs, and two that are asked below."""
CHECKS = re.split(
    r", | or ", TABLES["audit"].field("check").metadata[b"doc"].decode().partition(": ")[2].partition(";")[0]
)
COMPOSED = frozenset(
    [
        "enhancer and promoter",
        "dependence of table {t!}",
        "predicted logits of split {s!}",
        "the step cannot be computed again in float64: {error=}",
        "the step cannot be computed again in float64: {error=} ({file!} line {n#})",
        "the objective is reported as {a#}, and {path!} of the corrected score is {b#}",
        "{where}: a posterior mean is lacking",
        "{where}: a posterior mean is recorded and none acts",
    ]
)
"""Sentences of which no module has the words together."""
NAMES = frozenset({"loss term x.y_1 "})
"""Texts that are compared and never told."""
ENDED = (
    "epoch 2: loss term task is nan at step 3",
    "epoch 2: scores of split train are not finite",
    "2 of 3 units diverged: epoch 1: the gradient norm is nan at step 3",
    "1 of 3 units diverged: in an earlier start",
    "after epoch 3, in its last evaluation: the logit is not finite at step 9",
    "after epoch 3, in the audit at its end: the logit is not finite at step 9",
    "epoch 4: environment.encoder.phi.0.weight is not finite at step 12",
    "warning rule overfit_train, loss_negative (named in stop)",
    "the spread of logits vanished (1.2e-07 within cell lines for two epochs)",
    "its worker died 3 times",
    "its worker died too often",
    "pruned after epoch 2: objective 0.5123 is worse than the median 0.6001 of 4 others",
    "pruned after epoch 2: objective 0.5123 is not among the best 1/3",
)
"""Reasons in table `units` for which a unit ended before its last epoch."""


def said(text: str) -> str:
    return present(catalogue("zh"))(text)


def identifiers() -> set[str]:
    """Words in the names of mechanisms, columns and tensors."""
    columns = {name for table in TABLES.values() for name in table.names}
    keys = [*(row.key for row in mechanisms()), *columns, *(row.id for row in mechanisms())]
    nouns = [
        "nan",
        "task",
        "train",
        "test",
        "kl",
        "lam",
        "True",
        "trial",
        "sampler",
        "support",
        "prediction",
        "optimiser",
    ]
    nouns += [
        "energy",
        "record",
        "memory",
        "balance",
        "data",
        "sequence",
        "chance",
        "labels",
        "table",
        "earlier",
    ]
    return {word for key in [*keys, *nouns] for word in re.findall(r"[A-Za-z]+", key)}


@pytest.mark.parametrize("file", [*JUDGES, *LEDGER, *TRIAL], ids=lambda file: str(file.relative_to(ROOT)))
def test_what_a_module_may_say_is_in_chinese(file: Path) -> None:
    """Of the trial's modules the errors of which a unit ends as diverged."""
    kinds = NAMES | {row.kind for row in mechanisms()} | set(CHECKS)
    if file in JUDGES and file.name in COMMANDS:
        return
    for place, text, filled in sentences(file, only=TOLD if file in TRIAL else (), functions=PUT_TOGETHER):
        if text in kinds:
            continue
        chinese = said(text)
        assert english(chinese) == [], f"{place}: {text}"
        assert [each for each in filled if each not in chinese] == [], (
            f"{place}: a place of it is lost: {text}"
        )


def test_texts_are_read_where_they_stand() -> None:
    """The reader of the sources sees what there is to be seen."""
    texts = {file.name: [text for _, text, _ in sentences(file)] for file in JUDGES}
    assert len([text for file in JUDGES for text in texts[file.name] if file.name not in COMMANDS]) > 250
    assert "an episode repeats a pair" in texts["batch_contract.py"], "one of two"
    assert "x.y_1 pairs are in support and query alike" in texts["batch_contract.py"], "the other one"
    assert "its gradient is 1.00% of the task's on the same parameters" in texts["terms.py"]
    assert not any("no window was read" in text for text in texts["sequences.py"]), "an error is no reason"
    assert not any("EncodedDataset" in text for text in texts["data_contract.py"]), "annotations are no texts"


def test_no_sentence_is_kept_that_nothing_says_any_more() -> None:
    """Of every sentence on audits the longest words between its places stand in some module."""
    modules = [*JUDGES, *LEDGER, *(ROOT / "models" / "losses").glob("*.py")]
    modules += [
        *TRIAL,
        *(ROOT / "harness" / "sweep").rglob("*.py"),
        ROOT / "harness" / "mechanisms" / "mechanism.py",
    ]
    constants = [
        node.value for file in modules for node in walked(parsed(file)) if isinstance(node, ast.Constant)
    ]
    written = "\n".join(text for text in constants if isinstance(text, str))
    sections = tomllib.loads(ZH.read_text(encoding="utf-8"))
    for section in ("audit_reasons", "ledger_faults", "ended_early"):
        for text in sections[section]:
            words = max(PLACE.sub("\0", text).split("\0"), key=len).strip(" ,:")
            assert words in written or text in COMPOSED, text


def test_every_verdict_and_check_is_in_chinese() -> None:
    for verdict in FATAL:
        for check in (*CHECKS, ""):
            finding = MechanismFinding("M22", "support", verdict, "it has no gradient at this state", check)
            for text in (
                sentence(finding),
                present(fault([finding])),
                present(fault([finding, finding, finding])),
            ):
                assert english(said(text), ["support"]) == [], text


def test_what_an_example_computed_is_in_chinese() -> None:
    values = {name for made in recorded().values() for name in made.values}
    assert len(values) > 100
    tail = "what runs here is not what was tested; where the change is meant, python -m harness.audit record"
    for value in values:
        text = said(f"in the example of preset rp24, {value} is another one, by 0.0021 of its size: {tail}")
        assert text.startswith("在预设 rp24 的样例中，"), value
        assert not {"of", "in", "after", "with", "is", "table", "step", "pairs"} & set(english(text)), text
    for name in (
        "preset rp24 at other values",
        "mechanism club at other values",
        "preset rp24 of long sequences",
    ):
        text = said(f"in the example of {name}, u of step 1 is another one, by 0.3 of its size: {tail}")
        assert not {"at", "other", "values", "of", "long", "sequences", "preset"} & set(english(text)), text


def test_what_loss_terms_declare_is_in_chinese() -> None:
    moved = {what for row in LOSSES for what, _ in row.cls.objectives.values()}
    assert "misordered pairs" in moved
    for name in (*moved, *GROUPS.values()):
        for form in ("its step on the {} (S) raises the x.y_1, where it declares to lower it",
                     "its step on the sequence side (S) lowers the {}, where it declares to raise it"):  # fmt: skip
            text = form.format(name)
            assert english(said(text), ["lam", "CE", "s"]) == [], text


@pytest.mark.parametrize("text", REASONS)
def test_a_reason_that_was_given_is_in_chinese(text: str) -> None:
    for whole in (text, AUDIT_STOP + text, f"in 1 of 3 configurations that have it: {text}"):
        assert english(said(whole), identifiers()) == [], said(whole)


@pytest.mark.parametrize("text", ENDED)
def test_why_a_unit_ended_early_is_in_chinese(text: str) -> None:
    assert english(said(text), identifiers()) == [], said(text)


def test_parts_of_a_sentence_are_put_together_in_chinese() -> None:
    assert said(
        "sampler is broken (contract): at step 1 of epoch 2, an episode mixes cell lines C4 and C2; cell_batch promises "
        "one (and 2 more: sampler, cell_batch)"
    ) == (
        "sampler 损坏（约定检查）：第 2 轮第 1 步，一个回合混入了细胞系 C4 与 C2；而 cell_batch 保证只有一个"
        "（另有 2 个：sampler, cell_batch）"
    )
    assert said(
        "M07 share_strands is inert (effect): a twin without it is the same: it does not act on predictions of trained "
        "cell lines: neutralised, none of split train changes"
    ) == (
        "M07 share_strands 惰性（效果检查）：去掉它的孪生训练与原来相同：它对训练过的细胞系的预测不起作用：把它置为中性，"
        "划分 train 的预测都不变"
    )
    assert said(
        "before the first step, fetal brain and C2 are related by 0; loss.contrastive.relations says 0.9"
    ) == ("第一步之前，fetal brain 与 C2 的关联权重为 0；而 loss.contrastive.relations 写的是 0.9")


def test_what_the_audit_stopped_is_told_in_chinese(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = write_run(tmp_path / "run", [Copy("aaa111", {}), Copy("bbb222", {"energy.form": "gated"})])
    for seed, reason in enumerate(REASONS[:2]):
        stopped = Copy(
            "ccc333", {"energy.form": "linear"}, status="stopped", unit={"reason": AUDIT_STOP + reason}
        )
        write_unit(run, stopped, seed)
    rows = [
        {"config": "bbb222", "fold": "chr8", "seed": 0, "moment": "last", "id": "M22" if at else "-",
         "mechanism": f"x.y_{at}", "verdict": "broken", "reason": _alone(text)}
        for at, text in enumerate(REASONS)
    ]  # fmt: skip
    write(run, "audit", "bbb222-chr8-0.parquet", rows)
    assert main([str(run), "--lang", "zh"]) == 0
    told = capsys.readouterr().out
    assert "M01 stem 惰性（输入检查）：它不读增强子" in told.replace("\n", "")
    names = identifiers() | {word for rule in RULES for word in rule.split("_")} | {"run"}
    assert english(told, names) == []
    assert main(["report", str(run), "--lang", "zh", "--out", str(tmp_path / "zh.html")]) == 0
    page = words_of(tmp_path / "zh.html")
    assert "M01 stem 惰性（输入检查）：它不读增强子" in page
    for text in REASONS:
        assert said(_alone(text)) in page, text


@pytest.mark.parametrize("command", [[], ["report"]])
def test_a_run_of_which_nothing_is_ranked_says_so_in_chinese(tmp_path: Path, command: list[str]) -> None:
    reason = "sampler is broken (contract): in batches drawn ahead, an episode repeats a pair (and 1 more: examples)"
    stopped = Copy("aaa111", {}, status="stopped", unit={"reason": AUDIT_STOP + reason})
    run = write_run(tmp_path / "stopped", [stopped], seeds=(0,))
    with pytest.raises(UserError) as told:
        main([*command, str(run), "--lang", "zh"])
    assert str(told.value) == (
        f"{run}：还没有可以排名的单元（已完成且有 val_unseen 结果）：1 个被审计停止；"
        "最先给出的原因来自审计：sampler 损坏（约定检查）：预先抽取的批次中，一个回合里样本对重复（另有 1 个：examples）"
    )


def _alone(text: str) -> str:
    """A reason as table `audit` has it: without whose it is, and without what else was found."""
    return re.sub(r" \(and \d+ more: .*\)$", "", text.split(": ", 1)[1])
