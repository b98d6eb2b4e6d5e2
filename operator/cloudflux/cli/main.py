"""The command line: one program, several commands."""

import typer

from cloudflux.cli.backtest import backtest
from cloudflux.cli.doctor import doctor
from cloudflux.cli.operator import operator
from cloudflux.cli.plan import plan
from cloudflux.cli.prices import app as prices

app = typer.Typer(
    name="cloudflux",
    help="Decides where data should live, moves it there and proves it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for _command in (operator, plan, doctor, backtest):
    app.command()(_command)
app.add_typer(prices, name="prices")


if __name__ == "__main__":
    app()
