"""`cb-chaos` from end to end as a pipeline has it: a relay of its own, a verdict, and nothing left."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

TIMEOUT_S = 120.0


def test_a_run_on_a_relay_of_its_own_says_so_first_and_decides_the_exit_code(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from sprint.cli.cb_chaos import run; run()"]
    command += ["--validate", "--recovery-sla", "5s", "--experiment", "force-open", "--duration", "1s"]
    done = subprocess.run(
        [*command, "--json", "--output", "page.html"],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "SPRINT_CHAOS_JOURNAL": str(tmp_path / "journal"), "TMPDIR": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[0].startswith("target     an embedded relay on a devnet of its own")
    assert "\x1b" not in done.stdout + done.stderr
    result = json.loads(done.stdout)
    assert (result["verdict"], result["target"]["embedded"]) == ("met", True)
    assert [each["gone"] for each in result["gone"]] == [True]
    assert (tmp_path / "page.html").read_text().startswith("<!doctype html>")
    left = sorted(each.name for each in tmp_path.iterdir())
    assert left == ["journal", "page.html"]
