"""A signature covers every line before it, is chained itself, and needs a key that does not lie in the workbench."""

import os
import stat
from datetime import UTC, datetime

import pytest

from driftbook.audit.ledger import append_line, ledger_path, read_ledger
from driftbook.audit.signature import PASSWORD_VARIABLE, check_signatures, make_key, sign_ledger
from driftbook.config import Settings
from driftbook.errors import ConfigError, StateError

NOW = datetime(2026, 6, 30, tzinfo=UTC)


@pytest.fixture
def desk(tmp_path):
    settings = Settings(root=tmp_path / "desk")
    for day in ("2026-06-01", "2026-06-02"):
        append_line(settings, "churn", {"kind": "run", "as_of": day}, by="me", now=NOW)
    return settings


def sign(desk, key):
    return sign_ledger(desk, "churn", key, by="me", now=NOW)


def check(desk, trusted=None):
    return check_signatures(read_ledger(desk, "churn"), name="ledger.jsonl", trusted=trusted)


def test_a_signature_names_its_key_and_how_far_it_reaches(desk, tmp_path):
    public, name = make_key(tmp_path / "key", settings=desk)
    assert sign(desk, tmp_path / "key")["signs"] == 2
    assert check(desk, public) == ([], [f"signed up to line 2 by the key {name}"])
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600


def test_a_run_after_the_signature_is_not_signed(desk, tmp_path):
    public, name = make_key(tmp_path / "key", settings=desk)
    sign(desk, tmp_path / "key")
    append_line(desk, "churn", {"kind": "run", "as_of": "2026-06-03"}, by="me", now=NOW)
    [finding] = check(desk, public)[0]
    assert finding.what == f"lines 3 to 4 are not signed by the key {name}"
    assert check(desk)[0] == []


def test_somebody_elses_signature_does_not_count(desk, tmp_path):
    public, _ = make_key(tmp_path / "key", settings=desk)
    make_key(tmp_path / "other", settings=desk)
    sign(desk, tmp_path / "other")
    assert "lines 1 to 2 are not signed" in str(check(desk, public)[0][0])


def test_a_ledger_written_anew_does_not_fit_the_signature(desk, tmp_path, tmp_path_factory):
    make_key(tmp_path / "key", settings=desk)
    signed = sign(desk, tmp_path / "key")
    forged = Settings(root=tmp_path_factory.mktemp("forged"))
    for day in ("2026-06-01", "2026-06-20"):
        append_line(forged, "churn", {"kind": "run", "as_of": day}, by="me", now=NOW)
    kept = {key: signed[key] for key in ("kind", "algorithm", "signs", "signs_sha256", "public_key", "signature")}
    append_line(forged, "churn", kept, by="me", now=NOW)
    assert read_ledger(forged, "churn").findings == ()
    assert str(check(forged)[0][0]) == "signature: ledger.jsonl, line 3: it does not fit line 2"


def test_a_broken_ledger_is_not_signed(desk, tmp_path):
    make_key(tmp_path / "key", settings=desk)
    path = ledger_path(desk, "churn")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(StateError, match="is not whole, so it is not signed"):
        sign(desk, tmp_path / "key")
    with pytest.raises(StateError, match="expected a ledger of telco, found none"):
        sign_ledger(desk, "telco", tmp_path / "key", by="me", now=NOW)


def test_a_private_key_never_lies_in_the_workbench(desk, tmp_path):
    with pytest.raises(ConfigError, match="lies in the workbench"):
        make_key(desk.root / "key", settings=desk)
    make_key(tmp_path / "key", settings=desk)
    (desk.root / "link").symlink_to(tmp_path / "key")
    (tmp_path / "inside").symlink_to(desk.root / "key")
    (desk.root / "key").write_bytes((tmp_path / "key").read_bytes())
    with pytest.raises(ConfigError, match="lies in the workbench"):
        sign(desk, tmp_path / "inside")


def test_a_key_is_never_overwritten_and_another_file_is_no_key(desk, tmp_path):
    public, _ = make_key(tmp_path / "key", settings=desk)
    with pytest.raises(ConfigError, match="a key is never overwritten"):
        make_key(tmp_path / "key", settings=desk)
    with pytest.raises(ConfigError, match="should hold a private Ed25519 key"):
        sign(desk, public)
    with pytest.raises(ConfigError, match="should hold a public Ed25519 key"):
        check(desk, tmp_path / "key")
    with pytest.raises(ConfigError, match="expected a key at"):
        sign(desk, tmp_path / "none")


def test_a_protected_key_needs_its_password(desk, tmp_path, monkeypatch):
    monkeypatch.setenv(PASSWORD_VARIABLE, "correct horse")
    make_key(tmp_path / "key", settings=desk)
    assert b"ENCRYPTED" in (tmp_path / "key").read_bytes()
    assert sign(desk, tmp_path / "key")["signs"] == 2
    monkeypatch.delenv(PASSWORD_VARIABLE)
    with pytest.raises(ConfigError, match="is protected by a password"):
        sign(desk, tmp_path / "key")


def test_a_key_of_ssh_signs_too(desk, tmp_path):
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key, none = Ed25519PrivateKey.generate(), serialization.NoEncryption()
    encoding, form = serialization.Encoding, serialization.PrivateFormat
    (tmp_path / "id").write_bytes(key.private_bytes(encoding.PEM, form.OpenSSH, none))
    public = key.public_key().public_bytes(encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    (tmp_path / "id.pub").write_bytes(public)
    sign(desk, tmp_path / "id")
    assert check(desk, tmp_path / "id.pub")[0] == []
    assert os.environ.get(PASSWORD_VARIABLE) is None
