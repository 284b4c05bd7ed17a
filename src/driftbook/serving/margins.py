"""XGBoost's own prediction without its Python wrapper: a third of the time for a single row.

The wrapper looks anew at each call at what kind of data it was given and builds its arguments; two thirds of its
.15 ms go there (measured). So the C function behind it is called with arguments made once. Where that gives other
values than the wrapper, found out when a model is loaded, or is not there in another XGBoost, the wrapper is used.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from driftbook.model.boosting import margins
from driftbook.model.bundle import load_xgboost
from driftbook.model.calibration import Array
from driftbook.model.features import Matrix

if TYPE_CHECKING:
    import xgboost

Margins = Callable[[Matrix], Array]


def quick_margins(booster: xgboost.Booster, *, width: int, outputs: int) -> Margins:
    """What :func:`driftbook.model.boosting.margins` gives for one booster.

    Parameters
    ----------
    width
        Features of a row.
    outputs
        Margins of a row: one for two classes, else one per class.

    Returns
    -------
    A function of encoded rows, of shape (rows, width) with one row at least, in C order.

    Examples
    --------
    >>> data = load_xgboost().DMatrix(np.array([[0.0], [1.0]] * 20), [0, 1] * 20)
    >>> booster = load_xgboost().train({"objective": "binary:logistic"}, data, 3)
    >>> row = np.array([[1.0]], dtype=np.float32)
    >>> bool(quick_margins(booster, width=1, outputs=1)(row) == margins(booster, row))
    True
    """

    def usual(matrix: Matrix) -> Array:
        return margins(booster, matrix)

    probes = np.random.default_rng(0).normal(scale=30.0, size=(3, width)).astype(np.float32)
    probes[1] = np.nan
    try:
        quick = _direct(booster, outputs)
        alike = all(np.array_equal(quick(part), usual(part)) for part in (probes, probes[:1], probes[1:2]))
    except (AttributeError, ctypes.ArgumentError, OSError):  # another XGBoost
        return usual
    return quick if alike else usual


def _direct(booster: xgboost.Booster, outputs: int) -> Margins:
    """XGBoost's ``XGBoosterPredictFromDense`` with its arguments made once."""
    core = load_xgboost().core
    predict, check, handle = core._LIB.XGBoosterPredictFromDense, core._check_call, booster.handle
    config: Any = core.make_jcargs(
        type=1, training=False, iteration_begin=0, iteration_end=0, missing=np.nan, strict_shape=False, cache_id=0
    )

    def found(matrix: Matrix) -> Array:
        rows, width = matrix.shape
        address = matrix.ctypes.data
        data = f'{{"data": [{address}, true], "shape": [{rows}, {width}], "typestr": "<f4", "version": 3}}'.encode()
        shape, dimensions = ctypes.POINTER(ctypes.c_uint64)(), ctypes.c_uint64()
        values = ctypes.POINTER(ctypes.c_float)()
        check(predict(handle, data, config, None, *map(ctypes.byref, (shape, dimensions, values))))
        # a copy: the next call overwrites what is found
        kept = np.ctypeslib.as_array(values, (rows * outputs,)).astype(np.float64)
        return kept if outputs == 1 else kept.reshape(rows, outputs)

    return found
