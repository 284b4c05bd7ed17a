"""A figure in a page is drawn for a wide place and for a phone, and told in text."""

from driftbook.dashboard.pictures import HALF, PHONE, WHOLE, picture
from driftbook.dashboard.style import STYLE
from driftbook.figures import story
from driftbook.figures.canvas import Canvas

DAY = {"batch_id": "2026-05-17", "drift": {"alarmed": False}, "office": {"champion": 1}, "changes": []}


def drawn():
    canvas = Canvas(height=100)
    canvas.heading("Rows", "Bars are <rows>.", "The line is `asked` for.")
    return canvas.figure("Rows", "Two rows.")


def test_both_drawings_are_there_and_neither_repeats_the_heading():
    found = picture(drawn)
    assert f'viewBox="0 58 {HALF.width:g} 42"' in found
    assert f'viewBox="0 58 {PHONE.width:g} 42"' in found
    assert "Bars are &lt;rows&gt;. The line is <code>asked</code> for." in found
    assert found.count("Bars are") == 1


def test_a_card_of_a_whole_row_gets_a_wider_drawing():
    found = picture(lambda: story([DAY]), wide=True)
    assert f" {WHOLE.width:g} " in found
    assert 'class="dash-picture dash-whole"' in found


def test_what_it_shows_is_said_before_how_it_is_read():
    assert "<strong>1 &lt; 2.</strong>Bars" in picture(drawn, found="1 < 2.")


def test_the_style_sheet_of_the_page_chooses_between_the_drawings():
    assert "@container" in STYLE
