"""How much room words take in a figure, so that they are cut only where they do not fit.

A page cannot be asked for the width of its letters where figures are drawn. These are the widths of DejaVu Sans, the
widest of the families that figures are set in: what fits in it fits in the others.
"""

SIZE = 12.0  # pixels, of all words but titles
MORE_IF_BOLD = 1.13
ELLIPSIS = "…"
# in hundredths of the size
_GROUPS = {
    28: "ijlI'|",
    32: " .,:;\u00a0",
    36: "ft/\\-‐\u2011",
    40: "r()[]",
    53: 'csz_?…*"',
    60: "aekvxy",
    64: "bdghnopqu0123456789TYLFESPZXJK$",
    70: "ABCRDV&",
    79: "GHNUOQ",
    84: "wM+=<>−±×≥≤◆#~^",
    99: "mW@%",
}
_WIDTHS = {letter: hundredths / 100 for hundredths, letters in _GROUPS.items() for letter in letters}
_OTHER = 1.0  # of letters not listed: an ideogram is as wide as high


def text_width(text: str, *, bold: bool = False) -> float:
    """About how many pixels a text takes, rather too many than too few.

    Examples
    --------
    >>> round(text_width("illicit")), round(text_width("monthly")), round(text_width("monthly", bold=True))
    (27, 50, 56)
    """
    own = sum(_WIDTHS.get(letter, _OTHER if ord(letter) > 0x2E80 else 0.7) for letter in text)
    return SIZE * own * (MORE_IF_BOLD if bold else 1)


def shorten(text: str, *, width: float, bold: bool = False) -> str:
    """Text cut to about ``width`` pixels, with an ellipsis where cut.

    Examples
    --------
    >>> shorten("monthly_charges", width=105), shorten("monthly_charges", width=105, bold=True)
    ('monthly_charges', 'monthly_char…')
    """
    if text_width(text, bold=bold) <= width:
        return text
    kept = text
    while len(kept) > 1 and text_width(kept + ELLIPSIS, bold=bold) > width:
        kept = kept[:-1]
    return kept + ELLIPSIS
