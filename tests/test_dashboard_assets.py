"""The files a browser may load are a fixed list."""

import gzip

from driftbook.dashboard.assets import load_assets, needed_early


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


def test_the_pieces_a_script_asks_for_first_are_known_before_it_runs(tmp_path):
    (tmp_path / "main.js").write_text("var a={1:()=>Promise.all([r.e(12),r.e(7),r.e(12)])};" + "x" * 5000 + "r.e(9)")
    for number in (7, 9, 12):
        (tmp_path / f"{number}.main.js").touch()
    assets = load_assets({"voila/": tmp_path})
    assert needed_early(assets, "voila/main.js") == ["voila/main.js", "voila/12.main.js", "voila/7.main.js"]
