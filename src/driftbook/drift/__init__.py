"""Drift: does a batch still look like the data the model was trained on?

``profile`` sums up columns, ``methods`` compare two profiles, ``thresholds`` say how large a difference is too
large, ``engine`` brings reference and batches together in one long table.
"""
