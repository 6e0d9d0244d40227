"""Runs campaigns of `sprint cb-chaos` by a schedule, tells how they get on, and hands their results on."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime

from sprint.cli import exits
from sprint.cli.chaos_output import Output, stdout_goes_nowhere
from sprint.cli.status_line import StatusLine, is_wanted
from sprint.core.chaos.schedule import Immediate, Schedule, seeded_draw
from sprint.core.errors import SprintError
from sprint.tools.chaos.campaign import Campaign, exit_code_of
from sprint.tools.chaos.given import ChaosOptions
from sprint.tools.chaos.local_zone import local_now
from sprint.tools.chaos.scheduled import Chance, Scheduled
from sprint.tools.runtime import background

STOPPING = "what is on comes off; that is waited for"
NO_FURTHER = "no further run begins"


class Running:
    """Campaigns, one after another as a schedule wants them. `codes` has the exit code of each."""

    def __init__(self, options: ChaosOptions, output: Output, *, quiet: bool) -> None:
        self._options = options
        self._output = output
        self._quiet = quiet
        self._line: StatusLine | None = None
        self._going_on: Campaign | None = None
        self._stopped = False
        self.codes: list[int] = []

    def __repr__(self) -> str:
        return f"Running({self._going_on!r}; exit codes {self.codes})"

    async def run(self, schedule: Schedule, runs_max: int | None) -> int:
        """Run until the schedule ends, or a signal comes; return the gravest exit code."""
        chance = Chance(draw=seeded_draw(self._options.seed))
        comes_again = not isinstance(schedule, Immediate)
        once = self._once_of_many if comes_again else self._once
        scheduled = Scheduled(schedule, once, self._tell, runs_max=runs_max, chance=chance)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._stop, scheduled)
        await scheduled.run()
        if not self.codes and self._stopped and not comes_again:
            return exits.INTERRUPTED
        return exits.NOT_MET if exits.NOT_MET in self.codes else max(self.codes, default=exits.DONE)

    async def _once(self) -> None:
        """Run one campaign; what it had when it failed is told before the error."""
        began = local_now()
        campaign = Campaign(self._options, self._tell)
        self._going_on = campaign
        try:
            async with self._shown(campaign):
                await campaign.run()
        finally:
            self._going_on = None
            self._tell_results(campaign, began)

    async def _once_of_many(self) -> None:
        """Run one campaign of a schedule, which goes on where one could not run."""
        try:
            await self._once()
        except SprintError as error:
            self.codes.append(exits.COULD_NOT_RUN)
            print(f"error: {error}", file=sys.stderr, flush=True)

    def _tell_results(self, campaign: Campaign, began: datetime) -> None:
        if not campaign.results:
            return
        self.codes.append(exit_code_of(campaign.results, self._options.experiments))
        try:
            self._output.tell(campaign.results, began)
        except BrokenPipeError:
            # Whoever reads, as `head` does, has gone; whether the relay held is told by the exit code still.
            stdout_goes_nowhere()

    @asynccontextmanager
    async def _shown(self, campaign: Campaign) -> AsyncIterator[None]:
        """Draw a line of how a campaign gets on, where a person looks."""
        if self._quiet or not is_wanted(sys.stderr, os.environ):
            yield
            return
        self._line = StatusLine(sys.stderr, campaign.status_text)
        try:
            async with background(self._line.run()):
                yield
        finally:
            self._line = None

    def _stop(self, scheduled: Scheduled) -> None:
        self._stopped = True
        scheduled.stop()
        if self._going_on is not None:
            self._going_on.stop("interrupted")
        self._tell("stopping", STOPPING if self._going_on is not None else NO_FURTHER)

    def _tell(self, phase: str, text: str) -> None:
        if self._quiet:
            return
        line = f"{phase:<10} {text}\n"
        # Where the terminal has gone what is on must come off all the same.
        with suppress(OSError):
            if self._line is None:
                sys.stderr.write(line)
            else:
                self._line.write(line)
            sys.stderr.flush()
