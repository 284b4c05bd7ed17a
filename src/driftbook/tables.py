"""Tables and cards a person reads: one look, one number format, everywhere.

Notebooks, the index and the audit report show the same figures, so the format of a number is decided once,
here: three significant digits, thousands separators, percent signs, dates without idle times. A status is
always a word with a shape, never a colour alone. Colours are translucent or come from JupyterLab's own
variables, so that one markup serves light and dark. No JavaScript; everything from data is escaped.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from html import escape
from typing import Any, Literal

import polars as pl

from driftbook.words import plain

Format = Literal["auto", "number", "percent", "integer", "plain", "words", "badge", "p_value"]
Tone = Literal["good", "watch", "bad", "calm"]

NOTHING = "–"
SPACE = "\u00a0"
SHAPES: dict[Tone, str] = {"good": "●", "watch": "▲", "bad": "■", "calm": "○"}
TONES: dict[str, Tone] = {
    **dict.fromkeys(("green", "stable", "passed", "promote", "promoted", "champion", "holds"), "good"),
    **dict.fromkeys(
        ("amber", "moderate", "warning", "retrain", "continue", "late", "challenger", "trained", "withdrawn"), "watch"
    ),
    **dict.fromkeys(
        ("red", "drifted", "critical", "failed", "failed_gate", "rollback", "put back", "taken back"), "bad"
    ),
    **{"open": "watch", "suspicious": "watch", "resolved": "good", "as recorded": "good", "not as recorded": "bad"},
    **dict.fromkeys(("info", "wait", "keep", "cannot_tell", "not_needed", "previous", "appointed", "retired"), "calm"),
}
BADGE_COLUMNS = frozenset({"band", "status", "severity", "decision", "action", "state"})

STYLE = """<style>
.db-card,.db-table{--db-line:var(--jp-border-color2,#8a94a655);color:var(--jp-content-font-color1,inherit);
font-family:var(--jp-ui-font-family,system-ui,sans-serif);font-size:13px;line-height:1.45}
.db-table{overflow-x:auto;margin:.6em 0 1em}
.db-table table{border-collapse:collapse;border:0;margin:0;font-size:13px;
font-variant-numeric:tabular-nums}
.db-table caption{caption-side:top;text-align:left;padding:0 0 .5em;font-weight:600;font-size:14px;
color:var(--jp-content-font-color0,inherit)}
.db-table caption{white-space:nowrap}@media(max-width:640px){.db-table caption{white-space:normal}}
.db-none{font:14px/1.5 var(--jp-ui-font-family,system-ui,sans-serif)}
.db-table.db-table th,.db-table.db-table td{padding:.36em 1.1em .36em 0;text-align:left;white-space:nowrap;
border:0;background:none;vertical-align:top;max-width:none}
.db-table.db-table thead th{font-weight:600;color:var(--jp-content-font-color2,#77808f);
border-bottom:1px solid #8a94a6aa}
.db-table.db-table.db-table tbody tr{background:none}
.db-table.db-table tbody td{border-bottom:1px solid #8a94a633}
.db-table.db-table .db-n{text-align:right}
.db-table.db-table .db-w{white-space:normal;min-width:16em;max-width:44em}
.db-table .db-more{color:var(--jp-content-font-color2,#77808f);padding-top:.5em;font-size:12px}
.db-badge{display:inline-block;border-radius:9px;padding:0 .6em;font-size:12px;font-weight:600;white-space:nowrap}
.db-good{background:#1f9e8930;box-shadow:inset 0 0 0 1px #1f9e89aa}
.db-watch{background:#d9901030;box-shadow:inset 0 0 0 1px #d99010aa}
.db-bad{background:#d1495b30;box-shadow:inset 0 0 0 1px #d1495bbb}
.db-calm{background:#8a94a626;box-shadow:inset 0 0 0 1px #8a94a688}
.db-card{border:1px solid #8a94a655;border-left-width:6px;border-radius:6px;padding:.8em 1.2em 1em;margin:.6em 0 1em;
max-width:800px;box-sizing:border-box}
.db-card.db-is-good{border-left-color:#1f9e89}.db-card.db-is-watch{border-left-color:#d99010}
.db-card.db-is-bad{border-left-color:#d1495b}.db-card.db-is-calm{border-left-color:#8a94a6}
.db-card .db-title{font-size:16px;font-weight:600;margin:0 .6em 0 0}
.db-card code,.db-table code{font-size:.95em;background:#8a94a61f;border-radius:3px;padding:0 .25em}
.db-card ul{margin:.6em 0 0;padding-left:1.2em}.db-card li{margin:.15em 0}
.db-card dl{display:flex;flex-wrap:wrap;gap:.6em 2.4em;margin:.9em 0 0}
.db-card dt{font-size:11.5px;color:var(--jp-content-font-color2,#77808f);font-weight:400}
.db-card dd{margin:0;font-size:18px;font-weight:600;font-variant-numeric:tabular-nums}
</style>"""


@dataclass(frozen=True, repr=False)
class Html:
    """A piece of markup that shows itself in a notebook; ``text`` is what remains where there is no browser.

    Examples
    --------
    >>> Html("<b>green</b>", text="green")
    green
    """

    markup: str
    text: str = ""

    def __repr__(self) -> str:
        return self.text or "Html"

    def _repr_html_(self) -> str:
        return self.markup


def format_value(value: Any, *, format: Format = "auto") -> str:
    r"""One value as a person reads it.

    Parameters
    ----------
    value
        Number, text, date, truth value, list or None.
    format
        ``auto`` follows the type; the others overrule it (``percent`` takes a share, ``words`` a code).

    Examples
    --------
    >>> [format_value(each) for each in (0.123456, 98765.4, 2400, 1.5e-7, True, None)]
    ['0.123', '98,765', '2,400', '1.5e-07', 'yes', '–']
    >>> format_value(0.0213, format="percent"), format_value(3e-9, format="p_value")
    ('2.13\xa0%', '< 0.0001')
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, date):
        return f"{value:%Y-%m-%d %H:%M}".removesuffix(" 00:00")
    if isinstance(value, list | tuple | pl.Series):
        return ", ".join(format_value(each) for each in value)
    if isinstance(value, int | float) and format != "plain":
        return _number(value, format=format)
    return plain(value) if format == "words" else str(value)


def badge(word: str) -> str:
    """A word with its shape on a tint: readable without colour.

    Examples
    --------
    >>> badge("drifted")
    '<span class="db-badge db-bad">■ drifted</span>'
    """
    tone = TONES.get(word, "calm")
    return f'<span class="db-badge db-{tone}">{SHAPES[tone]} {escape(plain(word))}</span>'


def table(
    frame: pl.DataFrame,
    *,
    caption: str,
    formats: Mapping[str, Format] | None = None,
    labels: Mapping[str, str] | None = None,
    max_rows: int = 20,
    empty: str = "none.",
) -> Html:
    r"""A frame as a table one would put on a slide.

    Parameters
    ----------
    frame
        Any frame; its order is kept.
    caption
        What the table shows, in a few words.
    formats
        Per column, where the type alone does not say it (``{"share": "percent"}``).
    labels
        Heading per column; by default its name in plain words.
    max_rows
        Rows beyond are counted below the table, not shown.
    empty
        What to say, after the caption, where there are no rows: an empty grid says nothing.

    Examples
    --------
    >>> missing = pl.DataFrame({"column": ["age"], "share": [0.5]})
    >>> shown = table(missing, caption="Missing", formats={"share": "percent"})
    >>> shown
    Missing: 1 row
    >>> '<td class="db-n">50\xa0%</td>' in shown.markup
    True
    """
    if frame.is_empty():
        said = f'<p class="db-none"><strong>{escape(caption)}</strong>: {escape(empty)}</p>'
        return Html(STYLE + said, text=f"{caption}: {empty}")
    chosen = dict(formats or {})
    for name in frame.columns:
        chosen.setdefault(name, "badge" if name in BADGE_COLUMNS else "p_value" if name == "p_value" else "auto")
    heading = dict(labels or {})
    classes = {name: _cell_class(frame[name], chosen[name]) for name in frame.columns}
    head = "".join(
        f'<th scope="col"{classes[name]}>{escape(heading.get(name, plain(name)))}</th>' for name in frame.columns
    )
    body = "".join(
        f"<tr>{''.join(_cell(value, chosen[name], classes[name]) for name, value in row.items())}</tr>"
        for row in frame.head(max_rows).iter_rows(named=True)
    )
    hidden = max(frame.height - max_rows, 0)
    more = f'<div class="db-more">… and {_rows(hidden)} more</div>' if hidden else ""
    markup = (
        f'{STYLE}<div class="db-table"><table><caption>{escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}</div>"
    )
    return Html(markup, text=f"{caption}: {_rows(frame.height)}")


def verdict_card(
    status: str,
    sentences: Sequence[str],
    *,
    title: str,
    facts: Mapping[str, Any] | None = None,
    formats: Mapping[str, Format] | None = None,
) -> Html:
    """The answer first: a title, its status in a word, the reasons, and a few large numbers.

    Parameters
    ----------
    status
        ``green``, ``amber``, ``red``, an action such as ``retrain``, or any other word.
    sentences
        Plain sentences, the most important first.
    facts
        Label and value of the few numbers worth a large print.
    formats
        Per fact, where the type alone does not say it.

    Examples
    --------
    >>> verdict_card("green", ["Nothing drifted."], title="Customer churn")
    Customer churn: green. Nothing drifted.
    """
    chosen = formats or {}
    numbers = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(format_value(value, format=chosen.get(name, 'auto')))}</dd></div>"
        for name, value in (facts or {}).items()
    )
    items = "".join(f"<li>{prose(sentence)}</li>" for sentence in sentences)
    markup = (
        f'{STYLE}<div class="db-card db-is-{TONES.get(status, "calm")}" role="group" aria-label="{escape(title)}">'
        f'<span class="db-title">{escape(title)}</span> {badge(status)}'
        f"{f'<ul>{items}</ul>' if items else ''}{f'<dl>{numbers}</dl>' if numbers else ''}</div>"
    )
    return Html(markup, text=" ".join([f"{title}: {status}.", *sentences]))


def _number(value: float, *, format: Format) -> str:
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if format == "percent":
        return f"{_digits(100 * value)}{SPACE}%"
    if format == "p_value" and 0 <= value < 1e-4:
        return "< 0.0001"
    if format == "integer" or isinstance(value, int):
        return f"{round(value):,}".replace("-", "−")
    return _digits(value)


def _digits(value: float) -> str:
    """Three significant digits; whole numbers from a thousand on; powers of ten below a ten-thousandth.

    A value that has no more digits (a declared limit, say) drops its closing zeros.
    """
    size = float(f"{abs(value):.2e}")
    if size >= 1e15 or 0 < size < 1e-4:
        text = f"{value:.2e}"
        mantissa, exponent = text.split("e")
        text = f"{mantissa.rstrip('0').rstrip('.')}e{exponent}"
        return "−" + text[1:] if value < 0 else text
    if size >= 1000:
        text = f"{value:,.0f}"
    else:
        decimals = 2 - math.floor(math.log10(size)) if size else 0
        text = f"{value:.{max(decimals, 0)}f}"
        declared = value == float(f"{value:.3g}")
        text = text.rstrip("0").rstrip(".") if "." in text and declared else text
    return text.replace("-", "−")


def _rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"


def _cell_class(column: pl.Series, format: Format) -> str:
    if column.dtype.is_numeric():
        return ' class="db-n"'
    if column.dtype == pl.String and format != "badge":
        longest = column.str.len_chars().max()
        return ' class="db-w"' if isinstance(longest, int) and longest > 48 else ""
    return ""


def _cell(value: Any, format: Format, css: str) -> str:
    if format == "badge" and isinstance(value, str):
        return f"<td{css}>{badge(value)}</td>"
    return f"<td{css}>{prose(format_value(value, format=format))}</td>"


def prose(text: str) -> str:
    """Text as markup; what stands in backticks is code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
