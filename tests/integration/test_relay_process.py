"""The harness for relay processes, against small programs that behave well and badly."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from tests.integration.relay_process import RelayProcess

SERVING = (
    '{"event":"serving","listeners":[{"tier":"turbo","url":"http://127.0.0.1:1"}],'
    '"admin":"http://127.0.0.1:2","metrics":"http://127.0.0.1:3","log":"abcd"}'
)
SERVE = f"import signal, sys; print('told', sys.argv, file=sys.stderr); print('{SERVING}', flush=True)"
WAIT = "signal.pause()"
EXIT_ON_TERM = "signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))"


def start(folder: Path, *lines: str, ready_timeout_s: float = 20.0) -> RelayProcess:
    program = "\n".join(lines)
    command = (sys.executable, "-c", program)
    return RelayProcess(folder, "--demo", command=command, ready_timeout_s=ready_timeout_s)


def test_it_is_made_when_the_relay_serves_and_tells_where(tmp_path: Path) -> None:
    with start(tmp_path, "import signal, sys", EXIT_ON_TERM, SERVE, WAIT) as relay:
        assert relay.url == "http://127.0.0.1:1"
        assert relay.log_id == "abcd"
        assert relay.serving.metrics == "http://127.0.0.1:3"
        assert relay.running
        assert relay.terminate() == 0
        assert "exit_code=0" in repr(relay)
    assert "'--port', '0', '--log-format', 'json', '--admin-port', '0'" in relay.stderr()
    assert relay.stderr().rstrip().endswith("'--tier', 'turbo', '--demo']")


def test_kill_is_sigkill_and_may_come_twice(tmp_path: Path) -> None:
    with start(
        tmp_path, "import signal", "signal.signal(signal.SIGTERM, signal.SIG_IGN)", SERVE, WAIT
    ) as relay:
        relay.kill()
        relay.kill()
        assert relay.terminate() == -signal.SIGKILL


def test_each_process_has_a_stderr_file_of_its_own(tmp_path: Path) -> None:
    with start(tmp_path, SERVE, WAIT) as first, start(tmp_path, SERVE, WAIT) as second:
        assert first.stderr_path != second.stderr_path


def test_a_relay_that_ends_early_is_told_with_its_exit_code_and_stderr(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"exit code 3 before it served(.|\n)*port 8080 is taken"):
        start(tmp_path, "import sys", "print('port 8080 is taken', file=sys.stderr)", "sys.exit(3)")


def test_a_relay_that_never_serves_is_told_at_the_bound(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"not serving after 2 s") as told:
        start(tmp_path, "import signal", WAIT, ready_timeout_s=2.0)
    assert 'File "<string>", line 2 in <module>' in str(told.value), "where it stood"


@pytest.mark.parametrize(
    "line", ["hello", "{}", '{"event":"x","listeners":[],"admin":"","metrics":"","log":""}']
)
def test_another_first_line_is_refused(tmp_path: Path, line: str) -> None:
    with pytest.raises(RuntimeError, match="no serving line"):
        start(tmp_path, "import signal", f"print('{line}', flush=True)", WAIT)
