"""The files a browser may load are a fixed list."""

import gzip

from driftbook.dashboard.assets import load_assets
from driftbook.dashboard.scripts import SCRIPTS, asked_for_early, bundled


def test_only_files_a_browser_needs_are_on_the_list(tmp_path):
    (tmp_path / "in").mkdir()
    for name in ("page.js", "page.css", "page.html", "notes.ipynb", "in/part.js"):
        (tmp_path / name).write_text(f"/* {name} */" * 50)
    assets = load_assets({"ours/": tmp_path})
    assert sorted(assets.files) == ["ours/in/part.js", "ours/page.css", "ours/page.js"]
    found = assets.files["ours/page.js"]
    assert found.type == "text/javascript"
    assert gzip.decompress(found.packed) == found.content == (tmp_path / "page.js").read_bytes()


def test_another_file_is_another_address(tmp_path):
    path = tmp_path / "page.js"
    path.write_text("1")
    before = load_assets({"": tmp_path}).digest
    assert load_assets({"": tmp_path}).digest == before
    path.write_text("12")
    assert load_assets({"": tmp_path}).digest != before


def test_pieces_are_sent_as_one_and_one_that_is_not_there_is_left_out(tmp_path):
    (tmp_path / "7.main.js").write_text('"use strict";self.pieces.push(7)//# map')
    (tmp_path / "12.0a1b.js").write_text("self.pieces.push(12)")
    (tmp_path / "13.js").write_text("self.pieces.push(13)")
    plain = load_assets({"voila/": tmp_path})
    assets = bundled(plain, {"voila/": "12 7 99"})
    expected = '(function(){self.pieces.push(12)\n})();\n(function(){"use strict";self.pieces.push(7)//# map\n})();\n'
    assert assets.files[SCRIPTS].content.decode() == expected
    assert gzip.decompress(assets.files[SCRIPTS].packed).decode() == expected
    assert assets.digest != plain.digest
    assert asked_for_early(assets) == [SCRIPTS]
    assert bundled(plain, {"voila/": "99"}) is plain
