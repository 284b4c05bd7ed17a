"""Bad input, each kind against the real functions: a clear error that says what to do, and nothing half written."""

from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from driftbook.config import Settings, UseCase, load_use_case
from driftbook.config.policy import QualityPolicy
from driftbook.data.batches import ingest, load_batches, load_quarantined
from driftbook.data.declare import declare_use_case
from driftbook.data.sources import load_table
from driftbook.errors import ConfigError, DataError, DriftbookError, SchemaError, UnknownNameError
from driftbook.quality import check_batches, check_history

SHARED = Path(__file__).parents[2] / "shared" / "data"
AS_OF = date(2026, 6, 30)
ROWS = 400
DECLARED = """\
title: Shop customers
task: binary
columns: {id: id, target: left, positive_class: 'yes', numeric: [age, spend], categorical: [plan]}
source: {kind: files, path: shop.csv, stream_start: 2026-05-17, deal: {order: file}}
batch: {rows: 40}
"""


def table() -> pl.DataFrame:
    rng = np.random.default_rng(11)
    return pl.DataFrame(
        {
            "id": [f"c{row}" for row in range(ROWS)],
            "age": rng.integers(18, 80, ROWS).astype(str),
            "spend": rng.gamma(9.0, 8.0, ROWS).round(2).astype(str),
            "plan": rng.choice(["basic", "pro"], ROWS),
            "left": rng.choice(["no", "yes"], ROWS),
        }
    )


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(root=tmp_path)


def shop(settings: Settings, rows: pl.DataFrame | bytes | None = None, declared: str = DECLARED) -> UseCase:
    """A use case with this raw file; ``None``: the file is missing."""
    raw = settings.raw_folder("shop")
    raw.mkdir(parents=True)
    (raw.parent / "usecase.yaml").write_text(declared, encoding="utf-8")
    if rows is not None:
        (raw / "shop.csv").write_bytes(rows.write_csv().encode() if isinstance(rows, pl.DataFrame) else rows)
    return load_use_case("shop", settings=settings)


def files_below(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refused(case: UseCase, settings: Settings, error: type[DriftbookError], match: str) -> None:
    """Ingesting fails with that message, and leaves every file as it was."""
    before = files_below(settings.root)
    with pytest.raises(error, match=match):
        ingest(case, settings, as_of=AS_OF)
    assert files_below(settings.root) == before


def findings(case: UseCase, settings: Settings) -> pl.DataFrame:
    history = load_batches(case, settings, as_of=AS_OF, part="history")
    stream = load_batches(case, settings, as_of=AS_OF, part="stream")
    index = ingest(case, settings, as_of=AS_OF)
    return check_batches(stream, history, case=case, policy=QualityPolicy(), index=index)


def test_good_input_is_ingested_without_a_finding(settings: Settings) -> None:
    case = shop(settings, table())
    index = ingest(case, settings, as_of=AS_OF)
    assert (index["rows"].sum(), index["quarantined"].sum()) == (ROWS, 0)
    assert findings(case, settings).is_empty()


def test_a_missing_file_says_where_to_put_it(settings: Settings) -> None:
    refused(shop(settings), settings, DataError, r"in data/shop/raw/, found no file there; put the file there")


@pytest.mark.parametrize("content", [b"", b"\n \n"])
def test_an_empty_file_is_refused(settings: Settings, content: bytes) -> None:
    refused(shop(settings, content), settings, DataError, r"shop.csv is empty; .* export or copy the file again")


def test_a_header_without_rows_is_refused(settings: Settings) -> None:
    refused(shop(settings, table().clear()), settings, DataError, "a header but no rows; .* export the file again")


def test_a_wrong_delimiter_is_answered_with_the_one_that_fits(settings: Settings) -> None:
    content = table().write_csv(separator=";").encode()
    refused(shop(settings, content), settings, DataError, r"';' would give 5: set source.separator to ';'")


def test_a_missing_target_is_answered_with_the_near_name(settings: Settings) -> None:
    renamed = table().rename({"left": "lefft"})
    refused(shop(settings, renamed), settings, SchemaError, r"no column 'left'; did you mean 'lefft'\?")


@pytest.mark.parametrize(("left", "found"), [("no", "found 'no'"), (None, "found no value")])
def test_one_class_only_is_refused(settings: Settings, left: str | None, found: str) -> None:
    one = table().with_columns(left=pl.lit(left, dtype=pl.String))
    refused(shop(settings, one), settings, DataError, f"at least two classes before .* {found}; .* another target")


def test_one_class_in_the_history_is_refused_though_the_stream_has_two(settings: Settings) -> None:
    early = table().with_columns(left=pl.when(pl.int_range(pl.len()) < 300).then(pl.lit("no")).otherwise("left"))
    refused(shop(settings, early), settings, DataError, "a longer history")


def test_a_positive_class_that_never_occurs_is_answered_with_the_classes(settings: Settings) -> None:
    case = shop(settings, table(), DECLARED.replace("'yes'", "'Yes'"))
    refused(case, settings, DataError, "'Yes' is no class of 'left'; found 'no', 'yes'")


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ("positive_class", "positiv_class", r"columns.positiv_class: no such key; did you mean 'positive_class'\?"),
        ("stream_start", "steam_start", r"source.*steam_start: no such key; did you mean 'stream_start'\?"),
        ("batch:", "batches:", r"batches: no such key; did you mean 'batch'\?"),
    ],
)
def test_a_misspelt_key_is_named_with_the_right_one(settings: Settings, right: str, wrong: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        shop(settings, table(), DECLARED.replace(right, wrong))


def test_broken_yaml_names_the_file_and_the_place(settings: Settings) -> None:
    with pytest.raises(ConfigError, match=r"usecase.yaml is not valid YAML: [\s\S]*line 2"):
        shop(settings, table(), "title: Shop\n  task: [binary\n")


def test_an_unknown_use_case_is_answered_with_those_there_are(settings: Settings) -> None:
    shop(settings, table())
    with pytest.raises(UnknownNameError, match=r"no use case 'shopp'; did you mean 'shop'\? Available: shop"):
        load_use_case("shopp", settings=settings)


def test_an_unknown_policy_is_answered_with_those_there_are(settings: Settings) -> None:
    with pytest.raises(UnknownNameError, match=r"no policy 'calibrate'; did you mean 'calibrated'\?"):
        shop(settings, table(), DECLARED + "policy: calibrate\n")


def test_an_unknown_scenario_is_answered_with_those_there_are(settings: Settings) -> None:
    shop(settings, table())
    case = load_use_case("shop", scenario="suddn", settings=settings)
    refused(case, settings, UnknownNameError, r"no scenario 'suddn'; did you mean 'sudden'\? Available: class_balance")


def test_duplicated_ids_are_quarantined_and_told(settings: Settings) -> None:
    case = shop(settings, pl.concat([table(), table().head(3)]))
    assert ingest(case, settings, as_of=AS_OF)["rows"].sum() == ROWS
    lost = load_quarantined(case, settings, as_of=AS_OF)
    assert (lost["id"].to_list(), set(lost["reason"])) == (["c0", "c1", "c2"], {"id: identifier occurs before"})
    assert findings(case, settings)["check"].to_list() == ["quarantined"]


def test_values_of_the_wrong_type_are_quarantined_and_the_run_goes_on(settings: Settings) -> None:
    wrong = table().with_columns(age=pl.when(pl.int_range(pl.len()) == 399).then(pl.lit("forty")).otherwise("age"))
    case = shop(settings, wrong)
    assert ingest(case, settings, as_of=AS_OF)["rows"].sum() == ROWS - 1
    assert load_quarantined(case, settings, as_of=AS_OF)["reason"].to_list() == [
        "age: expected a number, found 'forty'"
    ]
    assert "lie in quarantine" in findings(case, settings)["message"].item()


def test_a_table_of_which_no_row_fits_is_refused(settings: Settings) -> None:
    words = table().with_columns(age=pl.lit("forty"))
    refused(shop(settings, words), settings, DataError, "age: expected a number, found 'forty'; correct the roles")


def test_an_all_null_column_is_told_and_the_run_goes_on(settings: Settings) -> None:
    case = shop(settings, table().with_columns(spend=pl.lit(None, dtype=pl.String)))
    ingest(case, settings, as_of=AS_OF)
    told = check_history(load_batches(case, settings, as_of=AS_OF, part="history"), case=case)
    assert told["message"].to_list() == [
        "spend: no value in the whole history: a model learns nothing from it; "
        "leave it out in usecase.yaml (columns.left_out)"
    ]
    assert findings(case, settings).is_empty()


def test_bytes_that_are_not_utf8_are_answered_with_their_place_and_the_key_to_set(settings: Settings) -> None:
    content = table().with_columns(plan=pl.lit("für")).write_csv().encode("cp1252")
    match = r"not utf8 text: byte 0xfc at position \d+ \(line 2\); set source.encoding in usecase.yaml .*cp1252"
    refused(shop(settings, content), settings, DataError, match)


def test_headers_with_blanks_and_doubled_names_are_read(settings: Settings) -> None:
    rows = table().write_csv().replace("id,age,spend,plan,left", " id, age, age, plan, left")
    case = shop(settings, rows.encode(), DECLARED.replace("spend", "age_1"))
    assert ingest(case, settings, as_of=AS_OF)["rows"].sum() == ROWS


def test_infinite_values_are_kept_and_told(settings: Settings) -> None:
    endless = table().with_columns(
        spend=pl.when(pl.int_range(pl.len()) >= 390).then(pl.lit("Infinity")).otherwise("spend")
    )
    case = shop(settings, endless)
    assert ingest(case, settings, as_of=AS_OF)["quarantined"].sum() == 0
    told = findings(case, settings)
    assert told.select("column", "check").rows() == [("spend", "infinite")]


def test_a_row_with_too_many_fields_is_named_by_its_line(settings: Settings) -> None:
    lines = table().write_csv().splitlines()
    lines[7] += ",more"
    refused(shop(settings, "\n".join(lines).encode()), settings, DataError, "line 8 has 6 fields, expected 5")


def test_a_stream_that_starts_before_all_rows_is_refused_with_the_days_there_are(settings: Settings) -> None:
    timed = DECLARED.replace("{id: id,", "{id: id, event_time: at,").replace(", deal: {order: file}", "")
    timed = timed.replace("rows: 40", "period: day").replace("2026-05-17", "2020-01-01")
    days = pl.datetime_range(pl.datetime(2026, 1, 1), pl.datetime(2026, 1, 4, 23), "1h", eager=True)
    rows = table().head(96).with_columns(at=days.dt.strftime("%F %T"))
    match = r"leaves no history .* the source gives 2026-01-01 to 2026-01-04; set source.stream_start"
    refused(shop(settings, rows, timed), settings, DataError, match)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (None, "found none there; check the path"),
        (b"", "is empty"),
        (b"only\none\ncolumn\n", "one column with any of the separators"),
        (b"a,b\0\n1,\0\n" * 60, "zero bytes"),
        (b"PAR1 and nothing else", "rename it to shop.parquet"),
        (b"a,left\n1,yes\n2,no\n", "has 2 rows; expected 100 or more"),
        (
            b"a,left\n" + b"1,yes\n" * 100 + b"2,no\n" * 100,
            "no column is fit to be a feature: a: WARNING: gives the target",
        ),
    ],
)
def test_declaring_refuses_what_cannot_be_used(
    settings: Settings, tmp_path: Path, content: bytes | None, match: str
) -> None:
    file = tmp_path / "shop.csv"
    if content is not None:
        file.write_bytes(content)
    before = files_below(tmp_path)
    with pytest.raises(DataError, match=match):
        declare_use_case(file, target="left", settings=settings)
    assert files_below(tmp_path) == before


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data, the real tables that lie beside the project")
@pytest.mark.parametrize(
    ("name", "endless"), [("m1", 20), ("tu1", 8), ("th2", 8), ("f1", 2), ("f2", 2), ("f3", 2), ("th1", 0)]
)
def test_the_cicids_files_survive_headers_and_infinite_values(settings: Settings, name: str, endless: int) -> None:
    content = (SHARED / "cicids2017" / f"{name}.csv").read_bytes()
    columns = "{target: Label, numeric: [Flow Bytes/s, Flow Packets/s, Fwd Header Length, Fwd Header Length_1]}"
    declared = DECLARED.replace(DECLARED.splitlines()[2], f"columns: {columns}").replace("binary", "multiclass")
    case = shop(settings, content, declared)
    raw = load_table(case, settings)
    assert len(set(raw.columns)) == len(raw.columns) == 79
    infinite = raw.select(pl.col("Flow Bytes/s", "Flow Packets/s").is_in(["Infinity"]).sum()).sum_horizontal().item()
    assert infinite == endless
