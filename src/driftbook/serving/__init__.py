"""The prediction service, the online half of the loop: it scores rows as they come, with the same bits as the pipeline.

Nothing is imported here, so that a build, which reads the log, pays for no web framework.
"""
