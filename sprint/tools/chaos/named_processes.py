"""Whether the processes that a user names by pid are those that are meant: by what they listen at.

A pid that was mistyped, or given out again, would be killed for another, and the run would speak well of a
relay that nothing was done to. Stands on /proc of Linux.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from urllib.parse import urlsplit

from sprint.core.chaos.topology import DependencyMap
from sprint.core.chaos.wiring import key_of
from sprint.core.errors import ConfigError
from sprint.tools.chaos.given import ChaosOptions
from sprint.tools.chaos.processes import name_of

# The state of /proc/PID/net/tcp, TCP_LISTEN of the kernel's tcp_states.h.
LISTENING = "0A"
PORTS = {"http": 80, "https": 443}


def refuse_strangers(options: ChaosOptions, relay: DependencyMap) -> None:
    """Raise ConfigError where `--relay-pid` isn't the relay of `--target`, or `--upstream-pid` not the node.

    What a source behind a proxy of `--proxy` connects to is the proxy: its node must listen at any port.
    """
    if options.relay_pid:
        target = urlsplit(options.target)
        port = target.port or PORTS.get(target.scheme, 0)
        refuse_stranger(options.relay_pid, f"{target.hostname}:{port}", "--relay-pid")
    addresses = {key_of(each): each.address for each in relay.sources}
    for key, pid in options.upstream_pids.items():
        address = "" if key in options.proxies else addresses[key]
        refuse_stranger(pid, address, f"--upstream-pid {key}=")


def refuse_stranger(pid: int, address: str, option: str) -> None:
    """Raise ConfigError where a process doesn't listen at `address`, `HOST:PORT`; at any where it is empty.

    One in another network namespace, as in a container, has ports of its own: it must listen at one of them.
    Source: proc(5), /proc/PID/net/tcp and /proc/PID/fd.
    """
    name_of(pid)
    try:
        elsewhere = _namespace(pid) != _namespace("self")
        port = None if elsewhere or not address else int(address.rpartition(":")[2])
        held = bool(_sockets_of(pid) & _listening(pid, port))
    except PermissionError as error:
        raise ConfigError(
            f"{option} {pid}: not ours to look at ({error}); run as the user that it runs as"
        ) from error
    except (FileNotFoundError, ProcessLookupError) as error:
        raise ConfigError(f"{option} {pid}: ended while it was looked at") from error
    if not held:
        where = "at no port of its own" if port is None else f"not at {address}"
        raise ConfigError(f"{option} {pid}: it listens {where}{_who_does(pid, port)}; nothing is put on")


def _who_does(pid: int, port: int | None) -> str:
    """Say which process listens at a port, where that is to be seen."""
    inodes = set() if port is None else _listening(pid, port)
    for each in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if inodes and each.name.isdigit() and _sockets_of(int(each.name)) & inodes:
                return f", where process {each.name} does"
    return ""


def _namespace(pid: int | str) -> str:
    return str(Path(f"/proc/{pid}/ns/net").readlink())


def _sockets_of(pid: int) -> set[str]:
    """Return the inodes of the sockets that a process has open, as `socket:[INODE]`."""
    found = set()
    for each in Path(f"/proc/{pid}/fd").iterdir():
        # One that was closed since it was listed is not held.
        with contextlib.suppress(FileNotFoundError):
            found.add(str(each.readlink()))
    return {each for each in found if each.startswith("socket:")}


def _listening(pid: int, port: int | None) -> set[str]:
    """Return the TCP sockets of a process's network that listen at a port, or at any, as `socket:[INODE]`."""
    found = set()
    for table in ("tcp", "tcp6"):
        path = Path(f"/proc/{pid}/net/{table}")
        # Without IPv6 there is no table of it.
        for line in path.read_text("ascii").splitlines()[1:] if path.exists() else ():
            fields = line.split()
            own_port = int(fields[1].rpartition(":")[2], 16)
            if fields[3] == LISTENING and port in (None, own_port):
                found.add(f"socket:[{fields[9]}]")
    return found
