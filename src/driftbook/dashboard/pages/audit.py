"""What can be proven: every run on record, what it decided and rested on, and whether anything was changed since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from hashlib import sha256
from html import escape
from typing import Any

from driftbook.dashboard.known import Known
from driftbook.dashboard.page import Card, Choice, Options, Page
from driftbook.dashboard.pages.alerts import when
from driftbook.dashboard.parts import Tile, columns, note, sentences, tiles
from driftbook.dashboard.recorded import Recorded, has_reports, lines_known, runs_known
from driftbook.dashboard.state import Selection
from driftbook.dashboard.verifying import Checked, ensure_checked, last_check
from driftbook.errors import StateError
from driftbook.storage import load_json
from driftbook.tables import NOTHING, badge, prose
from driftbook.words import plain

MOST_RUNS = 60
LAST_PAGE = "08_write_audit.html"
OTHER_PAGES = {"evidently_drift.html": "Evidently's view of the drift"}
OTHER_LINES = {"tombstone": "edited or removed on purpose", "reset": "all data and models forgotten"}
CHECKING = "checking …"
HEADS = ("Report of", "Status", "Decided", "Built", "Files", "To read")
WIDE = ' class="db-w"'
KEY_DIGITS = 16


def _reports(known: Known, selection: Selection) -> Options:
    days = dict.fromkeys(line.as_of for line in runs_known(known)[:MOST_RUNS])
    return [(day, day) for day in sorted(days, reverse=True)]


REPORT = Choice("report", "Report of", _reports)


def _live(known: Known, selection: Selection) -> str:
    return ensure_checked(known.settings, known.case.name)


def _proof(known: Known, selection: Selection) -> str:
    lines = lines_known(known)
    if not lines and has_reports(known):
        return note(
            f"No report was made by {known.day}: the first run on record judged this day later. Move the slider on to "
            "see what it rested on."
        )
    if not lines:
        return note(f"No run of {known.case.name} is on record yet. `driftbook build --use-case {known.case.name}`")
    checked = last_check(known.settings, known.case.name)
    head = lines[-1]
    shown = [_verdict(checked), *_counts(checked, lines)]
    last = f"Line {head.number:,} is the last one, its digest `{head.sha256}`: whoever noted it can tell later "
    return (
        tiles(shown)
        + _found(checked)
        + note(
            f"{last}that nothing before it was changed. To check by yourself: "
            f"`driftbook verify --use-case {known.case.name}`"
        )
    )


def _verdict(checked: Checked | None) -> Tile:
    if checked is None:
        return Tile("compared with the ledger", CHECKING, note="this page shows it when it is done")
    if checked.fault:
        return Tile("compared with the ledger", "not possible", note=when(checked.at), tone="watch")
    words = "as recorded" if checked.holds else "not as recorded"
    return Tile("compared with the ledger", words, note=when(checked.at), tone="good" if checked.holds else "bad")


def _counts(checked: Checked | None, lines: Sequence[Recorded]) -> list[Tile]:
    if checked is None or checked.fault:
        return [Tile("lines of the ledger", len(lines))]
    return [
        Tile("lines of the ledger", checked.lines),
        Tile("reports", checked.runs),
        Tile("files", checked.files),
        Tile("journal entries", checked.entries),
    ]


def _found(checked: Checked | None) -> str:
    if checked is None:
        return ""
    if checked.fault:
        return note(checked.fault, tone="watch")
    if checked.holds:
        return ""
    hidden = checked.found - len(checked.findings)
    more = [f"… and {hidden:,} more"] if hidden else []
    first, *rest = checked.findings
    return note(f"■ First: {first}", tone="bad") + sentences([*rest, *more])


def _runs(known: Known, selection: Selection) -> str:
    runs = runs_known(known)
    if not runs:
        return ""
    checked = last_check(known.settings, known.case.name)
    decided = {entry["day"]: entry["decision"] for entry in known.entries}
    in_force = {line.as_of: line.number for line in reversed(runs)}
    rows = [_run(line, known, decided.get(line.as_of), in_force, checked) for line in runs[:MOST_RUNS]]
    head = "".join(f'<th scope="col">{each}</th>' for each in HEADS)
    hidden = len(runs) - MOST_RUNS
    more = f'<div class="db-more">… and {hidden:,} earlier runs</div>' if hidden > 0 else ""
    grid = f"<caption>Newest first</caption><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody>"
    return f'<div class="db-table dash-stack"><table>{grid}</table>{more}</div>'


def _run(
    line: Recorded,
    known: Known,
    decision: Mapping[str, Any] | None,
    in_force: Mapping[str, int],
    checked: Checked | None,
) -> str:
    day, latest = line.as_of, in_force[line.as_of]
    reason = " ".join(decision["reasons"][:1]) if decision else ""
    decided = f"{badge(decision['action'])} {prose(reason)}" if decision else NOTHING
    built = f"by {escape(line.by)}<br>{when(line.at)}"
    if line.number != latest:
        gone = f"replaced by line {latest:,}"
        cells = [escape(day), NOTHING, NOTHING, built, gone, NOTHING]
    else:
        status = _status(known, day)
        link = _link(known, day, LAST_PAGE, "verdict") if LAST_PAGE in line.products else NOTHING
        cells = [escape(day), badge(status) if status else NOTHING, decided, built, badge(_state(line, checked)), link]
    told = (
        f'<td data-label="{head}"{WIDE if head == "Decided" else ""}><div>{cell}</div></td>'
        for head, cell in zip(HEADS, cells, strict=True)
    )
    return f"<tr>{''.join(told)}</tr>"


def _state(line: Recorded, checked: Checked | None) -> str:
    if checked is None or checked.fault:
        return CHECKING if checked is None else "not compared"
    at_fault = line.as_of in checked.reports or line.number in checked.at_fault
    return "not as recorded" if at_fault else "as recorded"


def _status(known: Known, day: str) -> str:
    try:
        folder = known.settings.report_folder(known.case.name, date.fromisoformat(day))
        return str(load_json(folder / "summary.json")["status"])
    except (StateError, OSError, KeyError, TypeError, ValueError):
        return ""


def _chosen(known: Known, selection: Selection) -> Recorded | None:
    day = REPORT.value(known, selection)
    return next((line for line in runs_known(known) if line.as_of == day), None)


def _report(known: Known, selection: Selection) -> str:
    line = _chosen(known, selection)
    if line is None:
        return ""
    names = sorted(name for name in line.products if name.endswith(".html") and name not in OTHER_PAGES)
    others = [name for name in OTHER_PAGES if name in line.products]
    links = [_link(known, line.as_of, name, plain(name.removesuffix(".html"))) for name in names]
    links += [_link(known, line.as_of, name, OTHER_PAGES[name]) for name in others]
    pages = "".join(f"<li>{each}</li>" for each in links)
    told = note(
        f"The report of {line.as_of}, line {line.number:,} of the ledger: the notebooks as they ran. Notebook 05 "
        "and Evidently look at the data with the champion that was in office when the run began: 05 at all days since "
        "it took office, Evidently at the newest batch."
    )
    return columns(f'{told}<ul class="dash-said">{pages}</ul>', _rested_on(line))


def _rested_on(line: Recorded) -> str:
    """What determined the run, in short: from the ledger, so that it holds whatever happened to the manifest."""
    run = line.content.get("run", {})
    git = run.get("git") or {}
    commit = f"{git['commit'][:12]}{' and changes not committed' if git.get('dirty') else ''}" if git else "none"
    facts = {
        "driftbook": f"version {run['driftbook']}" if "driftbook" in run else NOTHING,
        "code": _short(run.get("source_sha256")),
        "git commit": commit,
        "locked packages": _short(run.get("lock_sha256")),
        "use case as declared": _short(run.get("declaration_sha256")),
        "policy": f"{run.get('policy', NOTHING)}, {_short(run.get('policy_sha256'))}",
        "seed": str(run.get("seed", NOTHING)),
        "files it made": f"{len(line.products):,}, each by its sha256",
        "data and models new to the record": f"{line.files:,}, each by its sha256",
    }
    told = "".join(f"<dt>{escape(what)}</dt><dd>{escape(which)}</dd>" for what, which in facts.items())
    return f'<h3>What it rested on</h3><dl class="dash-facts">{told}</dl>'


def _short(digest: str | None) -> str:
    return f"sha256 {digest[:16]}…" if digest else "none"


def _link(known: Known, day: str, page: str, words: str) -> str:
    """Relative, so that it leads there whatever the dashboard's own address is."""
    address = f"report/{known.case.name}/{day}/{page}"
    return f'<a href="{escape(address)}" target="_blank" rel="noopener">{escape(words)}</a>'


def _besides(known: Known, selection: Selection) -> str:
    """Certificates, signatures, and what was changed on purpose; whether they fit, the check says."""
    lines = lines_known(known)
    if not lines:
        return ""
    case, newest = known.case.name, max((line.as_of for line in runs_known(known)), default=NOTHING)
    signed = [_signed(line) for line in lines if line.kind == "signature"]
    repeated = {line.content["run"]: _repeated(line) for line in lines if line.kind == "certificate"}
    told = signed or [f"Nobody has signed it yet: `driftbook sign --use-case {case} --new-key FILE`"]
    told += repeated.values() or [f"No run was repeated yet: `driftbook verify --rerun {newest} --use-case {case}`"]
    return sentences([*told, *(_purpose(line) for line in lines if line.kind in OTHER_LINES)])


def _signed(line: Recorded) -> str:
    key = sha256(bytes.fromhex(line.content["public_key"])).hexdigest()[:KEY_DIGITS]
    return f"Signed up to line {line.content['signs']:,} by {line.by} on {when(line.at)} with the key {key}."


def _repeated(line: Recorded) -> str:
    told = f"The run of line {line.content['run']:,}, report of {line.as_of}, was repeated by {line.by}"
    told += f" on {when(line.at)} (line {line.number:,})"
    if line.content["reproduced"]:
        return f"{told}: every file came out the same, byte for byte."
    count, (file, place) = len(line.content["differs"]), line.content["differs"][0]
    since = (
        f"; changed since the run: {', '.join(line.content['changed_since'])}" if line.content["changed_since"] else ""
    )
    return f"{told}: {count:,} file{' differs' if count == 1 else 's differ'}, first {file}, {place}{since}."


def _purpose(line: Recorded) -> str:
    what = OTHER_LINES[line.kind]
    if line.kind == "tombstone":
        count, rows = line.files, line.content.get("log_rows", 0)
        erased = f", {rows:,} row{'' if rows == 1 else 's'} of the prediction log erased" if rows else ""
        what = f"{count:,} file{'' if count == 1 else 's'} {what}{erased}: {line.content['reason'].rstrip('.')}"
    return f"Line {line.number:,}, by {line.by} on {when(line.at)}: {what}."


PAGE = Page(
    "audit",
    "Audit",
    cards=(
        Card("Is everything as it was recorded?", _proof, wide=True),
        Card("Every run on record", _runs, wide=True),
        Card("One report in full", _report, wide=True),
        Card("Certificates and signatures", _besides, wide=True),
    ),
    choices=(REPORT,),
    live=_live,
)
