"""`baton qstash`, `baton redis`, `baton vector`: the stand-alone servers, for teams without Baton.

Everything after the command's name goes to the server's own entry point as it is, `--help` included. Must not know any
of the servers' options.
"""

import runpy
import sys

import click

PASS_ON = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}


@click.command(context_settings=PASS_ON)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def qstash(arguments: tuple[str, ...]) -> None:
    """Run the local QStash server alone."""
    _run("qstash", "baton_local.qstash", arguments)


@click.command(context_settings=PASS_ON)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def redis(arguments: tuple[str, ...]) -> None:
    """Run the local Redis with its REST bridge alone."""
    _run("redis", "baton_local.redis", arguments)


def _run(name: str, package: str, arguments: tuple[str, ...]) -> None:
    """Become the server: its `__main__` runs in this process, with its own arguments and exit code."""
    sys.argv = [f"baton {name}", *arguments]
    runpy.run_module(package, run_name="__main__", alter_sys=False)


@click.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def vector(arguments: tuple[str, ...]) -> None:
    """Run the local vector index alone."""
    sys.argv = ["baton vector", *arguments]
    runpy.run_module("baton_local.vector", run_name="__main__", alter_sys=False)
