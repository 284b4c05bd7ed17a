"""An executed notebook as a page: the form in which most people read an audit report.

nbconvert does the conversion; the page around it is ours, because its own templates link mathematics, fonts and
scripts from a network that an auditor may not have, and weigh 300 KB each. Parameters are folded away, the code can
be hidden with one click, without a script. Links between notebooks lead from page to page.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

from driftbook.errors import DataError
from driftbook.reports.page import NOTEBOOK_STYLESHEET, STYLESHEET, page
from driftbook.storage import write_text

INDEX = "index.html"
SOURCE_INDEX = "../reports/index.html"  # as a notebook in its own folder links it
_TEMPLATE = """{%- extends 'basic/index.html.j2' -%}
{% block codecell %}{% if 'injected-parameters' in cell.metadata.get('tags', []) %}
<details class="injected"><summary>Parameters of this run</summary>{{ super() }}</details>
{% elif 'parameters' in cell.metadata.get('tags', []) %}
<details class="injected"><summary>Parameters when run by hand</summary>{{ super() }}</details>
{% else %}{{ super() }}{% endif %}{% endblock %}"""


def notebook_html(notebook: Path, html: Path, *, pages: Sequence[str] = ()) -> Path:
    """Write an executed notebook as a self-contained page.

    Parameters
    ----------
    notebook
        The executed ``.ipynb``.
    html
        Where the page goes; written atomically.
    pages
        Names of the pages of the same report, in order, to link from one to the other.

    Raises
    ------
    DataError
        If the notebook is missing or is not a notebook.
    """
    nodes = _load(notebook)
    body, _ = _exporter().from_notebook_node(nodes)
    title = " · ".join(filter(None, [_title(nodes) or notebook.stem.replace("_", " "), _report(html)]))
    index = _index_address(html)
    home = f'<a href="{escape(index)}">← all reports</a>' if index else "<span>driftbook</span>"
    text = (
        '<input type="checkbox" id="code" checked aria-label="show code">'
        f'<nav class="db-bar"><div>{home}{_page_links(pages, html)}<label for="code">show code</label></div></nav>'
        f"<main>{_page_to_page(body.strip(), index)}</main>"
    )
    return write_text(html, page(title, text, stylesheet=STYLESHEET + NOTEBOOK_STYLESHEET))


@cache
def _exporter() -> Any:
    from nbconvert.exporters.html import HTMLExporter

    exporter: Any = HTMLExporter
    return exporter(
        template_name="basic", raw_template=_TEMPLATE, exclude_input_prompt=True, exclude_output_prompt=True
    )


def _load(notebook: Path) -> Any:
    import nbformat

    read: Any = nbformat.read

    try:
        return read(notebook, as_version=4)
    except FileNotFoundError as error:
        raise DataError(f"expected an executed notebook at {notebook.name}, found none; run the build") from error
    except (ValueError, AttributeError, nbformat.reader.NotJSONError) as error:
        raise DataError(
            f"{notebook.name} is not a notebook ({error}); it is broken or half written: rebuild"
        ) from error


def _title(nodes: Any) -> str:
    """The first heading of the notebook, without its marks."""
    for cell in nodes.cells:
        found = re.search(r"^#\s+(.+)$", cell.source, flags=re.MULTILINE) if cell.cell_type == "markdown" else None
        if found:
            return found.group(1).strip(" #`*")
    return ""


def _reports_folder(html: Path) -> Path | None:
    return next((folder for folder in html.absolute().parents if folder.name == "reports"), None)


def _report(html: Path) -> str:
    """The report a page belongs to, in words: use case and day."""
    above = _reports_folder(html)
    return ", ".join(html.absolute().parent.relative_to(above).parts) if above else ""


def _index_address(html: Path) -> str:
    """Where the index lies from here, for pages in a reports folder."""
    above = _reports_folder(html)
    return os.path.relpath(above / INDEX, html.absolute().parent).replace(os.sep, "/") if above else ""


def _page_links(pages: Sequence[str], html: Path) -> str:
    """One short link a page of the report: its number, or its first word where it has none."""
    links = []
    for name in pages:
        words = Path(name).stem.replace("_", " ")
        short = words.split()[0] if words[:2].isdigit() else words.split()[0].capitalize()
        here = ' aria-current="page"' if name == html.name else ""
        links.append(f'<a href="{escape(name)}" title="{escape(words)}"{here}>{escape(short)}</a>')
    return f'<span class="db-pages">{" ".join(links)}</span>' if links else ""


def _page_to_page(body: str, index: str) -> str:
    """Links to notebooks beside lead to their pages, the link to the index to where it lies from here."""
    body = re.sub(r'href="([\w-]+)\.ipynb"', r'href="\1.html"', body)
    return body.replace(f'href="{SOURCE_INDEX}"', f'href="{escape(index)}"') if index else body
