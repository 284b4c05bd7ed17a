"""Puts a person's name under a ledger: an Ed25519 signature over its last line, and with it over all before.

A chain of digests shows that nothing was changed *unless* everything after it was written anew; a signature cannot be
written anew without the key. Signatures are lines of the ledger themselves, so they are chained too. The private key
never lies in the workbench: whoever can edit the reports must not be able to sign them.
"""

from __future__ import annotations

import os
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from driftbook.audit.digests import Finding
from driftbook.audit.ledger import Ledger, Line, append_line, read_ledger
from driftbook.config import Settings
from driftbook.errors import ConfigError, StateError
from driftbook.storage import canonical_json, write_text

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ALGORITHM = "ed25519"
PASSWORD_VARIABLE = "DRIFTBOOK_KEY_PASSWORD"


def make_key(path: Path, *, settings: Settings) -> tuple[Path, str]:
    """Write a new private key, readable by its owner only, and beside it the public one (``.pub``).

    Returns
    -------
    Path of the public key, which verifiers get, and its fingerprint.

    Raises
    ------
    ConfigError
        If the key would lie in the workbench, or something lies there already.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    _require_outside(path, settings)
    if path.exists():
        raise ConfigError(f"{path} exists; a key is never overwritten: give another path")
    key, password = Ed25519PrivateKey.generate(), os.environ.get(PASSWORD_VARIABLE)
    protection = serialization.BestAvailableEncryption(password.encode()) if password else serialization.NoEncryption()
    text = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, protection)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(text)
    public = path.with_name(f"{path.name}.pub")
    encoding, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    write_text(public, key.public_key().public_bytes(encoding, form).decode())
    return public, fingerprint(key.public_key())


def sign_ledger(settings: Settings, use_case: str, key_file: Path, *, by: str, now: datetime) -> Line:
    """Sign the last line of a ledger, and with it every line before.

    Raises
    ------
    StateError
        If there is no ledger, or it is not whole: nobody should sign that.
    """
    key = _load_private(key_file, settings)
    ledger = read_ledger(settings, use_case)
    if ledger.findings:
        raise StateError(f"the ledger of {use_case} is not whole, so it is not signed. {ledger.findings[0]}")
    if not ledger.lines:
        raise StateError(f"expected a ledger of {use_case}, found none; build first: driftbook build -u {use_case}")
    last = ledger.lines[-1]
    content = {
        "kind": "signature",
        "algorithm": ALGORITHM,
        "signs": last["number"],
        "signs_sha256": last["sha256"],
        "public_key": _raw(key.public_key()).hex(),
        "signature": key.sign(_message(use_case, last["number"], last["sha256"])).hex(),
    }
    return append_line(settings, use_case, content, by=by, now=now)


def check_signatures(ledger: Ledger, *, name: str, trusted: Path | None = None) -> tuple[list[Finding], list[str]]:
    """Findings on the signatures of a ledger, and who signed it up to which line.

    Parameters
    ----------
    name
        Of the ledger, for findings.
    trusted
        File of the public key that must have signed; any key will do unless given, which proves less.
    """
    wanted = _load_public(trusted) if trusted else None
    digests = {line["number"]: line["sha256"] for line in ledger.lines}
    findings, signed = [], {}
    for line in ledger.lines:
        if line["kind"] != "signature":
            continue
        where = f"line {line['number']}"
        if not _holds(line, digests):
            findings.append(Finding("signature", name, where, f"it does not fit line {line['signs']}"))
        else:
            signed[line["public_key"]] = int(line["signs"])
    runs = [line["number"] for line in ledger.lines if line["kind"] == "run"]
    if wanted is not None and (until := signed.get(_raw(wanted).hex(), 0)) < max(runs, default=0):
        what = f"lines {until + 1} to {max(runs)} are not signed by the key {fingerprint(wanted)}"
        findings.append(Finding("signature", name, f"line {until + 1}", what))
    return findings, [f"signed up to line {until} by the key {_short(key)}" for key, until in signed.items()]


def fingerprint(key: Ed25519PublicKey) -> str:
    """A short name of a public key, to compare by eye."""
    return _short(_raw(key).hex())


def _holds(line: Line, digests: dict[int, str]) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    if digests.get(line["signs"]) != line["signs_sha256"]:
        return False
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(line["public_key"]))
        message = _message(line["use_case"], line["signs"], line["signs_sha256"])
        key.verify(bytes.fromhex(line["signature"]), message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _message(use_case: str, number: int, digest: str) -> bytes:
    return canonical_json({"driftbook_ledger": use_case, "number": number, "sha256": digest}).encode()


def _load_private(path: Path, settings: Settings) -> Ed25519PrivateKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    _require_outside(path, settings)
    key = _load(path, private=True)
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(f"{path} should hold a private Ed25519 key; make one: driftbook sign --new-key FILE")
    return key


def _load_public(path: Path) -> Ed25519PublicKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    key = _load(path, private=False)
    if not isinstance(key, Ed25519PublicKey):
        raise ConfigError(f"{path} should hold a public Ed25519 key, as driftbook sign --new-key writes beside its own")
    return key


def _load(path: Path, *, private: bool) -> Any:
    """A key in PEM or as ssh-keygen writes it; ``None`` for anything else."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"expected a key at {path}, cannot read it ({error.strerror})") from None
    password = os.environ.get(PASSWORD_VARIABLE)
    try:
        if not private:
            ssh = content.startswith(b"ssh-")
            return serialization.load_ssh_public_key(content) if ssh else serialization.load_pem_public_key(content)
        ssh = b"OPENSSH PRIVATE KEY" in content
        load: Any = serialization.load_ssh_private_key if ssh else serialization.load_pem_private_key
        protected = ssh or b"ENCRYPTED" in content
        return load(content, password.encode() if password and protected else None)
    except TypeError:
        raise ConfigError(f"{path} is protected by a password, found none; set {PASSWORD_VARIABLE}") from None
    except (ValueError, UnsupportedAlgorithm):
        return None


def _require_outside(path: Path, settings: Settings) -> None:
    if path.resolve().is_relative_to(settings.root.resolve()):
        raise ConfigError(f"{path} lies in the workbench; keep the private key where only you can read it")


def _raw(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes_raw()


def _short(public_key: str) -> str:
    return sha256(bytes.fromhex(public_key)).hexdigest()[:16]
