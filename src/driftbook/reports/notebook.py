"""An executed notebook as a page: the form in which most people read an audit report.

nbconvert does the conversion; the page around it is ours, because its own templates link mathematics, fonts and
scripts from a network that an auditor may not have, and weigh 300 KB each. What the pipeline injected is folded away;
the code can be hidden with one click, without a script.
"""

from __future__ import annotations

import os
import re
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

from driftbook.errors import DataError
from driftbook.reports.page import NOTEBOOK_STYLESHEET, STYLESHEET, page
from driftbook.storage import write_text

INDEX = "index.html"
_TEMPLATE = """{%- extends 'basic/index.html.j2' -%}
{% block codecell %}{% if 'injected-parameters' in cell.metadata.get('tags', []) %}
<details class="injected"><summary>Parameters of this run</summary>{{ super() }}</details>
{% else %}{{ super() }}{% endif %}{% endblock %}"""


def notebook_html(notebook: Path, html: Path) -> Path:
    """Write an executed notebook as a self-contained page.

    Parameters
    ----------
    notebook
        The executed ``.ipynb``.
    html
        Where the page goes; written atomically.

    Raises
    ------
    DataError
        If the notebook is missing or is not a notebook.
    """
    nodes = _load(notebook)
    body, _ = _exporter().from_notebook_node(nodes)
    title = _title(nodes) or notebook.stem.replace("_", " ")
    text = (
        '<input type="checkbox" id="code" checked aria-label="show code">'
        f'<nav class="db-bar"><div>{_index_link(html)}<label for="code">show code</label></div></nav>'
        f"<main>{body.strip()}</main>"
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


def _index_link(html: Path) -> str:
    """A link to the index, for pages that lie in a reports folder."""
    above = next((folder for folder in html.absolute().parents if folder.name == "reports"), None)
    if above is None:
        return "<span>driftbook</span>"
    link = os.path.relpath(above / INDEX, html.absolute().parent).replace(os.sep, "/")
    return f'<a href="{escape(link)}">← all reports</a>'
