"""Certificates made on the fly, by the openssl program."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

DAYS = "2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """A certificate authority of a test's own.

    Attributes:
        certificate: the file that those who trust it are given.
    """

    certificate: Path
    _key: Path

    def issue(self, host: str, folder: Path) -> tuple[Path, Path]:
        """Certificate and key of a server that is known by this name."""
        certificate, key, request = folder / "it.crt", folder / "it.key", folder / "it.csr"
        names = folder / "names"
        names.write_text(f"subjectAltName=DNS:{host}\n")
        _openssl("req", "-new", "-subj", f"/CN={host}", *_new_key(key), "-out", str(request))
        _openssl(
            *("x509", "-req", "-in", str(request), "-days", DAYS, "-extfile", str(names)),
            *("-CA", str(self.certificate), "-CAkey", str(self._key), "-CAcreateserial"),
            *("-out", str(certificate)),
        )
        return certificate, key


def authority(folder: Path, *, name: str) -> Authority:
    """A new authority; skips where there is no openssl."""
    certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
    _openssl(
        *("req", "-x509", "-subj", f"/CN={name}", "-days", DAYS, *_new_key(key)),
        *("-addext", "basicConstraints=critical,CA:TRUE", "-out", str(certificate)),
    )
    return Authority(certificate=certificate, _key=key)


def _new_key(place: Path) -> tuple[str, ...]:
    return ("-newkey", "rsa:2048", "-nodes", "-keyout", str(place))


def _openssl(*arguments: str) -> None:
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("There is no openssl, which makes the certificates: install it (apt, brew).")
    subprocess.run([program, *arguments], check=True, capture_output=True)
