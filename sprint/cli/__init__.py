"""The commands: each parses its words, calls a tool and prints."""

import sys

from sprint.cli.early_interrupt import end_quietly_when_interrupted
from sprint.cli.early_loadtest_signals import keep_early_signals

keep_early_signals(sys.argv)
end_quietly_when_interrupted(sys.orig_argv)
