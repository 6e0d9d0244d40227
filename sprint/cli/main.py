"""The command `sprint`. It lists what is built; a command's own module is loaded when it is run."""

from __future__ import annotations

from typing import Annotated

import typer

from sprint.cli import cb_chaos, cb_loadtest, cb_monitor, migrate, optimize, relay
from sprint.cli.exits import open_standard_streams

app = typer.Typer(
    name="sprint",
    help="One verified, ordered stream of new blocks out of many unreliable nodes.",
    no_args_is_help=True,
    invoke_without_command=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.add_typer(relay.app, name="relay")
app.add_typer(migrate.app, name="migrate")
app.add_typer(optimize.app, name="optimize")
app.command("cb-monitor", help=cb_monitor.HELP)(cb_monitor.cb_monitor)
app.command("cb-loadtest", help=cb_loadtest.HELP)(cb_loadtest.cb_loadtest)
app.command("cb-chaos", help=cb_chaos.HELP, cls=cb_chaos.OptionalValues)(cb_chaos.cb_chaos)


@app.callback()
def sprint(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True)
    ] = False,
) -> None:
    """One verified, ordered stream of new blocks out of many unreliable nodes."""
    if version:
        import sprint as package

        print(package.__version__)
        raise typer.Exit


def run() -> None:
    """Run the command line; the console script's entry point."""
    open_standard_streams()
    app()


if __name__ == "__main__":
    run()
