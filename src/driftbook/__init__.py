"""driftbook keeps machine-learning models honest in production.

Import the module you need (``from driftbook.drift.engine import analyse_drift``); nothing heavy is
imported here, so that ``import driftbook`` stays cheap for dashboards and command-line tools.
"""

__version__ = "0.1.0"
