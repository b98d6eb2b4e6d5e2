"""A child process of the operator: `python -m cloudflux.cli.child mover|ingest|brain`."""

import argparse
import importlib

from cloudflux.children.server import die_with_parent, serve
from cloudflux.handlers.logs import set_up_logs

CHILDREN = ("mover", "ingest", "brain")


def main() -> None:
    """Serve the named child's operations on stdin and stdout; ends with its parent."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=CHILDREN)
    parser.add_argument("--parent-pid", type=int, required=True)
    arguments = parser.parse_args()
    die_with_parent(arguments.parent_pid)
    set_up_logs(process=arguments.name)
    # imported by name: each child loads its own libraries only
    module = importlib.import_module(f"cloudflux.work.{arguments.name}")
    serve(module.OPERATIONS)


if __name__ == "__main__":
    main()
