"""How fast, how hungry, beside whom: every speed we claim, measured in one run with its peers.

``python -m benchmarks`` with ``tests`` on the path (``make bench``) runs the scenarios of ``scenarios.py``. Each
measurement is a process of its own (``child.py``), so that memory is its own and nobody finds a warm cache of another;
peers that do not fit into our environment run in theirs (``peers.py``). ``ours.py`` is the one door to our own code.
Results, with machine and load, are written to ``results/`` as JSON and as a Markdown table.
"""
