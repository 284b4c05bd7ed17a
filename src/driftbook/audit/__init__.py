"""What can be proven later: what a run was made of, that nothing was changed since, and that it would decide so again.

``manifest`` says what determined a run; ``ledger`` chains runs in a file that only grows; ``sealing`` writes a run
into it, ``verify`` compares it with what lies here, ``signature`` puts a person's key under it. ``replay`` derives
decisions again from their records, ``difference`` says how two runs differ and what moved them.
"""
