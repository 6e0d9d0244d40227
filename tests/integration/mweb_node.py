"""A litecoind whose chain crosses the height from which it has extension blocks, and coins in both worlds.

The node makes its first extension block only if something pays into it. `spender` holds coins of ordinary
outputs, `hidden` only coins of the extension block, so that what it pays to an ordinary address leaves it.
"""

from __future__ import annotations

from tests.integration.real_servers import MWEB_HEIGHT, Litecoind

SPENDER = "spender"
HIDDEN = "hidden"
_BATCH_BLOCKS = 100  # what one call mines well within its time


class MwebNode:
    """Mines to its own wallet. One wallet is loaded at a time, so that calls need not name it."""

    def __init__(self, node: Litecoind) -> None:
        self.node = node
        node.rpc("createwallet", SPENDER)
        self._address = str(node.rpc("getnewaddress"))
        node.rpc("unloadwallet", SPENDER)
        node.rpc("createwallet", HIDDEN)
        self.hidden_addresses = [str(node.rpc("getnewaddress", "", "mweb")) for _ in range(3)]
        node.rpc("unloadwallet", HIDDEN)
        node.rpc("loadwallet", SPENDER)

    def mine(self, count: int = 1) -> list[str]:
        """Mine blocks, oldest first, with whatever waits in the mempool."""
        return [str(found) for found in self.node.rpc("generatetoaddress", count, self._address)]

    def mine_to_height(self, height: int) -> None:
        while self.node.height < height:
            self.mine(min(_BATCH_BLOCKS, height - self.node.height))

    def pay_in(self, *amounts: float) -> None:
        """Pay from ordinary coins into the extension block."""
        for amount in amounts:
            self.node.rpc("sendtoaddress", self.hidden_addresses[0], amount)

    def pay_within(self, *amounts: float) -> None:
        """Pay from coins of the extension block to others of it."""
        self._as_hidden(self.hidden_addresses[1], amounts)

    def pay_out(self, *amounts: float) -> None:
        """Pay from coins of the extension block to an ordinary address."""
        self._as_hidden(self._address, amounts)

    def begin_extension_blocks(self) -> str:
        """Mine up to the first extension block, with three pegins in it, and return its hash."""
        self.mine_to_height(MWEB_HEIGHT - 1)
        self.pay_in(10, 20, 5)
        (first,) = self.mine()
        return first

    def raw_block(self, block_hash: str) -> bytes:
        """The node's own bytes of a block, its extension block with it."""
        return bytes.fromhex(self.node.rpc("getblock", block_hash, 0))

    def _as_hidden(self, address: str, amounts: tuple[float, ...]) -> None:
        self.node.rpc("unloadwallet", SPENDER)
        self.node.rpc("loadwallet", HIDDEN)
        for amount in amounts:
            self.node.rpc("sendtoaddress", address, amount)
        self.node.rpc("unloadwallet", HIDDEN)
        self.node.rpc("loadwallet", SPENDER)
