"""The look keeps its promises: text has contrast in both themes, and nothing is fetched from anywhere."""

import re

import pytest

from driftbook.dashboard.style import DARK, LIGHT, STYLE

AA = 4.5
PAIRS = [("ink", "card"), ("ink", "ground"), ("dim", "card"), ("dim", "ground"), ("ink", "soft"), ("accent", "card")]
PAIRS += [("on-accent", "accent"), ("ink", "field"), ("dim", "field"), ("accent", "ground")]


def _luminance(color):
    text = color if len(color) == 7 else "#" + "".join(2 * each for each in color[1:])
    shares = [int(text[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [each / 12.92 if each <= 0.03928 else ((each + 0.055) / 1.055) ** 2.4 for each in shares]
    return sum(weight * each for weight, each in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def _contrast(first, second):
    low, high = sorted((_luminance(first), _luminance(second)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("pair", PAIRS, ids=" on ".join)
@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_text_has_the_contrast_of_aa_on_its_ground(theme, pair):
    colors = dict(re.findall(r"--dash-([a-z-]+):(#[0-9a-f]+)", theme))
    assert _contrast(colors[pair[0]], colors[pair[1]]) >= AA


def test_nothing_is_fetched_from_anywhere():
    assert "url(" not in STYLE
    assert "@import" not in STYLE
    assert "http" not in STYLE


def test_every_brace_that_opens_closes():
    assert STYLE.count("{") == STYLE.count("}")
