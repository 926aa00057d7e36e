"""What the documents say that record points raised: one row per record point, rule and value, with the sentence."""

from typing import NamedTuple


class Documented(NamedTuple):
    """One warning of a record point: the worst value, in which cell line, and where a document says it in which words."""

    point: str
    rule: str
    value: float
    line: str | None
    quote: str
    source: str


_COLLAPSE = "记录点9 的表现与记录点8 几乎完全一致，呈现出典型的**模式坍缩 (Mode Collapse)** 特征"
_RECALL = "Recall 全线为 1.0000，Precision 全线约为 0.5000"
_LOW = "Threshold 收敛到 0.0100"
_GAP = r"泛化 gap 达到 $\Delta_{\text{gen}} = 0.2954$"
_NINE = "the two are equal to the last digit, so one was never measured"
_TWELVE = "its table equals rp12's in every digit"
DOCUMENTED = (
    *(
        row
        for point in ("rp08", "rp09")
        for row in (
            Documented(point, "mode_collapse", 0.5488, "pooled", _COLLAPSE, "002"),
            Documented(point, "threshold_low", 0.01, None, _LOW, "002"),
            Documented(point, "loose_boundary", 1.0, None, _RECALL, "002"),
            Documented(
                point,
                "duplicate_results",
                32,
                None,
                _NINE,
                "references",
            ),
        )
    ),
    Documented("rp11", "threshold_low", 0.01, None, "F1 极低", "000"),
    Documented("rp12", "duplicate_results", 40, None, _TWELVE, "references"),
    Documented("rp13", "duplicate_results", 40, None, _TWELVE, "references"),
    Documented("rp24", "overfit_train", 0.9653, None, "- **训练 AUPR > 0.95**", "004"),
    Documented("rp24", "generalisation_gap", 0.9653 - 0.6937, "macro", "- **泛化 gap > 0.2**", "004"),
    Documented(
        "rp24",
        "threshold_high",
        0.95,
        "pooled",
        "24,0.9653,0.6937,0.6994,0.6792,0.8289,0.5753,0.9500",
        "overall",
    ),
    Documented("rp24", "loose_boundary", 0.8289, "pooled", "- **Recall > 0.8 且 Precision < 0.6**", "004"),
    Documented("rp25", "overfit_train", 0.9789, None, "而 AUPR 从 0.6676 上升至 0.9789", "004"),
    Documented("rp25", "negative_loss", -1.2517, None, "训练损失从 -0.0939 单调下降至 -1.2517", "004"),
    Documented("rp25", "generalisation_gap", 0.2954, "macro", _GAP, "004"),
    Documented("rp25", "threshold_low", 0.01, "GM12878", "阈值仅需 0.01-0.04 即可达到最佳 F1", "004"),
    Documented("rp25", "loose_boundary", 0.9209, "Ovary", "- **Recall > 0.8 且 Precision < 0.6**", "004"),
    Documented("rp22", "overfit_train", 0.9672, None, "过拟合加剧", "003"),
    Documented("rp11", "not_learning", 0.5254, "pooled", "训练集曲线快速贴近 1，测试集却接近随机", "000"),
    Documented("rp25", "train_spike", 0.8941, None, "AUPR 从 0.6676 上升至 0.9789", "004"),
)
"""The warnings that documents speak of and the files of results have the numbers for."""
