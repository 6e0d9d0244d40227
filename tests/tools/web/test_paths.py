"""What a path says: segments are told apart before they are decoded, so that a name may hold anything."""

from __future__ import annotations

from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.errors import RequestError
from sprint.tools.web.router import Request, Response, Router

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)


async def answer(_: Request) -> Response:
    return Response(b"")


def routed() -> Router:
    router = Router()
    router.add("GET", "/things", answer)
    router.add("GET", "/things/{chain}/{name}/state", answer)
    return router


@given(NAMES, NAMES)
def test_any_name_comes_through_percent_encoded(chain: str, name: str) -> None:
    raw = f"/things/{quote(chain, safe='')}/{quote(name, safe='')}/state"
    _, parameters = routed().find("GET", unquote(raw), raw.encode())
    assert parameters == {"chain": chain, "name": name}


@given(st.text(st.sampled_from("/%2Fthings.state"), max_size=40))
def test_any_path_is_found_or_refused(path: str) -> None:
    raw = f"/{path}"
    try:
        _, parameters = routed().find("GET", unquote(raw), raw.encode())
    except RequestError as error:
        found = error.code
    else:
        found = "found"
        assert all(parameters.values())
    assert found in ("found", "not_found", "method_not_allowed")


@pytest.mark.parametrize("raw", ["/things/a//state", "/things/a/b/c/state", "/things/a%2Fb/state"])
def test_a_segment_too_few_or_too_many_is_no_such_path(raw: str) -> None:
    with pytest.raises(RequestError) as refused:
        routed().find("GET", unquote(raw), raw.encode())
    assert refused.value.code == "not_found"
