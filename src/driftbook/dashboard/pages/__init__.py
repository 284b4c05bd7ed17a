"""The pages, in the order in which they are read; each module holds its page as ``PAGE``.

A new page is a module here, its name in the tuple below, and a test of its numbers.
"""

from driftbook.dashboard.page import Page
from driftbook.dashboard.pages import alerts, audit, champion, drift, overview, performance, predictions

MODULES = (overview, drift, performance, predictions, champion, alerts, audit)
PAGES: dict[str, Page] = {module.PAGE.name: module.PAGE for module in MODULES}
