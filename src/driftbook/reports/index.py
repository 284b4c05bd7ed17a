"""The front page of all reports: per use case the latest answer, the notebooks behind it, and what came before.

It is made from the ``summary.json`` that each build leaves beside its notebooks, and from nothing else, so that it
can be written again at any time. The use case that needs a person most comes first. A summary that cannot be read
is listed with its fault: a page about trust does not drop what it cannot explain.
"""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from driftbook.config import Settings
from driftbook.errors import StateError
from driftbook.reports.page import STYLESHEET, page
from driftbook.storage import load_json, write_text
from driftbook.tables import STYLE, TONES, badge

SANDBOX = "sandbox"
URGENCY = {"bad": 0, "watch": 1, "calm": 2, "good": 3}
INDEX_STYLESHEET = """
main{max-width:1080px}.db-bar div{max-width:1080px}
.db-lead{margin:.2em 0 1.6em;color:var(--jp-content-font-color2)}
.db-case{border:1px solid var(--jp-border-color2);border-left:6px solid #8a94a6;border-radius:8px;margin:0 0 1.6rem;
padding:1rem 1.4rem 1.2rem}
.db-is-good{border-left-color:#1f9e89}.db-is-watch{border-left-color:#d99010}.db-is-bad{border-left-color:#d1495b}
.db-case header{display:flex;flex-wrap:wrap;align-items:baseline;gap:.2em .8em}.db-case h2{margin:0}
.db-case header .db-dim{margin-left:auto;font-size:13px}
.db-parts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(320px,100%),1fr));gap:.4rem 2.4rem}
.db-parts h3{font-size:12.5px;font-weight:600;color:var(--jp-content-font-color2);margin:1em 0 .3em}
.db-parts ul,.db-parts ol{margin:0;padding:0;list-style:none}.db-parts li{margin:.22em 0}
.db-parts .db-said li{padding-left:.9em;text-indent:-.9em}.db-parts .db-said li::before{content:"– "}
.db-links li{display:flex;justify-content:space-between;gap:1em;border-bottom:1px solid var(--jp-border-color2);
padding:.12em 0}.db-links small a{color:var(--jp-content-font-color2)}
.db-records{margin:0;font-size:14px}
.db-chips span{display:inline-block;background:#8a94a622;border-radius:4px;padding:0 .5em;margin:0 .35em .35em 0;
font-size:13px}
details{margin-top:1rem;font-size:14px}summary{cursor:pointer;color:var(--jp-content-font-color2)}
.db-past{overflow-x:auto}.db-past table{border-collapse:collapse;width:100%;margin-top:.4em}
.db-past td{padding:.35em 1em .35em 0;border-top:1px solid var(--jp-border-color2);vertical-align:top}
.db-past td:first-child{white-space:nowrap;font-variant-numeric:tabular-nums}
"""


def write_index(settings: Settings) -> Path:
    """Write ``reports/index.html`` from the summaries of all builds.

    Parameters
    ----------
    settings
        The workbench; reads ``reports/<use case>/<as of>/summary.json``.
    """
    reports = settings.reports_folder
    cases: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(reports.glob("*/*/summary.json"), reverse=True):
        folder = path.parent.relative_to(reports)
        if folder.parts[0] != SANDBOX and not folder.parts[0].startswith("."):
            cases.setdefault(folder.parts[0], []).append({"folder": folder.as_posix(), **_summary(path)})
    ordered = sorted(cases.items(), key=lambda each: (URGENCY[_tone(each[1][0])], each[0]))
    body = "".join(_case(name, builds) for name, builds in ordered) or _nothing()
    count = f"{len(cases)} use cases, the most urgent first" if len(cases) != 1 else "1 use case"
    lead = f'<p class="db-lead">{count}. Each report is a folder of executed notebooks and their records.</p>'
    bar = '<nav class="db-bar"><div><strong>driftbook</strong></div></nav>'
    text = f"{STYLE}{bar}<main><h1>Reports</h1>{lead}{body}</main>"
    return write_text(reports / "index.html", page("driftbook reports", text, stylesheet=STYLESHEET + INDEX_STYLESHEET))


def _summary(path: Path) -> dict[str, Any]:
    folder = path.parent
    known: dict[str, Any] = {"use_case": folder.parent.name, "as_of": folder.name, "status": "cannot_tell"}
    try:
        content = load_json(path)
    except StateError:
        content = None
    if not isinstance(content, dict):
        return {**known, "verdict": ["The summary of this report cannot be read; build it again."]}
    return {**known, **content}


def _case(name: str, builds: list[dict[str, Any]]) -> str:
    latest, earlier = builds[0], builds[1:]
    parts = [_said(latest), _notebooks(latest)]
    past = "".join(_past(build) for build in earlier)
    history = f"{len(earlier)} earlier report{'' if len(earlier) == 1 else 's'}"
    more = f'<details><summary>{history}</summary><div class="db-past"><table>{past}</table></div></details>'
    return (
        f'<section class="db-case db-is-{_tone(latest)}" id="{escape(name)}"><header>'
        f"<h2>{escape(str(latest.get('title') or name))}</h2>{badge(str(latest['status']))}"
        f'<span class="db-dim">{escape(name)}, as of {escape(str(latest["as_of"]))}{_champion(latest)}</span></header>'
        f'<div class="db-parts">{"".join(parts)}</div>{more if earlier else ""}</section>'
    )


def _said(build: dict[str, Any]) -> str:
    sentences = "".join(f"<li>{escape(str(each))}</li>" for each in build.get("verdict") or [])
    text = f'<h3>Verdict</h3><ul class="db-said">{sentences}</ul>' if sentences else ""
    drifted = build.get("drifted_columns") or []
    chips = "".join(f"<span>{escape(str(each))}</span>" for each in drifted)
    text += f'<h3>Drifted columns</h3><div class="db-chips">{chips}</div>' if chips else ""
    return f"<div>{text}</div>"


def _champion(build: dict[str, Any]) -> str:
    champion = build.get("champion")
    if champion is None:
        return ""
    number = champion.get("version") if isinstance(champion, dict) else champion
    return f", champion is version {escape(str(number).removeprefix('v'))}"


def _notebooks(build: dict[str, Any]) -> str:
    lines = []
    for each in build.get("notebooks") or []:
        name = escape(str(each["name"]).replace("_", " "))
        source = f'<small><a href="{_link(build, each["ipynb"])}">ipynb</a></small>' if each.get("ipynb") else ""
        first = f'<a href="{_link(build, each["html"])}">{name}</a>' if each.get("html") else name
        lines.append(f"<li>{first}{source}</li>")
    if build.get("evidently"):
        lines.append(f'<li><a href="{_link(build, build["evidently"])}">Evidently\'s drift page (a sample)</a></li>')
    text = f'<h3>Notebooks</h3><ol class="db-links">{"".join(lines)}</ol>' if lines else ""
    records = [str(name) for name in build.get("records") or []]
    links = " · ".join(f'<a href="{_link(build, name)}">{escape(_record_name(name))}</a>' for name in records)
    text += f'<h3>Records (JSON)</h3><p class="db-records">{links}</p>' if links else ""
    return f"<div>{text}</div>" if text else ""


def _record_name(name: str) -> str:
    return Path(name).stem.replace("_", " ")


def _past(build: dict[str, Any]) -> str:
    first = build.get("headline") or next(iter(build.get("verdict") or []), "")
    notebooks = [each for each in build.get("notebooks") or [] if each.get("html")]
    links = " ".join(
        f'<a href="{_link(build, each["html"])}" title="{escape(str(each["name"]))}">{number:02d}</a>'
        for number, each in enumerate(notebooks, start=1)
    )
    word = badge(str(build["status"]))
    return (
        f"<tr><td>{escape(str(build['as_of']))}</td><td>{word}</td><td>{escape(str(first))}</td><td>{links}</td></tr>"
    )


def _nothing() -> str:
    return "<p>No report yet. <code>make build</code> writes the first one.</p>"


def _tone(build: dict[str, Any]) -> str:
    return TONES.get(str(build.get("status")), "calm")


def _link(build: dict[str, Any], name: Any) -> str:
    return escape(quote(f"{build['folder']}/{name}"))
