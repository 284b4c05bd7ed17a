"""Pages a person opens: executed notebooks as HTML, the index of all reports, the familiar Evidently view.

Every page opens from disk without a network, follows light and dark, and reads on a phone. nbconvert and
Evidently are imported only by the function that needs them: they are slow, and no decision depends on them.
"""

from driftbook.reports.evidently import EVIDENTLY_PAGE, write_evidently
from driftbook.reports.index import write_index
from driftbook.reports.notebook import notebook_html

__all__ = ["EVIDENTLY_PAGE", "notebook_html", "write_evidently", "write_index"]
