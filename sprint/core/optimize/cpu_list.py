"""Lists of CPUs and NUMA nodes as Linux writes them: `0-3,8,10-11`, and in groups `0-10:2/4`.

Source: "List format" in cpuset(7), Documentation/admin-guide/kernel-parameters.rst.
"""

from __future__ import annotations

import re

from sprint.core.errors import WireError

NUMBER_MAX = 8_191
TEXT_LENGTH_MAX = 65_536

_PART = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5})(?::([0-9]{1,5})/([0-9]{1,5}))?)?")


def parse_cpu_list(text: str) -> tuple[int, ...]:
    """Return the numbers of a list in rising order. WireError where it is no list, or has one above 8,191."""
    if len(text) > TEXT_LENGTH_MAX:
        raise WireError(f"a list of CPUs of {len(text)} characters; at most {TEXT_LENGTH_MAX}")
    numbers: set[int] = set()
    for part in filter(None, text.strip().split(",")):
        matched = _PART.fullmatch(part.strip())
        if matched is None:
            raise WireError(f"{part!r} in a list of CPUs is no number and no range as 0-3")
        numbers.update(_range(part, *matched.groups()))
    return tuple(sorted(numbers))


def format_cpu_list(numbers: tuple[int, ...]) -> str:
    """Return numbers as the shortest list: (0, 1, 2, 5) is `0-2,5`."""
    runs: list[list[int]] = []
    for number in sorted(set(numbers)):
        if runs and runs[-1][1] == number - 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


def _range(part: str, first: str, last: str | None, used: str | None, group: str | None) -> list[int]:
    """Return the numbers of one part; of each group of `group`, the first `used`."""
    begin, end = int(first), int(last or first)
    if end > NUMBER_MAX or begin > end:
        raise WireError(f"{part!r} in a list of CPUs: 0 to {NUMBER_MAX}, the lower first")
    if group is None or used is None:
        return list(range(begin, end + 1))
    if not 0 < int(used) <= int(group):
        raise WireError(f"{part!r} in a list of CPUs: USED/GROUP with USED of 1 to GROUP")
    return [number for number in range(begin, end + 1) if (number - begin) % int(group) < int(used)]
