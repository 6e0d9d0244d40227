"""What pages of reports share: nothing a terminal obeys, nothing that is taken for HTML, nothing loaded."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from sprint.core.report_page import harmless, marked_up, page, section, tiles


@given(st.text())
def test_text_of_a_target_has_nothing_that_a_terminal_obeys(text: str) -> None:
    made = harmless(text)
    assert len(made) == len(text)
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e]", made)
    assert harmless("plain ä €") == "plain ä €"


@given(text=st.text(max_size=40))
def test_no_text_of_others_becomes_html_of_the_page(text: str) -> None:
    own = page("t", "", [])
    whole = page(f"t{text}", "", [tiles([(text, text)]), section(text, text, "", "")])
    tags = own.count("<") + tiles([("", "")]).count("<") + section("", "a", "", "").count("<")
    assert whole.count("<") == tags - (0 if text else 2)
    assert "<" not in marked_up(text)


def test_a_page_forbids_itself_to_load_or_run_anything() -> None:
    assert "content=\"default-src 'none'; style-src 'unsafe-inline'\"" in page("t", "", [])
