"""Which pool says that it made a block, by what pools write into their coinbases.

It is their own word: anybody may write another's tag. A block without a known one counts as `unknown`, and
the names here are the only ones that a metric's label ever has. Of a merge-mined block the pool's tag stands
in the parent chain's coinbase as a rule, and its own is often bare. Tags as collected in the public lists
0xB10C/known-mining-pools and mempool/mining-pools.
"""

from __future__ import annotations

UNKNOWN = "unknown"

# In this order, since a shorter tag may stand in a pool's longer one.
_TAGS: tuple[tuple[bytes, str], ...] = (
    (b"Foundry USA Pool", "Foundry USA"),
    (b"/AntPool/", "AntPool"),
    (b"Mined by AntPool", "AntPool"),
    (b"/ViaBTC/", "ViaBTC"),
    (b"viabtc.com", "ViaBTC"),
    (b"F2Pool", "F2Pool"),
    ("七彩神仙鱼".encode(), "F2Pool"),
    ("🐟".encode(), "F2Pool"),
    (b"/Binance/", "Binance Pool"),
    (b"binance", "Binance Pool"),
    (b"MARA Pool", "MARA Pool"),
    (b"MARA Made in USA", "MARA Pool"),
    (b"/LUXOR/", "Luxor"),
    (b"Luxor Tech", "Luxor"),
    (b"SBICrypto", "SBI Crypto"),
    (b"SBI Crypto", "SBI Crypto"),
    (b"SpiderPool", "SpiderPool"),
    (b"SecPool", "SecPool"),
    (b"OCEAN.XYZ", "OCEAN"),
    (b"/slush/", "Braiins Pool"),
    (b"Braiins", "Braiins Pool"),
    (b"/ultimus/", "ULTIMUSPOOL"),
    (b"WhitePool", "WhitePool"),
    (b"poolin.com", "Poolin"),
    (b"/poolin/", "Poolin"),
    (b"/BTC.COM/", "BTC.com"),
    (b"btc.com", "BTC.com"),
    (b"BTC.TOP", "BTC.TOP"),
    (b"1THash", "1THash"),
    (b"/NovaBlock/", "NovaBlock"),
    (b"/BitFury/", "BitFury"),
    (b"BTCC", "BTCC"),
    (b"/EMC", "EMCDPool"),
    (b"ckpool", "ckpool"),
    (b"P2Pool", "P2Pool"),
    (b"LTC.TOP", "LTC.TOP"),
    (b"litecoinpool", "litecoinpool.org"),
    (b"prohashing", "Prohashing"),
)


def pool_of(tag: bytes) -> str:
    """Return the name of the pool that a coinbase script names, or `unknown`."""
    return next((name for needle, name in _TAGS if needle in tag), UNKNOWN)
