"""``python -m screenshots [--root FOLDER]``: the README's pictures of the dashboard, from a workbench that was built.

Builds nothing: whatever the workbench holds is what the pictures show. Feature drift is taken on the last alarmed day,
because a quiet day has nothing to show. Few colours make small files.
"""

from __future__ import annotations

import argparse
import io
import sqlite3
import sys
from dataclasses import dataclass
from pathlib import Path

from browser.visits import FIGURES, WIDE, Visit, chromium
from live_dashboard import running
from PIL import Image

from driftbook.config import Settings

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "src" / "driftbook" / "docs" / "images"
MOST_BYTES = 150_000
COLOURS = (256, 128, 64, 32)
REST = 2_000  # milliseconds in which a page that was turned to comes to rest
MARGIN = 12  # pixels below the last card
BOTTOM = """last => Math.max(...[...document.querySelectorAll("#rendered_cells section.dash-card")]
  .map(each => each.getBoundingClientRect())
  .filter(box => box.top <= last.getBoundingClientRect().top).map(box => box.bottom))"""
LAST_ALARM = (
    "SELECT batch_id FROM journal WHERE use_case = ? AND json_extract(entry, '$.drift.alarmed') ORDER BY batch_id DESC"
)


@dataclass(frozen=True)
class Picture:
    """A page down to a card; ``alarmed`` shows it as known on the last alarmed day."""

    page: str
    until: str
    alarmed: bool = False


PICTURES = (
    Picture("overview", until=FIGURES["overview"]),
    Picture("drift", until="The chosen column over time", alarmed=True),
    Picture("champion", until=FIGURES["champion"]),
)


def take(visit: Visit, picture: Picture, *, day: str) -> bytes:
    """A picture as PNG."""
    visit.turn_to(picture.page)
    if picture.alarmed:
        visit.slide_to(day)
    page, last = visit.page, visit.card(picture.until)
    last.wait_for()
    page.wait_for_timeout(REST)
    page.evaluate("document.activeElement.blur(), window.scrollTo(0, 0)")
    bottom = last.evaluate(BOTTOM) + MARGIN
    clip = {"x": 0.0, "y": 0.0, "width": float(WIDE["width"]), "height": bottom}
    return compact(page.screenshot(full_page=True, clip=clip))  # type: ignore[arg-type]


def compact(png: bytes) -> bytes:
    """The same with as many colours as a small file allows."""
    for colours in COLOURS:
        packed = io.BytesIO()
        few = Image.open(io.BytesIO(png)).convert("RGB").quantize(colours, dither=Image.Dither.NONE)
        few.save(packed, "PNG", optimize=True)
        if packed.tell() <= MOST_BYTES:
            return packed.getvalue()
    raise ValueError(f"expected at most {MOST_BYTES:,} bytes, found {packed.tell():,}; show less of the page")


def last_alarmed_day(settings: Settings, use_case: str) -> str:
    """The day of the last batch that alarmed."""
    with sqlite3.connect(settings.state_folder / "driftbook.db") as database:
        found = database.execute(LAST_ALARM, [use_case]).fetchone()
    return str(found[0])[:10] if found else ""


def main(arguments: list[str] | None = None) -> int:
    """Take all pictures."""
    parser = argparse.ArgumentParser(prog="screenshots", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--root", type=Path, default=ROOT, help="a workbench that was built")
    parser.add_argument("--use-case", default="churn")
    parser.add_argument("--images", type=Path, default=IMAGES)
    wish = parser.parse_args(arguments)
    day = last_alarmed_day(Settings(root=wish.root.resolve()), wish.use_case)
    wish.images.mkdir(parents=True, exist_ok=True)
    with running(wish.root.resolve()) as address, chromium() as browser:
        visit = Visit(browser, address)
        for picture in PICTURES:
            png = take(visit, picture, day=day)
            (wish.images / f"{picture.page}.png").write_bytes(png)
            sys.stdout.write(f"{picture.page}.png: {len(png):,} bytes\n")
            visit.to_newest_day()
        visit.leave()
    (wish.root / "dashboard.log").unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
