"""Drops packets by nft: whether that can be done here, and a table that does it.

The table has one rule for one port of loopback and is removed whole; see `RemoveTable` in core/chaos/undo.py.
"""

from __future__ import annotations

import os
import shutil
import subprocess

from sprint.core.chaos.faults import PacketLoss
from sprint.core.errors import ConfigError, FaultError
from sprint.tools.chaos.undoing import COMMAND_TIMEOUT_S

PORT_MAX = 65_535
REFUSAL_SHOWN_MAX = 300
IN_ITS_PLACE = "use loss bursts through a fault proxy instead"


def lack_of_nft() -> str:
    """Say why no packets can be dropped here; empty where they can. Blocking."""
    program = shutil.which("nft")
    if os.geteuid() != 0 or program is None:
        missing = "root" if program is not None else "the program nft (package nftables) and root"
        return f"dropping packets wants {missing}; {IN_ITS_PLACE}"
    refused = _nft(program, "list", "tables")
    return f"nft is refused here: {refused}; {IN_ITS_PLACE}" if refused else ""


def refuse_packet_loss(fault: PacketLoss) -> None:
    """Raise ConfigError for a share or a port that there is not, and where nft can't be used."""
    if not 0.0 < fault.share <= 1.0:
        raise ConfigError(f"share: {fault.share:g}; want more than 0 and at most 1")
    if not 0 < fault.port <= PORT_MAX:
        raise ConfigError(f"port: {fault.port}; want 1 to {PORT_MAX}")
    if lack := lack_of_nft():
        raise ConfigError(lack)


def drop_packets(fault: PacketLoss, table: str) -> None:
    """Make a table that drops a share of the packets to a port. FaultError where nft refuses it."""
    program = shutil.which("nft") or "nft"
    share = round(fault.share * 10_000)
    rule = f'iif "lo" tcp dport {fault.port} numgen random mod 10000 < {share} counter drop'
    chain = f"chain input {{ type filter hook input priority 0; {rule}; }}"
    if refused := _nft(program, f"table inet {table} {{ {chain}; }}"):
        raise FaultError(f"table {table}: {refused}")


def _nft(program: str, *words: str) -> str:
    """Run nft; return what it refused, nothing where it did as told."""
    done = subprocess.run(
        [program, *words], capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S, check=False
    )
    return done.stderr.strip()[:REFUSAL_SHOWN_MAX] or "refused" if done.returncode else ""
