"""Certificates of 127.0.0.1 that sign themselves."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest


class Files(NamedTuple):
    """A certificate and its key, in PEM."""

    certificate: Path
    key: Path


def self_signed(folder: Path) -> Files:
    """Make one; the test is skipped where openssl is not here to do it."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not here to make a certificate")
    files = Files(folder / "certificate.pem", folder / "key.pem")
    command = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command += ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    command += ["-out", str(files.certificate), "-keyout", str(files.key)]
    subprocess.run(command, check=True, capture_output=True)
    return files
