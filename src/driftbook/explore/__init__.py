"""For people in JupyterLab: look at the rows of any column and period, and put drift into a batch.

``look`` computes what a selection yields and ``what_if`` what the engine says of drift put in by hand, both without any
widget; ``panel`` and ``what_if_panel`` are the thin views with which a person selects. Nothing here decides or writes a
product: exploring may only bring batches onto the disk that a build would bring.
"""

from driftbook.explore.data import Exploration, open_exploration
from driftbook.explore.injection import Injection, distort
from driftbook.explore.look import Look, Selection, look, overview
from driftbook.explore.panel import Panel
from driftbook.explore.what_if import WhatIf, Workshop, open_workshop, what_if
from driftbook.explore.what_if_panel import WhatIfPanel

__all__ = [
    "Exploration",
    "Injection",
    "Look",
    "Panel",
    "Selection",
    "WhatIf",
    "WhatIfPanel",
    "Workshop",
    "distort",
    "look",
    "open_exploration",
    "open_workshop",
    "overview",
    "what_if",
]
