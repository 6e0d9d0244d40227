"""The dependency map as text of 80 columns and for Graphviz, and a blast radius in a few lines.

JSON is the map's own: `msgspec.json.encode`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from textwrap import wrap

from sprint.core.chaos.topology import BlastRadius, DependencyMap, MappedSource
from sprint.core.chaos.wiring import key_of

WIDTH = 80
NAME_WIDTH_MAX = 24
_HIT = "tomato"
_NOT_USABLE = "gray"


def map_text(relay: DependencyMap) -> str:
    """Return the map: tiers, then each chain with its sources, what is shared at the end."""
    lines = [f"relay {relay.admin_url}"]
    lines += [
        f"  tier {each.tier}  {each.url}  {_count(each.subscribers, 'subscriber')}" for each in relay.tiers
    ]
    for chain, sources in _by_chain(relay).items():
        usable = sum(source.usable for source in sources)
        lines.append(f"  chain {chain}  {usable} of {_count(len(sources), 'source')} usable")
        lines += [_source_line(source) for source in sources]
    lines += [f"  shared {what}: {', '.join(keys)}" for what, keys in _shared(relay).items()]
    others = sorted(set(relay.breakers) - {source.breaker for source in relay.sources})
    lines += [f"  breaker {name}" for name in others]
    return "\n".join(line for each in lines for line in _wrapped(each)) + "\n"


def radius_text(radius: BlastRadius) -> str:
    """Return a blast radius, a line each for what there is of it."""
    rows = {
        "sources": radius.sources,
        "breakers": radius.breakers,
        "chains weakened": radius.chains_weakened,
        "chains cut": radius.chains_cut,
        "tiers": radius.tiers,
    }
    lines = [f"{name} ({len(found)}): {', '.join(found)}" for name, found in rows.items() if found]
    lines += [f"subscribers: {radius.subscribers}"] if radius.subscribers else []
    return "\n".join(line for each in lines or ["nothing"] for line in _wrapped(each)) + "\n"


def map_dot(relay: DependencyMap, radius: BlastRadius | None = None) -> str:
    """Return the map in Graphviz' DOT, from providers over sources and chains to tiers.

    What lies in `radius` is coloured. Sources that can't be used are grey.
    """
    hit = radius or BlastRadius()
    reached = {*hit.sources, *hit.chains_cut, *hit.tiers}
    lines = ["digraph relay {", "  rankdir=LR;", "  node [shape=box, fontname=sans];"]
    for source in relay.sources:
        key = key_of(source)
        lines += [
            _node("provider", source.provider, f"provider {source.provider}", shape="ellipse"),
            _node("source", key, f"{source.name}\n{source.url}", color=_color(source, reached)),
            _node("chain", source.chain, source.chain, color=_HIT if source.chain in reached else ""),
            f"  {_id('provider', source.provider)} -> {_id('source', key)};",
            f"  {_id('source', key)} -> {_id('chain', source.chain)};",
        ]
    chains = sorted({source.chain for source in relay.sources})
    for tier in relay.tiers:
        label = f"tier {tier.tier}\n{_count(tier.subscribers, 'subscriber')}"
        lines.append(_node("tier", tier.tier, label, color=_HIT if tier.tier in reached else ""))
        lines += [f"  {_id('chain', chain)} -> {_id('tier', tier.tier)};" for chain in chains]
    return "\n".join([*dict.fromkeys(lines), "}"]) + "\n"


def _source_line(source: MappedSource) -> str:
    state = "usable" if source.usable else "not usable"
    name = source.name if len(source.name) <= NAME_WIDTH_MAX else f"{source.name[: NAME_WIDTH_MAX - 2]}.."
    return f"    {name:<{NAME_WIDTH_MAX}} {source.url}  {state}"


def _by_chain(relay: DependencyMap) -> dict[str, list[MappedSource]]:
    found: dict[str, list[MappedSource]] = {}
    for source in relay.sources:
        found.setdefault(source.chain, []).append(source)
    return dict(sorted(found.items()))


def _shared(relay: DependencyMap) -> Mapping[str, Sequence[str]]:
    """Return the addresses and providers that several sources stand behind: one fault reaches them all."""
    groups: dict[str, list[str]] = {}
    for source in relay.sources:
        groups.setdefault(f"address {source.address}", []).append(key_of(source))
        groups.setdefault(f"provider {source.provider}", []).append(key_of(source))
    return {what: keys for what, keys in sorted(groups.items()) if len(keys) > 1}


def _wrapped(line: str) -> Iterable[str]:
    """Return a line as lines of WIDTH; names that are longer stay whole."""
    indent = " " * (len(line) - len(line.lstrip()))
    if len(line) <= WIDTH:
        return [line]
    return wrap(
        line.strip(),
        WIDTH,
        initial_indent=indent,
        subsequent_indent=f"{indent}    ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _color(source: MappedSource, reached: set[str]) -> str:
    if key_of(source) in reached:
        return _HIT
    return "" if source.usable else _NOT_USABLE


def _node(kind: str, name: str, label: str, *, shape: str = "", color: str = "") -> str:
    attributes = [f"label={_quoted(label)}"]
    attributes += [f"shape={shape}"] if shape else []
    attributes += [f"style=filled, fillcolor={color}"] if color else []
    return f"  {_id(kind, name)} [{', '.join(attributes)}];"


def _id(kind: str, name: str) -> str:
    return _quoted(f"{kind} {name}")


def _quoted(text: str) -> str:
    """Return a quoted string of the DOT language, in which labels read backslashes too."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
