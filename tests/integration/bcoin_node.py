"""A bcoin node that tests start: another implementation than Bitcoin Core and its kin, on regtest, in memory.

Without a wallet and without signatures: everything is paid to the hash of the script "true" (BIP 16), which
anybody can spend.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import os
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sprint.core.kernels import sha256d
from tests.integration.real_servers import BCOIN_PATH, HOST, free_ports, wait_until

LAUNCHER = Path(__file__).parent / "bcoin" / "node.js"
API_KEY = "regtest-only"
COINBASE_MATURITY = 100
RPC_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 10.0
OUTPUT_VALUE = 100_000
FEE = 20_000
SUBSIDY = 5_000_000_000
FAN_OUT_FEE = 1_000_000
_TRUE = b"\x51"
_SCRIPT_HASH = hashlib.new("ripemd160", hashlib.sha256(_TRUE).digest()).digest()
_OUTPUT_SCRIPT = b"\xa9\x14" + _SCRIPT_HASH + b"\x87"
_REGTEST_SCRIPT_PREFIX = b"\x26"  # its own, not that of Bitcoin Core
_BASE_58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


class Bcoin:
    """One node; its RPC is that of Bitcoin Core in names and forms."""

    def __init__(self, p2p_port: int, rpc_port: int) -> None:
        self.p2p_port = p2p_port
        self.rpc_port = rpc_port

    def __repr__(self) -> str:
        return f"Bcoin(p2p_port={self.p2p_port})"

    def rpc(self, method: str, *parameters: object) -> Any:
        """Call the node; RuntimeError where it refuses."""
        connection = http.client.HTTPConnection(HOST, self.rpc_port, timeout=RPC_TIMEOUT_S)
        login = base64.b64encode(f"x:{API_KEY}".encode()).decode()
        headers = {"Authorization": f"Basic {login}", "Content-Type": "application/json"}
        try:
            body = json.dumps({"method": method, "params": parameters})
            connection.request("POST", "/", body, headers)
            answer = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        if answer["error"]:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    def answers(self) -> bool:
        try:
            self.rpc("getblockcount")
        except (OSError, http.client.HTTPException):
            return False
        return True

    def mine(self, count: int) -> list[str]:
        return [str(each) for each in self.rpc("generatetoaddress", count, _address())]

    def raw_block(self, block_hash: str) -> bytes:
        verbose = False
        return bytes.fromhex(self.rpc("getblock", block_hash, verbose))

    def prepare_spends(self, count: int) -> list[str]:
        """Mine what `count` transactions can spend; return them in hex."""
        (block,) = self.mine(1)
        self.mine(COINBASE_MATURITY)
        coinbase = self.rpc("getblock", block)["tx"][0]
        # It broadcasts a transaction that pays too much, but does not mine it; so the rest is given back.
        rest = SUBSIDY - count * OUTPUT_VALUE - FAN_OUT_FEE
        fan_out = _spend(bytes.fromhex(coinbase)[::-1], 0, [OUTPUT_VALUE] * count + [rest])
        self.rpc("sendrawtransaction", fan_out.hex())
        self.mine(1)
        txid = sha256d(fan_out)
        return [_spend(txid, index, [OUTPUT_VALUE - FEE]).hex() for index in range(count)]


@contextmanager
def running_bcoin() -> Iterator[Bcoin]:
    """Start a node on free ports and end it by its own handle."""
    p2p_port, rpc_port = free_ports(2)
    command = ["node", str(LAUNCHER), str(p2p_port), str(rpc_port), API_KEY]
    environment = {**os.environ, "NODE_PATH": str(BCOIN_PATH.parent), "NODE_BACKEND": "js"}
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
        node = Bcoin(p2p_port, rpc_port)
        try:
            wait_until(node.answers, f"{node!r} answers")
            yield node
        finally:
            process.terminate()
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()


def _spend(txid: bytes, index: int, values: list[int]) -> bytes:
    """One input, without witness data, outputs of these values."""
    script = b"\x01" + _TRUE  # pushes the script that the output has the hash of
    funds = txid + struct.pack("<I", index) + bytes((len(script),)) + script + b"\xff" * 4
    outputs = b"".join(
        struct.pack("<q", value) + bytes((len(_OUTPUT_SCRIPT),)) + _OUTPUT_SCRIPT for value in values
    )
    count = bytes((len(values),)) if len(values) < 0xFD else b"\xfd" + struct.pack("<H", len(values))
    return struct.pack("<i", 2) + b"\x01" + funds + count + outputs + bytes(4)


def _address() -> str:
    """The base58 address of the script's hash (BIP 13)."""
    payload = _REGTEST_SCRIPT_PREFIX + _SCRIPT_HASH
    number = int.from_bytes(payload + sha256d(payload)[:4], "big")
    text = ""
    while number:
        number, digit = divmod(number, 58)
        text = _BASE_58[digit] + text
    return text
