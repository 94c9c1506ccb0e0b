from __future__ import annotations

import ssl
from pathlib import Path

import certifi
import pytest
import trustme

from backend import trust


@pytest.fixture
def pem(tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(path)
    return path


def defaults(found: str, built_in: Path) -> ssl.DefaultVerifyPaths:
    return ssl.DefaultVerifyPaths(found, "", "SSL_CERT_FILE", str(built_in), "SSL_CERT_DIR", "")


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make it a machine whose Python and whose system know no certificates."""
    nowhere = tmp_path / "nowhere.pem"
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: defaults("", nowhere))
    monkeypatch.setattr(trust, "_BUNDLES", (str(nowhere),))
    return nowhere


def test_a_variable_names_what_the_machine_trusts(
    pem: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))

    assert trust.bundle() == pem


def test_the_systems_own_file_comes_before_pythons(
    elsewhere: Path, pem: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = pem.with_name("python.pem")
    python.touch()
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: defaults(str(python), python))

    assert trust.bundle() == python
    monkeypatch.setattr(trust, "_BUNDLES", (str(elsewhere), str(pem)))
    assert trust.bundle() == pem


@pytest.mark.usefixtures("elsewhere")
def test_a_machine_without_a_file_trusts_what_browsers_do() -> None:
    assert trust.bundle() == Path(certifi.where())


def test_certificates_that_can_be_read_have_no_fault(pem: Path) -> None:
    windows = pem.with_name("windows.pem")
    windows.write_bytes(b"\xef\xbb\xbf" + pem.read_bytes().replace(b"\n", b"\r\n"))

    assert [trust.fault(path) for path in (pem, windows)] == [None, None]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>log in</html>",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ],
)
def test_what_is_no_certificate_is_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "ca.crt"
    path.write_bytes(content)

    assert trust.fault(path) == "holds no certificate in PEM format"


def test_a_binary_certificate_is_told(pem: Path) -> None:
    binary = pem.with_name("ca.cer")
    binary.write_bytes(ssl.PEM_cert_to_DER_cert(pem.read_text(encoding="ascii")))

    assert trust.fault(binary) == "holds no certificate in PEM format"


def test_a_folder_and_a_missing_file_are_no_file(tmp_path: Path) -> None:
    assert trust.fault(tmp_path) == trust.fault(tmp_path / "none") == "names no file"


def test_a_file_that_may_not_be_read_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: ssl.SSLContext, cafile: Path) -> None:
        raise PermissionError(13, "Permission denied", str(cafile))

    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", refuse)

    assert trust.fault(Path("ca.pem")) == (
        "names a file that may not be read, which `chmod a+r` allows"
    )


@pytest.mark.parametrize("sslmode", ["disable", "require", "verify-ca", "verify-full"])
def test_kerberos_goes_neither_before_nor_around_tls(sslmode: str) -> None:
    assert trust.parameters(sslmode, Path("/ca.pem")) == {
        "sslmode": sslmode,
        "gssencmode": "disable",
        "sslrootcert": "/ca.pem",
    }


@pytest.mark.parametrize("sslmode", ["allow", "prefer"])
def test_where_any_protection_will_do_libpq_chooses(sslmode: str) -> None:
    assert trust.parameters(sslmode, None) == {"sslmode": sslmode}
