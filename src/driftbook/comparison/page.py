"""A comparison as markup: what a notebook shows, and the self-contained page.

The answer comes first, then what should be known of columns that are not judged, then a card for every column, the
farthest beyond its limit first. No script, no font, no file from elsewhere; one markup serves light and dark.
"""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING, Any

import polars as pl

from driftbook.comparison.overlay import OVERLAY_STYLE, overlay
from driftbook.figures.canvas import BLUE, GREY
from driftbook.reports.page import STYLESHEET, page
from driftbook.tables import STYLE, TONES, badge, format_value, table, verdict_card
from driftbook.words import plain

if TYPE_CHECKING:
    from driftbook.comparison.result import Comparison

OPEN_CARDS = 12
MOST_BYTES = 300_000
CARDS_ON_PAGE = (120, 100, 80, 60, 40, 20)  # as many as fit
CARDS_IN_NOTEBOOK = 36

_CODE = re.compile("`([^`]+)`")  # names and conditions within a sentence

CARD_STYLE = f"""
.dbc{{color:var(--jp-content-font-color1,inherit);font-family:var(--jp-ui-font-family,system-ui,sans-serif);
font-size:13px;line-height:1.45;max-width:1180px}}
.dbc-key{{display:flex;flex-wrap:wrap;gap:.2em 1.4em;margin:1.2em 0 .6em;color:var(--jp-content-font-color2,#77808f)}}
.dbc-key i{{display:inline-block;width:18px;height:10px;margin-right:.5em;border-radius:2px;background:{GREY}8c}}
.dbc-key i+i,.dbc-key .c{{background:{BLUE}1f;box-shadow:inset 0 0 0 2px {BLUE}}}
.dbc-cards{{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(340px,100%),1fr));gap:12px;margin:.6em 0}}
.dbc-card{{border:1px solid #8a94a655;border-top:4px solid #8a94a6;border-radius:6px;padding:.7em 1em .8em;min-width:0;
display:flex;flex-direction:column}}
.dbc-card.db-is-good{{border-top-color:#1f9e89}}.dbc-card.db-is-watch{{border-top-color:#d99010}}
.dbc-card.db-is-bad{{border-top-color:#d1495b}}
.dbc-card header{{display:flex;flex-wrap:wrap;justify-content:space-between;align-items:baseline;gap:.1em .8em}}
.dbc-card h3.dbc-name{{font-size:14px;font-weight:600;margin:0;overflow-wrap:anywhere;line-height:1.4;
color:var(--jp-content-font-color0,inherit)}}
.dbc-card p{{margin:.25em 0 .7em;overflow-wrap:anywhere}}.dbc-dim{{color:var(--jp-content-font-color2,#77808f)}}
.dbc-card table{{border-collapse:collapse;border:0;width:100%;margin:auto 0 0;font-size:12px;
font-variant-numeric:tabular-nums}}
.dbc-card.dbc-card.dbc-card tr{{background:none}}
.dbc-card.dbc-card :is(th,td){{border:0;border-top:1px solid #8a94a633;padding:.2em 0 .2em .7em;text-align:right;
font-weight:400;white-space:nowrap;background:none;max-width:none}}
.dbc-card.dbc-card :is(th,td):first-child{{text-align:left;padding-left:0;width:40%;
white-space:normal}}.dbc-card .dbo{{margin-bottom:.7em}}
.dbc-card.dbc-card thead th{{border-top:0;color:var(--jp-content-font-color2,#77808f);font-size:11.5px}}
.dbc-card.dbc-card .o td{{font-weight:600}}
.dbc details{{margin:1em 0}}.dbc summary{{cursor:pointer;color:var(--jp-content-font-color2,#77808f)}}
.dbc ul.dbc-why{{padding-left:1.2em;margin:.4em 0 1em;max-width:800px}}.dbc-why li{{margin:.25em 0}}
.dbc-why code{{font:.92em ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace;background:#8a94a622;color:inherit;
padding:.05em .3em;border-radius:3px;overflow-wrap:anywhere}}
.dbc h2.dbc-head{{font-size:15px;font-weight:600;margin:1.5em 0 .4em;color:var(--jp-content-font-color0,inherit)}}
"""
PAGE_STYLE = """main,.db-bar div{max-width:1220px}h1{font-size:1.6rem;overflow-wrap:anywhere}.dbc{font-size:14px}
.dbc .db-card{max-width:none;font-size:15px}.dbc .db-card .db-title{font-size:17px}
@media print{.dbc-card{break-inside:avoid}}"""


def fragment(comparison: Comparison, *, most_cards: int = CARDS_IN_NOTEBOOK) -> str:
    """The markup of a comparison, to stand within a notebook or a page."""
    parts = [
        f"{STYLE}<style>{CARD_STYLE}{OVERLAY_STYLE}</style>",
        _card_of_verdict(comparison),
        _why(comparison),
        _findings(comparison),
        _cards(comparison, most_cards),
    ]
    return f'<div class="dbc">{"".join(parts)}</div>'


def whole_page(comparison: Comparison) -> str:
    """One HTML document; of very wide tables as many columns as fit into 300 KB, the others counted."""
    before, after = comparison.titles
    bar = '<nav class="db-bar"><div><strong>driftbook</strong><span class="db-dim">compare</span></div></nav>'
    heading = f"{_upper(before)} and {after}"
    text = ""
    for most in CARDS_ON_PAGE:
        body = f"{bar}<main><h1>{escape(heading)}</h1>{fragment(comparison, most_cards=most)}</main>"
        text = page(f"{heading}: {plain(comparison.verdict.status)}", body, stylesheet=STYLESHEET + PAGE_STYLE)
        if len(text.encode()) <= MOST_BYTES:
            break
    return text


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:] if text.startswith("the ") else text


def _card_of_verdict(comparison: Comparison) -> str:
    columns = comparison.columns
    facts: dict[str, Any] = {
        "rows in the reference": comparison.rows[0],
        "rows in the current table": comparison.rows[1],
        "columns judged": columns.filter(pl.col("band") != "cannot_tell").height,
        "drifted": columns.filter(pl.col("band") == "drifted").height,
    }
    together = comparison.table.filter(pl.col("role") == "table")
    if together.height:
        facts["told apart by a classifier (AUC)"] = together["statistic"][0]
    card = verdict_card(comparison.verdict.status, comparison.verdict.sentences, title="Verdict", facts=facts)
    return card.markup.removeprefix(STYLE)


def _why(comparison: Comparison) -> str:
    if not comparison.why:
        return ""
    sentences = (_CODE.sub(r"<code>\1</code>", escape(sentence)) for sentence in comparison.why)
    items = "".join(f"<li>{sentence}</li>" for sentence in sentences)
    return f'<h2 class="dbc-head">Why</h2><ul class="dbc-why">{items}</ul>'


def _findings(comparison: Comparison) -> str:
    found = comparison.findings
    if found.is_empty():
        return ""
    shown = found.select("column", "severity", pl.col("text").alias("finding"))
    return table(shown, caption="Beside drift", max_rows=40).markup.removeprefix(STYLE)


def _cards(comparison: Comparison, most_cards: int) -> str:
    columns = comparison.columns
    if columns.is_empty():
        return ""
    rows = {
        str(name): part
        for (name,), part in comparison.table.partition_by("column", as_dict=True, maintain_order=True).items()
    }
    cards = [_card(each, rows[each["column"]], comparison) for each in columns.head(most_cards).iter_rows(named=True)]
    first = max(min(len(cards), OPEN_CARDS), columns.filter(pl.col("band") == "drifted").height)
    text = f'<div class="dbc-cards">{"".join(cards[:first])}</div>'
    if cards[first:]:
        more = f"{len(cards) - first} calmer column{'s' * (len(cards) - first != 1)}"
        text += f'<details><summary>{more}</summary><div class="dbc-cards">{"".join(cards[first:])}</div></details>'
    hidden = columns.height - len(cards)
    if hidden:
        text += f'<p class="dbc-dim">… and {hidden:,} more, all calmer than these; the table and the JSON hold all.</p>'
    before, after = (escape(title) for title in comparison.titles)
    sd = "<span>sd: standard deviations of the reference.</span>"
    key = f'<span><i></i>{before}</span><span><i class="c"></i>{after}</span>'
    origin = "".join(f"<span>{escape(each)}</span>" for each in comparison.origins)
    return f'<h2 class="dbc-head">Columns</h2><div class="dbc-key">{key}{origin}{sd}</div>{text}'


def _card(column: dict[str, Any], rows: pl.DataFrame, comparison: Comparison) -> str:
    name = column["column"]
    shape = comparison.shapes.get(name)
    words = [column["change"], effect_text(column)]
    said = " · ".join(escape(each) for each in words if each)
    picture = overlay(shape, name=name) if shape is not None else ""
    note = f'<p class="dbc-dim">{escape(column["note"])}</p>' if column["note"] else ""
    return (
        f'<article class="dbc-card db-is-{TONES.get(column["band"], "calm")}"><header>'
        f'<h3 class="dbc-name">{escape(name)}</h3>{badge(column["band"])}</header>'
        f"<p>{said or 'no change'}</p>{picture}{_methods(rows, comparison.surprise)}{note}</article>"
    )


def _methods(rows: pl.DataFrame, by: str) -> str:
    names = ("method", "value", "limit", by.removesuffix("_value"))
    head = f"<thead><tr>{''.join(f'<th>{name}</th>' for name in names)}</tr></thead>"
    body = ""
    for row in rows.iter_rows(named=True):
        value = row["p_value"] if row["on"] == "p_value" else row[row["on"]]
        cells = (format_value(value), format_value(row["threshold"]), format_value(row[by], format="p_value"))
        css = ' class="o"' if row["drifted"] else ""
        body += (
            f"<tr{css}><td>{escape(plain(row['method']))}</td>"
            + "".join(f"<td>{each}</td>" for each in cells)
            + "</tr>"
        )
    return f"<table>{head}<tbody>{body}</tbody></table>"


def effect_text(column: dict[str, Any]) -> str:
    """The effect size in standard deviations of the reference (sd); empty where there is none.

    Examples
    --------
    >>> effect_text({"kind": "numeric", "effect_size": -0.5})
    '−0.5 sd'
    """
    effect = column["effect_size"]
    if effect is None or column["kind"] != "numeric":
        return ""
    return f"{'+' if effect > 0 else ''}{format_value(effect)} sd"
