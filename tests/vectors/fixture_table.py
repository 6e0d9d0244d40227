"""All recorded files of the Bitcoin family, by the PROVENANCE.tsv beside them.

The column `verify` says what a file can show: `full` or `header` is the level at which it passes, `refuse`
that it is refused, `parse` that it is of use but no whole block stands in it.
"""

from __future__ import annotations

import bz2
import csv
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from sprint.core.chains import Processor, bitcoin, dogecoin, litecoin
from sprint.core.chains.bitcoin_family.family import BitcoinFamilyChain
from sprint.core.chains.bitcoin_family.parameters import NetworkParameters
from sprint.core.relay.block_file import Found, Unreadable, split_file
from sprint.core.relay.block_report import BlockReport
from sprint.core.relay.verify import verify_blocks

HERE = Path(__file__).parent
CHAINS: dict[str, BitcoinFamilyChain] = {
    chain.name: chain for chain in (bitcoin.CHAIN, litecoin.CHAIN, dogecoin.CHAIN)
}
UNIX_TIME = 1_900_000_000.0  # after every recorded block


class Fixture(NamedTuple):
    """One recorded file. `level` is the column `verify`."""

    chain: str
    file: str
    level: str
    expected: str

    @property
    def path(self) -> Path:
        return HERE / self.chain / self.file

    @property
    def network(self) -> str:
        """The network, which a file's name begins with; those of a reorg are of the main one."""
        named = self.file.partition("_")[0]
        return named if named in CHAINS[self.chain].networks else "main"

    @property
    def parameters(self) -> NetworkParameters:
        return CHAINS[self.chain].networks[self.network]

    @property
    def processor(self) -> Processor:
        return CHAINS[self.chain].processor(self.network)

    def data(self) -> bytes:
        """The file's bytes, unpacked."""
        data = self.path.read_bytes()
        return bz2.decompress(data) if self.file.endswith(".bz2") else data

    def found(self) -> list[Found]:
        """What stands in the file; each place of it can be read."""
        return readable(split_file(self.file, self.data(), self.parameters))

    def judged(self, found: list[Found]) -> list[BlockReport]:
        return verify_blocks(self.processor, self.parameters, found, UNIX_TIME)

    def __str__(self) -> str:
        return f"{self.chain}/{self.file}"


def readable(split: Iterable[Found | Unreadable]) -> list[Found]:
    found = []
    for each in split:
        assert isinstance(each, Found), each
        found.append(each)
    return found


def fixtures(*levels: str) -> list[Fixture]:
    """All recorded files of these levels."""
    table = []
    for chain in CHAINS:
        with (HERE / chain / "PROVENANCE.tsv").open(encoding="utf-8") as file:
            table += [
                Fixture(chain, row["file"], row["verify"], row["expected"])
                for row in csv.DictReader(file, delimiter="\t")
            ]
    return [each for each in table if each.level in levels]
