"""A command as a user who may nothing but read, so that what asks for a privilege is refused.

The tests may run as root, whose files and interpreter another user can't read: reading is left to him.
"""

from __future__ import annotations

import os

NOBODY = 65_534
_CAPABILITIES = "-all,+dac_read_search"
AS_NOBODY: tuple[str, ...] = (
    (
        *("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"),
        f"--inh-caps={_CAPABILITIES}",
        f"--ambient-caps={_CAPABILITIES}",
        f"--bounding-set={_CAPABILITIES}",
    )
    if os.geteuid() == 0
    else ()
)
