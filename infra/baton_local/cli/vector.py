"""`baton vector`: the stand-alone vector index, for teams that use the service without Baton.

Everything after the command's name goes to the server's own entry point as it is, `--help` included. Must not know any
of the server's options.
"""

import runpy
import sys

import click


@click.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def vector(arguments: tuple[str, ...]) -> None:
    """Run the local vector index alone."""
    sys.argv = ["baton vector", *arguments]
    runpy.run_module("baton_local.vector", run_name="__main__", alter_sys=False)
