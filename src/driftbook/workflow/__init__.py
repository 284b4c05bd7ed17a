"""Ploomber glue, thin: bind notebooks, fingerprint what they depend on, execute and tidy them, build.

Ploomber is imported by nobody but ``workflow.executor``, which Ploomber itself loads.
"""
