"""Pictures for the README are small, and taken of pages and cards that there are."""

import io
import random

import pytest
from PIL import Image
from screenshots import MOST_BYTES, PICTURES, compact

from driftbook.dashboard.pages import PAGES


def _png(image: Image.Image) -> bytes:
    kept = io.BytesIO()
    image.save(kept, "PNG")
    return kept.getvalue()


def test_every_picture_is_of_a_card_that_its_page_has():
    for picture in PICTURES:
        assert picture.until in {card.title for card in PAGES[picture.page].cards}


def test_a_picture_keeps_its_size_and_its_few_colours():
    flat = Image.new("RGB", (1280, 900), "#f4f6f9")
    flat.paste("#1f5fbf", (100, 100, 400, 200))
    packed = compact(_png(flat))
    again = Image.open(io.BytesIO(packed)).convert("RGB")
    assert len(packed) < MOST_BYTES
    assert again.size == (1280, 900)
    assert again.getpixel((200, 150)) == (0x1F, 0x5F, 0xBF)


def test_what_cannot_be_made_small_is_not_saved():
    noise = Image.frombytes("RGB", (1280, 900), random.Random(1).randbytes(3 * 1280 * 900))
    with pytest.raises(ValueError, match="show less of the page"):
        compact(_png(noise))
