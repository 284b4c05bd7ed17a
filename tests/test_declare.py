"""driftbook init: what is guessed from small tables, and that every real table works or ends in an error to act on."""

import gzip
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from driftbook.config import Settings, load_use_case
from driftbook.data.batches import ingest
from driftbook.data.declare import Declaration, declare_use_case, write_declaration
from driftbook.data.roles import guess_roles, guess_task
from driftbook.data.sources import load_table
from driftbook.errors import ConfigError, DataError, StateError, UnknownNameError

SHARED = Path(__file__).parents[2] / "shared" / "data"
ROWS = 400


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(root=tmp_path / "desk")


def customers() -> pl.DataFrame:
    rng = np.random.default_rng(7)
    return pl.DataFrame(
        {
            "customerID": [f"C-{row:04d}" for row in range(ROWS)],
            "age": rng.integers(18, 80, ROWS),
            "charges": rng.gamma(9.0, 8.0, ROWS).round(2),
            "plan": rng.choice(["basic", "family", "pro"], ROWS),
            "signed": [str(date(2020, 1, 1) + timedelta(days=row // 2)) for row in range(ROWS)],
            "country": ["NL"] * ROWS,
            "comment": [f"text {row * 2 // 3}" for row in range(ROWS)],
            "nothing": pl.Series([None] * ROWS, dtype=pl.String),
            "churn": rng.choice(["No", "Yes"], ROWS, p=[0.7, 0.3]),
        }
    )


def a_file(folder: Path, table: pl.DataFrame, name: str = "Customers 2026.csv", **form: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    table.write_csv(folder / name, **form)  # type: ignore[arg-type]
    return folder / name


def declared(settings: Settings, file: Path, **given: object) -> Declaration:
    return declare_use_case(file, **{"target": "churn", **given}, settings=settings)  # type: ignore[arg-type]


def written(settings: Settings, file: Path, **given: object) -> Declaration:
    declaration = declared(settings, file, **given)
    write_declaration(declaration, file, settings=settings)
    return declaration


def roles_of(column: list[object], target: list[str], *, name: str = "x", has_types: bool = False) -> dict[str, object]:
    rng = np.random.default_rng(1)
    table = pl.DataFrame({"y": target, name: column, "other": rng.normal(size=len(target))})
    roles = guess_roles(table, target="y", given=set(), has_types=has_types)
    found = {role: name in getattr(roles, role) for role in ("numeric", "categorical", "dates")}
    return {**{role: True for role, holds in found.items() if holds}, **{"left_out": roles.left_out.get(name)}}


COIN = [str(bit) for bit in np.random.default_rng(3).integers(0, 2, ROWS)]


def test_roles_are_guessed_and_what_is_left_out_has_its_reason(settings: Settings, tmp_path: Path) -> None:
    written(settings, a_file(tmp_path, customers()))
    case = load_use_case("customers_2026", settings=settings)
    assert case.columns.numeric == ("age", "charges")
    assert case.columns.categorical == ("plan",)
    assert case.columns.dates == ("signed",)
    assert case.columns.left_out == {
        "customerID": "identifier: every value occurs once",
        "country": "one value only: nothing to learn",
        "comment": "text with 267 different values: too many for a category",
        "nothing": "no value in any row",
    }
    assert (case.task, case.columns.positive_class, case.batch.rows) == ("binary", "Yes", 20)


def test_every_guess_is_told_in_a_note(settings: Settings, tmp_path: Path) -> None:
    notes = declared(settings, a_file(tmp_path, customers())).notes
    assert "target 'churn' has the classes No, Yes; 'Yes' is taken as the positive one by its name" in notes
    assert "left out customerID: identifier: every value occurs once" in notes
    assert any("dealt to days of 20" in note for note in notes)


def test_what_is_declared_can_be_ingested(settings: Settings, tmp_path: Path) -> None:
    written(settings, a_file(tmp_path, customers()))
    case = load_use_case("customers_2026", settings=settings)
    index = ingest(case, settings, as_of=date(2026, 6, 30))
    assert (index["rows"].sum(), index["quarantined"].sum()) == (ROWS, 0)


def test_nothing_is_written_before_one_asks_for_it(settings: Settings, tmp_path: Path) -> None:
    declared(settings, a_file(tmp_path, customers()))
    assert not settings.root.exists()


@pytest.mark.parametrize(
    ("separator", "encoding", "name"),
    [(";", "utf8", "a.csv"), ("\t", "cp1252", "a.txt"), ("|", "utf-16", "a.csv"), (",", "utf8", "a.csv.gz")],
)
def test_any_separator_and_encoding_is_read_as_it_is(
    settings: Settings, tmp_path: Path, separator: str, encoding: str, name: str
) -> None:
    text = customers().with_columns(plan=pl.col("plan").replace("pro", "für Profis")).write_csv(separator=separator)
    content = text.encode(encoding)
    file = tmp_path / name
    file.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    written(settings, file)
    table = load_table(load_use_case("a", settings=settings), settings)
    assert table.shape == customers().shape
    assert "für Profis" in table["plan"].to_list()


def test_a_file_without_header_gets_numbered_columns(settings: Settings, tmp_path: Path) -> None:
    file = a_file(tmp_path, customers(), include_header=False)
    declaration = written(settings, file, target="column_9")
    case = load_use_case("customers_2026", settings=settings)
    assert case.columns.numeric == ("column_2", "column_3")
    assert load_table(case, settings).height == ROWS
    assert "no header found: the columns are called column_1 to column_9" in declaration.notes


def test_a_header_of_numbers_is_a_header_when_the_target_stands_in_it(settings: Settings, tmp_path: Path) -> None:
    years = customers().select("age", "charges", "churn").rename({"age": "2019", "charges": "2020"})
    assert "numeric: ['2019', '2020']" in declared(settings, a_file(tmp_path, years)).text


def test_headers_with_blanks_and_doubled_names_are_made_distinct(settings: Settings, tmp_path: Path) -> None:
    file = a_file(tmp_path, customers().select("age", "charges", "churn"))
    file.write_text(file.read_text().replace("age,charges,churn", " Length, Length, churn"))
    assert "numeric: [Length, Length_1]" in declared(settings, file).text


def test_parquet_keeps_its_types(settings: Settings, tmp_path: Path) -> None:
    table = customers().with_columns(
        code=pl.col("age").cast(pl.String), seen=pl.lit(datetime(2026, 1, 1)) + pl.duration(hours=pl.col("age"))
    )
    table.write_parquet(tmp_path / "typed.parquet")
    written(settings, tmp_path / "typed.parquet")
    columns = load_use_case("typed", settings=settings).columns
    assert columns.numeric == ("age", "charges")
    assert columns.categorical == ("plan", "code")
    assert columns.dates == ("signed", "seen")


def test_names_that_yaml_would_read_otherwise_survive(settings: Settings, tmp_path: Path) -> None:
    table = customers().select(
        pl.col("age").alias("no"), pl.col("charges").alias("a: b #c"), pl.col("churn").alias("y")
    )
    written(settings, a_file(tmp_path, table), target="y")
    columns = load_use_case("customers_2026", settings=settings).columns
    assert (columns.numeric, columns.target) == (("no", "a: b #c"), "y")


def test_long_lists_are_wrapped_between_names_and_read_back_unchanged(settings: Settings, tmp_path: Path) -> None:
    names = [f"Total Length  of Packet {place}" for place in range(30)]
    rng = np.random.default_rng(5)
    table = pl.DataFrame({name: rng.normal(size=ROWS) for name in names}).with_columns(churn=pl.Series(COIN))
    declaration = written(settings, a_file(tmp_path, table))
    assert load_use_case("customers_2026", settings=settings).columns.numeric == tuple(names)
    assert max(len(line) for line in declaration.text.splitlines()) <= 120


def test_a_mark_for_missing_does_not_turn_numbers_into_text(settings: Settings, tmp_path: Path) -> None:
    table = customers().with_columns(age=pl.when(pl.col("age") < 25).then(pl.lit("?")).otherwise(pl.col("age")))
    declaration = written(settings, a_file(tmp_path, table))
    case = load_use_case("customers_2026", settings=settings)
    assert "age" in case.columns.numeric
    assert "?" not in load_table(case, settings)["age"].to_list()
    assert "age: ? read as missing" in declaration.notes


def test_infinite_values_stay_numbers() -> None:
    assert roles_of(["Infinity", *(str(row % 7) for row in range(ROWS - 1))], COIN)["numeric"]


def test_a_running_number_is_an_identifier_but_a_measurement_is_not() -> None:
    assert roles_of([str(row) for row in range(ROWS)], COIN)["left_out"] == "identifier: every value occurs once"
    assert roles_of([str(row * row / 7) for row in range(ROWS)], COIN)["numeric"]


def test_a_copy_of_the_target_is_left_out_with_a_warning() -> None:
    assert str(roles_of([f"class {each}" for each in COIN], COIN)["left_out"]).startswith(
        "WARNING: gives the target away"
    )


def test_a_number_that_parts_the_classes_without_overlap_is_left_out() -> None:
    shifted = [row + 10_000 * int(each) for row, each in enumerate(COIN)]
    assert str(roles_of(shifted, COIN)["left_out"]).startswith("WARNING")


def test_a_strong_feature_is_not_called_a_leak() -> None:
    nearly = [f"class {each}" for each in COIN[:-1]] + ["class 0" if COIN[-1] == "1" else "class 1"]
    assert roles_of(nearly, COIN)["categorical"]


def test_names_of_driftbook_and_outputs_of_other_models_are_left_out() -> None:
    numbers = [str(row % 9) for row in range(ROWS)]
    assert "rename" in str(roles_of(numbers, COIN, name="prediction")["left_out"])
    assert "another model" in str(roles_of(numbers, COIN, name="predicted_probability")["left_out"])


def test_numbers_with_a_decimal_comma_are_left_out_with_what_to_do() -> None:
    assert "export them with a point" in str(roles_of([f"{row},5" for row in range(ROWS)], COIN)["left_out"])


def test_lists_are_left_out_by_their_type() -> None:
    assert "List" in str(roles_of([[1]] * ROWS, COIN, has_types=True)["left_out"])


@pytest.mark.parametrize(
    ("classes", "positive"),
    [(["0", "1"], "1"), (["no", "yes"], "yes"), (["1", "2"], "1"), (["0.0", "1.0"], "1.0"), (["b", "a"], "b")],
)
def test_the_positive_class_is_told_by_name_else_the_rarer(classes: list[str], positive: str) -> None:
    values = [classes[0]] * 3 + [classes[1]] * 4
    assert guess_task(pl.Series("y", values)).positive_class == positive


def test_whole_numbers_in_a_float_column_are_classes_without_a_point() -> None:
    assert guess_task(pl.Series("y", [0.0, 1.0, None])).classes == ("0", "1")


def test_rare_classes_of_a_multiclass_target_are_named(settings: Settings, tmp_path: Path) -> None:
    table = customers().with_columns(churn=pl.when(pl.col("age") == 30).then(pl.lit("rare")).otherwise("plan"))
    declaration = declared(settings, a_file(tmp_path, table.drop("plan")))
    assert "task: multiclass" in declaration.text
    assert any(note.endswith("fewer than 20 rows: rare") for note in declaration.notes)


def timed(count: int, step: timedelta, form: str) -> pl.DataFrame:
    times = [(datetime(2026, 3, 1) + step * row).strftime(form) for row in range(count)]
    age = [str(20 + row * row % 50) for row in range(count)]
    return pl.DataFrame({"at": times, "age": age, "churn": [COIN[row % ROWS] for row in range(count)]})


def test_a_time_column_makes_days_and_the_stream_starts_at_sixty_percent(settings: Settings, tmp_path: Path) -> None:
    file = a_file(tmp_path, timed(1000, timedelta(hours=1), "%Y-%m-%d %H:%M:%S"))
    written(settings, file, time="at")
    case = load_use_case("customers_2026", settings=settings)
    assert (case.batch.period, case.source.stream_start) == ("day", date(2026, 3, 26))  # type: ignore[union-attr]


def test_few_days_with_many_rows_make_hours(settings: Settings, tmp_path: Path) -> None:
    file = a_file(tmp_path, timed(2000, timedelta(minutes=2), "%Y-%m-%d %H:%M:%S"))
    assert "period: hour" in declared(settings, file, time="at").text


def test_a_format_other_than_iso_is_found_and_a_doubtful_one_is_told(settings: Settings, tmp_path: Path) -> None:
    clear = declared(settings, a_file(tmp_path, timed(100, timedelta(days=1), "%m/%d/%Y")), time="at")
    assert "time_format: '%m/%d/%Y'" in clear.text
    doubtful = declared(settings, a_file(tmp_path, timed(240, timedelta(hours=1), "%m/%d/%Y")), time="at")
    assert any("would fit too: check it" in note for note in doubtful.notes)


def test_a_time_column_without_times_says_which_forms_are_known(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"'plan' holds no times .* expected ISO 8601"):
        declared(settings, a_file(tmp_path, customers()), time="plan")


def test_all_rows_on_one_day_are_no_stream(settings: Settings, tmp_path: Path) -> None:
    file = a_file(tmp_path, timed(200, timedelta(seconds=1), "%Y-%m-%d %H:%M:%S"))
    with pytest.raises(DataError, match="expected two days or more: leave --time away"):
        declared(settings, file, time="at")


def test_the_identifier_is_taken_as_given(settings: Settings, tmp_path: Path) -> None:
    declaration = declared(settings, a_file(tmp_path, customers()), id="customerID")
    assert "  id: customerID\n" in declaration.text
    with pytest.raises(DataError, match="identifier 'plan' repeats"):
        declared(settings, a_file(tmp_path, customers()), id="plan")


@pytest.mark.parametrize("role", ["target", "time", "id"])
def test_a_misspelt_column_is_answered_with_the_near_one(settings: Settings, tmp_path: Path, role: str) -> None:
    with pytest.raises(UnknownNameError, match=r"no column 'chrn'; did you mean 'churn'\? Available: age"):
        declared(settings, a_file(tmp_path, customers().drop("customerID")), **{role: "chrn"})


def test_a_quantity_as_target_is_refused_with_what_to_do(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Regression is not supported"):
        declared(settings, a_file(tmp_path, customers()), target="charges")


def test_the_name_must_be_usable_and_new(settings: Settings, tmp_path: Path) -> None:
    file = a_file(tmp_path, customers())
    with pytest.raises(ConfigError, match="expected small letters"):
        declared(settings, file, name="My-Case")
    written(settings, file, name="mine")
    with pytest.raises(ConfigError, match="'mine' exists already"):
        declared(settings, file, name="mine")


def test_a_raw_file_of_other_content_is_never_overwritten(settings: Settings, tmp_path: Path) -> None:
    file = a_file(tmp_path, customers())
    declaration = declared(settings, file)
    raw = settings.raw_folder(declaration.name) / file.name
    raw.parent.mkdir(parents=True)
    raw.write_text("mine")
    with pytest.raises(StateError, match="other content"):
        write_declaration(declaration, file, settings=settings)
    assert raw.read_text() == "mine"
    assert not (raw.parents[1] / "usecase.yaml").exists()


def test_few_values_that_are_no_number_do_not_make_a_column_text(settings: Settings, tmp_path: Path) -> None:
    charges = [str(value) for value in customers()["charges"] + pl.Series(range(ROWS)) / 7]
    table = customers().with_columns(charges=pl.Series(["abc", "inf", "-Infinity", *charges[3:]]))
    declaration = written(settings, a_file(tmp_path, table))
    case = load_use_case("customers_2026", settings=settings)
    assert "charges" in case.columns.numeric
    assert "charges: 1 of 400 values is no number ('abc'); such rows are set aside" in declaration.notes
    index = ingest(case, settings, as_of=date(2026, 6, 30))
    assert index["quarantined"].sum() == 1


def test_more_than_two_percent_of_other_values_make_a_column_text() -> None:
    numbers = [str(row % 7) for row in range(ROWS)]
    assert roles_of(["abc"] * 8 + numbers[8:], COIN)["numeric"]
    assert roles_of(["abc"] * 9 + numbers[9:], COIN)["categorical"]


def test_dates_in_a_known_format_are_dates_and_their_format_is_declared(settings: Settings, tmp_path: Path) -> None:
    signed = pl.col("signed").str.to_date().dt.to_string("%d.%m.%Y")
    table = (
        customers()
        .with_columns(signed=signed)
        .with_columns(signed=pl.when(pl.int_range(pl.len()) == 5).then(pl.lit("soon")).otherwise("signed"))
    )
    declaration = written(settings, a_file(tmp_path, table))
    case = load_use_case("customers_2026", settings=settings)
    assert case.columns.dates == ("signed",)
    assert "time_format: '%d.%m.%Y'" in declaration.text
    assert "signed: 1 of 400 values is no time ('soon'); such rows are set aside" in declaration.notes
    index = ingest(case, settings, as_of=date(2026, 6, 30))
    assert (index["rows"].sum(), index["quarantined"].sum()) == (ROWS - 1, 1)


def test_dates_whose_day_and_month_cannot_be_told_apart_are_not_guessed() -> None:
    assert not roles_of([f"0{1 + row % 9}/0{1 + row % 7}/2026" for row in range(ROWS)], COIN).get("dates")


def test_the_first_time_that_cannot_be_read_is_named_and_all_are_counted(settings: Settings, tmp_path: Path) -> None:
    table = timed(1000, timedelta(hours=1), "%Y-%m-%d %H:%M:%S")
    one = table.with_columns(at=pl.Series([*table["at"][:3], "abc", *table["at"][4:]]))
    notes = declared(settings, a_file(tmp_path, one), time="at").notes
    assert "at: 1 of 1000 values is no time ('abc'); such rows are set aside" in notes
    many = table.with_columns(at=pl.Series([*table["at"][:3], "abc", *["def"] * 20, *table["at"][24:]]))
    with pytest.raises(DataError, match="21 of 1000 values cannot be read as ISO 8601, the first is 'abc'"):
        declared(settings, a_file(tmp_path, many), time="at")


@pytest.mark.parametrize(
    ("file", "name"), [("Übel daten (1).csv", "uebel_daten_1"), ("Straße à côté.csv", "strasse_a_cote")]
)
def test_umlauts_and_accents_are_spelt_out_in_the_name(
    settings: Settings, tmp_path: Path, file: str, name: str
) -> None:
    assert declared(settings, a_file(tmp_path, customers(), file)).name == name


def test_batches_that_are_certainly_too_small_are_called_so(settings: Settings, tmp_path: Path) -> None:
    few = declared(settings, a_file(tmp_path, timed(240, timedelta(hours=3), "%Y-%m-%d %H:%M:%S")), time="at")
    assert (
        "drift will be 'cannot tell' in every batch: 8 rows a day, 20 are needed; "
        "leave out --time and give batch.rows, or join days before"
    ) in few.notes
    enough = declared(settings, a_file(tmp_path, timed(240, timedelta(hours=1), "%Y-%m-%d %H:%M:%S")), time="at")
    assert not any("cannot tell" in note for note in enough.notes)


def test_the_policies_are_where_the_comment_says(settings: Settings, tmp_path: Path) -> None:
    assert "see src/driftbook/policies" in declared(settings, a_file(tmp_path, customers())).text
    assert (Path(__file__).parents[1] / "src/driftbook/policies/calibrated.yaml").is_file()


REAL = {
    "telco_churn/Telco-Customer-Churn.csv": ("Churn", ("Yes", 4, 15)),
    "bank_marketing/bank-additional-full.parquet": ("y", ("yes", 10, 10)),
    "elec2/elec.csv": ("class", ("1", 6, 0)),
    "uci_default/UCI_Credit_Card.csv": ("default.payment.next.month", ("1", 23, 0)),
    "german_credit/german.csv": ("column_21", ("2", 7, 13)),
    "nsl_kdd/KDDTrain+_20Percent.txt": ("column_42", (None, 37, 3)),
    "kdd99/kddcup.data_10_percent.gz": ("column_42", (None, 36, 3)),
    "cicids2017/th1.csv": ("Label", (None, 66, 0)),
    "census_ma/employment_MA_reference.pq": ("employed", ("1", 1, 15)),
}


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data, the real tables that lie beside the project")
@pytest.mark.parametrize("name", REAL)
def test_every_real_table_with_a_classification_target_is_declared_and_loads(name: str, settings: Settings) -> None:
    target, expected = REAL[name]
    declaration = declare_use_case(SHARED / name, target=target, settings=settings)
    write_declaration(declaration, SHARED / name, settings=settings)
    case = load_use_case(declaration.name, settings=settings)
    columns = case.columns
    assert (columns.positive_class, len(columns.numeric), len(columns.categorical)) == expected
    assert case.task == ("multiclass" if expected[0] is None else "binary")


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data, the real tables that lie beside the project")
@pytest.mark.parametrize("name", ["f1", "f2", "f3", "m1", "th2", "tu1"])
def test_the_first_rows_of_an_attack_file_hold_one_class_and_say_so(name: str, settings: Settings) -> None:
    with pytest.raises(DataError, match=r"'Label' holds the class 'BENIGN' in every row; expected two classes"):
        declare_use_case(SHARED / "cicids2017" / f"{name}.csv", target="Label", settings=settings)
