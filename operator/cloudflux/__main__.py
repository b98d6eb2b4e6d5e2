"""`python -m cloudflux`: the command line, where no script of it is on the path."""

from cloudflux.cli.main import app

app()
