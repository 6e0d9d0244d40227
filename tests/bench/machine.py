"""What a result was measured on: processor, libraries and peers by version, and how busy the machine was."""

from __future__ import annotations

import os
import platform
import shutil
import sqlite3
import ssl
import subprocess
from importlib import metadata
from pathlib import Path

# What a kernel or OpenSSL may use; the other flags tell nothing about these figures.
FEATURES_TOLD = ("sha_ni", "ssse3", "avx2", "avx512f", "avx512bw", "avx512vl", "neon", "sha2")
LIBRARIES = (
    "numba", "llvmlite", "numpy", "msgspec", "uvloop", "uvicorn", "httptools", "websockets", "pyzmq", "typer",
    "aiohttp", "cachebox", "hdrhistogram", "httpx", "orjson", "picows", "python-bitcoinlib", "starlette",
)  # fmt: skip
COMPILERS = ("cc", "gcc", "clang")
VERSION_TIMEOUT_S = 10.0


def describe() -> str:
    """Describe what does not change during a run; scripts/bench tells the commit and the machine."""
    features = processor_features()
    told = " ".join(name for name in FEATURES_TOLD if name in features) or "none of those looked for"
    versions = ", ".join(f"{name} {_version(name)}" for name in LIBRARIES)
    built_on = f"{ssl.OPENSSL_VERSION}, SQLite {sqlite3.sqlite_version}, {_compiler_version()}"
    return f"features {told}\nversions {versions}\nsystem   {built_on}, {platform.platform()}"


def load() -> str:
    """Return the machine's load over 1, 5 and 15 minutes: figures of a busy machine are no figures."""
    return ", ".join(f"{part:.2f}" for part in os.getloadavg())


def processor_features() -> frozenset[str]:
    """Return the processor's flags as Linux tells them; empty elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return frozenset()
    flags = [line.partition(":")[2] for line in lines if line.startswith(("flags", "Features"))]
    return frozenset(flags[0].split()) if flags else frozenset()


def compiler() -> str | None:
    """Return the path of a C compiler, or None."""
    return next((path for name in COMPILERS if (path := shutil.which(name))), None)


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "absent"


def _compiler_version() -> str:
    path = compiler()
    if path is None:
        return "no C compiler"
    said = subprocess.run(
        [path, "--version"], capture_output=True, text=True, check=False, timeout=VERSION_TIMEOUT_S
    )
    return said.stdout.partition("\n")[0]
