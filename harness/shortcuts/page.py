"""The data report as one HTML page without scripts and without anything from elsewhere."""

import math
from typing import Any

from jinja2 import Environment

from harness.shortcuts.report import MEANING, DataReport
from harness.shortcuts.words import Words, cell

TEMPLATE = """<!doctype html>
<html lang="{{ language }}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ words("Data report: " ~ report.origin) }}</title>
<style>
body{font:15px/1.45 system-ui,"PingFang SC","Microsoft YaHei","Noto Sans CJK SC",sans-serif;
color:#222;max-width:72rem;margin:0 auto;padding:1rem}
h1{font-size:1.4rem;overflow-wrap:anywhere}h2{font-size:1.1rem;margin:1.6rem 0 .2rem}
p{margin:.2rem 0 .6rem;max-width:60rem}
.wide{overflow-x:auto}table{border-collapse:collapse;font-size:.88rem}
th,td{padding:.2rem .6rem;border-bottom:1px solid #ddd;text-align:left;vertical-align:top}
td.number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}td.short{white-space:nowrap}
.flag{border-left:.4rem solid #d55e00;background:#fdf3ec;padding:.4rem .8rem;margin:.4rem 0}
.none{border-left:.4rem solid #0072b2;background:#eef5fa;padding:.4rem .8rem}
svg{vertical-align:middle;margin-left:.4rem}
td.raised{color:#b34700;font-weight:600}
@media print{@page{size:A4;margin:15mm 14mm}body{font-size:11px;max-width:none;padding:0}.wide{overflow:visible}
td.short{white-space:normal}table{font-size:.95em}th,td{padding:.15rem .35rem}
tr,.flag{break-inside:avoid}h2,h2+p{break-after:avoid}}
</style></head><body>
<h1>{{ words("Data report: " ~ report.origin) }}</h1>
<p>{{ words("{:,} pairs; content hash {}.".format(report.pairs, report.hash[:16])) }}</p>
{% for flag in report.flags %}<p class="flag"><b>{{ flag }}</b>: {{ words(meaning[flag]) }}</p>
{% else %}<p class="none">{{ words("No split and no shortcut is flagged.") }}</p>{% endfor %}
{% for section in report.sections %}<section id="{{ section.key }}"><h2>{{ words(section.title) }}</h2>
<p>{{ words(section.sentence) }}</p>
{% if section.rows %}<div class="wide"><table><thead><tr>
{%- for name in section.rows[0] %}<th>{{ words(name) }}</th>{% endfor %}</tr></thead><tbody>
{% for row in section.rows %}<tr>{% for name, value in row.items() %}
{%- if value is number %}<td class="number">{{ shown(value) }}{% if name in section.bars %}{{ bar(value) }}{% endif %}</td>
{%- else %}<td class="{{ "short" if value | length < 24 }}{{ " raised" if name == "flag" and value }}">
{{- cell(name, value, words) }}</td>{% endif %}{% endfor %}</tr>
{% endfor %}</tbody></table></div>{% endif %}</section>
{% endfor %}{% if report.notes %}<section><h2>{{ words("What reading changed") }}</h2><ul>
{% for note in report.notes %}<li>{{ words(note) }}</li>{% endfor %}</ul></section>{% endif %}
</body></html>
"""
WIDTH = 80
"""Pixels of a bar of length 1."""


def shown(value: Any) -> str:
    """A number as tables show it: whole ones with thousands, others with three digits, nothing for NaN."""
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.3f}"
    return f"{value:,}"


def page(report: DataReport, words: Words = str, language: str = "en") -> str:
    """The page of a report, in a language."""
    environment = Environment(autoescape=True)
    # The only markup that is not escaped: numbers in a fixed frame.
    bar = environment.from_string(
        f'<svg width="{WIDTH}" height="9" role="img" aria-label="{{{{ "%.3f" % value }}}} of 1">'
        f'<rect width="{WIDTH}" height="9" fill="#e6e6e6"/><rect width="{{{{ width }}}}" height="9" fill="#0072b2"/></svg>'
    )

    def drawn(value: float) -> Any:
        known = not math.isnan(value)
        markup = environment.filters["safe"]
        return markup(bar.render(value=value, width=round(WIDTH * min(max(value, 0), 1), 1))) if known else ""

    return environment.from_string(TEMPLATE).render(
        report=report, meaning=MEANING, shown=shown, bar=drawn, words=words, cell=cell, language=language
    )
