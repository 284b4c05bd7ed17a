"""The sheet that figures are drawn on: how wide it is, and whether a picture carries its own heading.

One figure is read in a notebook, in half of a wide page and on a phone. Scaled down its letters could not be read, and
behind a bar to scroll with it is not looked at; so it is drawn again for the width it is shown at. The sheet is
around the call and no argument of it: a figure says what is shown, the page knows where.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

WIDTH = 760.0
NARROW = 480.0


@dataclass(frozen=True)
class Sheet:
    """What a figure is drawn on.

    Parameters
    ----------
    width
        In pixels, at which letters have their natural size.
    headed
        Whether the picture carries its heading, or the page tells it.
    tips
        Whether marks say more when pointed at; without a pointer they would only make the page heavy.
    """

    width: float = WIDTH
    headed: bool = True
    tips: bool = True

    def room(self, wide: float, narrow: float) -> float:
        """One of two measures: for a sheet as wide as a notebook's, or for one as narrow as a phone.

        Examples
        --------
        >>> Sheet().room(180, 96), Sheet(width=340).room(180, 96)
        (180, 96)
        """
        return narrow if self.width < NARROW else wide


_SHEET: ContextVar[Sheet] = ContextVar("sheet", default=Sheet())  # noqa: B039 (it is frozen)


def current_sheet() -> Sheet:
    """The sheet that figures are drawn on here."""
    return _SHEET.get()


@contextmanager
def drawn_on(sheet: Sheet) -> Iterator[None]:
    """Figures drawn within are drawn on this sheet.

    Examples
    --------
    >>> with drawn_on(Sheet(width=340)):
    ...     current_sheet().width
    340
    >>> current_sheet().width
    760.0
    """
    token = _SHEET.set(sheet)
    try:
        yield
    finally:
        _SHEET.reset(token)
