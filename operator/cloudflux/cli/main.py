"""The command line: one program, several commands, each loaded when it is used."""

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

_COMMANDS = {
    "operator": "cloudflux.cli.operator:operator",
    "plan": "cloudflux.cli.plan:plan",
    "doctor": "cloudflux.cli.doctor:doctor",
    "backtest": "cloudflux.cli.backtest:backtest",
    "train": "cloudflux.cli.train:train",
    "generate": "cloudflux.cli.generate:generate",
    "explain": "cloudflux.cli.explain:explain",
    "forecast": "cloudflux.cli.forecast:forecast",
    "evaluate": "cloudflux.cli.evaluate:evaluate",
    "bill": "cloudflux.cli.bill:bill",
    "move": "cloudflux.cli.move:move",
    "verify": "cloudflux.cli.verify:verify",
    "settier": "cloudflux.cli.settier:settier",
    "decrypt": "cloudflux.cli.decrypt:decrypt",
    "prices": "cloudflux.cli.prices:app",
    "collector": "cloudflux.cli.collector:collector",
    "history": "cloudflux.cli.history:app",
    "console": "cloudflux.cli.console:console",
    "worker": "cloudflux.cli.worker:worker",
    "simulate": "cloudflux.cli.simulate:simulate",
}
"""Function, or typer application, of each command by `module:name`."""


class _Lazy(TyperGroup):
    """Imports a command's module when the command is asked for: moving needs no Kubernetes."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        """All of them, in the order above."""
        return list(_COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        """One of them; None for an unknown name."""
        place = _COMMANDS.get(cmd_name)
        if place is None:
            return None
        module, _, name = place.partition(":")
        found = getattr(import_module(module), name)
        if not isinstance(found, typer.Typer):
            single = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
            single.command(cmd_name)(found)
            found = single
        command = get_command(found)
        command.name = cmd_name
        return command


app = typer.Typer(
    name="cloudflux",
    cls=_Lazy,
    help="Decides where data should live, moves it there and proves it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.callback()
def _root() -> None:
    """Decides where data should live, moves it there and proves it."""


if __name__ == "__main__":
    app()
