"""Whose word is taken for who a server is: files of CA certificates, as libpq wants them."""

from __future__ import annotations

import ssl
from pathlib import Path, PurePath

import certifi

# The word for the certificates that the machine itself trusts.
SYSTEM = "system"

# Where systems keep them in one file: Debian, Alpine and Arch; Fedora and Red Hat, old and new;
# openSUSE; macOS and the BSDs.
_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
# With these a server without TLS is good enough.
_OPTIONAL_TLS = {"allow", "prefer"}


def bundle() -> Path:
    """Return the file of what the machine trusts; the variable SSL_CERT_FILE names another one.

    libpq's own search ends in the OpenSSL it was built with, which in psycopg's packages is not the
    machine's.
    """
    python = ssl.get_default_verify_paths()
    named = python.cafile if python.cafile != python.openssl_cafile else None
    # The system's own comes before Python's, which on a Mac lies where Docker may not look.
    for candidate in (named, *_BUNDLES, python.cafile):
        if candidate and Path(candidate).is_file():
            return Path(candidate).absolute()
    # Windows has no such file.
    return Path(certifi.where())


def fault(path: Path) -> str | None:
    """Say why a file cannot serve as CA certificates, or None."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cafile=path)
    except ssl.SSLError:
        return "holds no certificate in PEM format"
    except PermissionError:
        return "names a file that may not be read, which `chmod a+r` allows"
    except OSError:
        return "names no file"
    return None


def parameters(sslmode: str, certificates: PurePath | None) -> dict[str, str]:
    """Return libpq's parameters for the protection of a connection."""
    found = {"sslmode": sslmode}
    if sslmode not in _OPTIONAL_TLS:
        # libpq would try Kerberos first: it has its own encryption, which no certificate vouches
        # for, and some poolers cannot even decline it.
        found["gssencmode"] = "disable"
    if certificates is not None:
        found["sslrootcert"] = str(certificates)
    return found
