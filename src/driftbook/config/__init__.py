"""What a number may be: use case, policy and settings as frozen pydantic models.

A misspelt key fails by its name; every path has one home, in ``Settings``.
"""

from driftbook.config.policy import Policy, load_policy, policy_names
from driftbook.config.settings import Settings
from driftbook.config.use_case import UseCase, load_use_case, use_case_names

__all__ = [
    "Policy",
    "Settings",
    "UseCase",
    "load_policy",
    "load_use_case",
    "policy_names",
    "use_case_names",
]
