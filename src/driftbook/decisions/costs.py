"""What a prediction costs: a matrix of actual and predicted class, declared in the use case.

A lost customer and a needless call do not cost the same, and accuracy counts them alike. Costs are amounts in any
unit; what is not declared costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import polars as pl

from driftbook.errors import ConfigError, UnknownNameError

Costs = Mapping[str, Mapping[str, float]]


def check_costs(costs: Costs, classes: Iterable[str]) -> None:
    """Make sure that costs speak of classes that there are.

    Parameters
    ----------
    costs
        By actual, then by predicted class.
    classes
        All classes of the target.

    Raises
    ------
    UnknownNameError
        If a cost names another class.

    Examples
    --------
    >>> check_costs({"yes": {"noo": 5.0}}, ["no", "yes"])
    Traceback (most recent call last):
    ...
    driftbook.errors.UnknownNameError: no class of the target under costs 'noo'; did you mean 'no'? Available: no, yes
    """
    known = sorted(classes)
    for name in sorted({*costs, *(name for row in costs.values() for name in row)}):
        if name not in known:
            raise UnknownNameError("class of the target under costs", name, known)


def check_metric(metric: str, costs: Costs) -> None:
    """Make sure that a policy which decides by cost finds costs.

    Raises
    ------
    ConfigError
        If the metric is ``cost`` and the use case declares none.

    Examples
    --------
    >>> check_metric("accuracy", {})
    >>> check_metric("cost", {"yes": {"no": 5.0}})
    """
    if metric == "cost" and not costs:
        raise ConfigError(
            "the policy promotes by metric cost, but the use case declares no costs; "
            "add costs: {actual class: {predicted class: cost}} to usecase.yaml, or choose another policy"
        )


def largest_cost(costs: Costs) -> float | None:
    """The largest cost a prediction can have; ``None`` where no costs are declared.

    Examples
    --------
    >>> largest_cost({"yes": {"no": 5.0}, "no": {"yes": 1.0}})
    5.0
    """
    return max((cost for row in costs.values() for cost in row.values()), default=None)


def row_costs(outcomes: pl.DataFrame, costs: Costs) -> pl.Series:
    """The cost of each row.

    Parameters
    ----------
    outcomes
        Columns ``target`` and ``prediction``, text.

    Returns
    -------
    Series ``cost``, in the order of the rows; zero where nothing is declared.

    Examples
    --------
    >>> outcomes = pl.DataFrame({"target": ["yes", "no", "no"], "prediction": ["no", "yes", "no"]})
    >>> row_costs(outcomes, {"yes": {"no": 5.0}, "no": {"yes": 1.0}}).to_list()
    [5.0, 1.0, 0.0]
    """
    cells = [(actual, predicted, cost) for actual, row in costs.items() for predicted, cost in row.items()]
    schema = {"target": pl.String, "prediction": pl.String, "cost": pl.Float64}
    table = pl.DataFrame(cells, schema=schema, orient="row")
    joined = outcomes.join(table, on=["target", "prediction"], how="left", maintain_order="left")
    return joined["cost"].fill_null(0.0)
