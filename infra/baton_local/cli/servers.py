"""`baton qstash`, `baton redis`, `baton vector`: the stand-alone servers, for teams without Baton.

Everything after the command's name goes to the server's own entry point as it is, `--help` included. Must not know any
of the servers' options.
"""

import runpy
import sys

import click


def _server(name: str, about: str) -> click.Command:
    """Make the command that becomes the server: its `__main__` runs in this process, with its own exit code."""

    @click.command(
        name,
        help=about,
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []},
    )
    @click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
    def served(arguments: tuple[str, ...]) -> None:
        sys.argv = [f"baton {name}", *arguments]
        runpy.run_module(f"baton_local.{name}", run_name="__main__", alter_sys=False)

    return served


qstash = _server("qstash", "Run the local QStash server alone.")
redis = _server("redis", "Run the local Redis with its REST bridge alone.")
vector = _server("vector", "Run the local vector index alone.")
