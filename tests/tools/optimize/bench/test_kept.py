"""What a bench found is kept whole, read back the same, and told as unreadable where it is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sprint.core.errors import ConfigError
from sprint.core.optimize.bench_result import RESULT_SIZE_MAX
from sprint.tools.optimize.bench.kept import keep, read_result, result_path_default
from tests.core.optimize.bench_results import a_result


def test_a_result_is_read_back_as_it_was_kept(tmp_path: Path) -> None:
    path = tmp_path / "state" / "sprint" / "bench.json"
    assert read_result(path) is None
    for rounds in (4, 6):
        keep(path, a_result(rounds=rounds))
        assert read_result(path) == a_result(rounds=rounds)
    assert [each.name for each in path.parent.iterdir()] == ["bench.json"]


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[1]", b'{"version": 1}', b"\xff", b" " * (RESULT_SIZE_MAX + 1)]
)
def test_a_result_that_is_none_is_told_by_its_name(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bench.json"
    path.write_bytes(data)
    with pytest.raises(ConfigError, match=r"bench\.json"):
        read_result(path)


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="can't be kept"):
        keep(tmp_path / "file" / "bench.json", a_result())


def test_it_is_in_the_users_state_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert result_path_default() == tmp_path / "sprint" / "optimize" / "bench.json"
    # The specification: a relative path is none.
    monkeypatch.setenv("XDG_STATE_HOME", "state")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert result_path_default() == tmp_path / ".local" / "state" / "sprint" / "optimize" / "bench.json"
    assert os.environ["HOME"] == str(tmp_path)
