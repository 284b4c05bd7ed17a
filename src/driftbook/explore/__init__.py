"""For people in JupyterLab: pick a column and a period, see what the rows look like.

``look`` computes what a selection yields, without any widget; ``panel`` is the thin view that lets a person select.
Nothing here decides or writes a product: exploring may only bring batches onto the disk that a build would bring.
"""

from driftbook.explore.data import Exploration, open_exploration
from driftbook.explore.look import Look, Selection, look, overview
from driftbook.explore.panel import Panel

__all__ = ["Exploration", "Look", "Panel", "Selection", "look", "open_exploration", "overview"]
