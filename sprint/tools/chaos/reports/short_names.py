"""What sources are called in a report: by their own name, as that is once in a relay."""

from __future__ import annotations

import re
from collections.abc import Callable

from sprint.core.chaos.result import Result

SOURCES_MAX = 256


def short_names(result: Result) -> Callable[[str], str]:
    """Return what shortens a text: `source:CHAIN:NAME` and `CHAIN:NAME` become NAME.

    Only of sources that the relay told of, and where no two have one name; other text stays as it is.
    """
    sources = () if result.dependencies is None else result.dependencies.sources[:SOURCES_MAX]
    names = [each.name for each in sources]
    chains = {each.chain for each in sources if names.count(each.name) == 1}
    known = {(each.chain, each.name) for each in sources if names.count(each.name) == 1}
    if not chains:
        return lambda text: text
    # A name goes as far as its letters do, so that `alice` isn't found in `alice-2`.
    pattern = re.compile(rf"(?<![\w.-])(?:source:)?({'|'.join(map(re.escape, sorted(chains)))}):([\w.-]*\w)")

    def shortened(found: re.Match[str]) -> str:
        return found[2] if (found[1], found[2]) in known else found[0]

    return lambda text: pattern.sub(shortened, text)


def chains_text(result: Result) -> str:
    """Return the chains with their sources, as `litecoin-regtest (alice, bob)`; empty where none is known."""
    if result.dependencies is None:
        return ""
    by_chain: dict[str, list[str]] = {}
    for each in result.dependencies.sources:
        by_chain.setdefault(each.chain, []).append(each.name)
    return "; ".join(f"{chain} ({', '.join(names)})" for chain, names in by_chain.items())
