"""The `baton` command itself: its table of subcommands.

Invariant: a subcommand's code is imported when it is used, never before, so that `baton --help` and the small commands
start quickly. Errors made for people are printed as one line with exit code 1, without a traceback.
"""

import errno
import importlib
import sys
from difflib import get_close_matches
from typing import Any

import click

from baton.sdk.distribution import DISTRIBUTION
from baton_local.dev.environment import reach_loopback_directly
from baton_local.dev.stack_error import StackError

# Each subcommand with the module that has it under the same name, and its line in the list of commands.
SUBCOMMANDS = {
    "budgets": ("budgets", "Show what keys have spent, and set their limits."),
    "check": ("doctor", "Check that a deployment answers, and that its jobs run."),
    "checkpoints": ("checkpoints", "List checkpoints and decide them."),
    "demo": ("demo.command", "Show one real job live, on a stack of its own."),
    "dev": ("dev", "Run the whole local stack in the foreground."),
    "diff": ("stored.forks", "Compare two jobs turn by turn."),
    "doctor": ("doctor", "Find faults of a deployment, and their remedies."),
    "fork": ("stored.forks", "Fork an ended job from a turn on, with edits."),
    "gate": ("stored.gate", "Fork or replay stored jobs, and score their answers."),
    "init": ("project", "Make a project with an agent, a tool and tests."),
    "jobs": ("jobs", "Submit jobs and follow them."),
    "keys": ("keys", "Make, list and revoke API keys."),
    "mcp": ("mcp", "Serve MCP over stdio: tools for operators."),
    "package": ("project", "Make the archives that AWS Lambda runs."),
    "pump": ("serve", "Deliver the messages of a queue in the store."),
    "qstash": ("servers", "Run the local QStash server alone."),
    "redis": ("servers", "Run the local Redis with its REST bridge alone."),
    "replay": ("stored.replay", "Replay a message, or an ended job offline."),
    "schedules": ("jobs", "List schedules; run, pause or resume one."),
    "score": ("stored.gate", "Keep what you think of a job with it."),
    "serve": ("serve", "Serve a deployment whose queue is in the store."),
    "setup": ("setup", "Create or update topics and schedules in the queue's account."),
    "tunnel": ("tunnel", "Let the hosted queue reach an app on this machine, by ngrok."),
    "vector": ("servers", "Run the local vector index alone."),
}


_FULL = (errno.ENOSPC, errno.EDQUOT)
_REFUSED = (*_FULL, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENAMETOOLONG, errno.ENOTDIR)


class Commands(click.Group):
    """A group that imports a subcommand only to run it or to show its own help."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(SUBCOMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in SUBCOMMANDS:
            return None
        module = importlib.import_module(f"baton_local.cli.{SUBCOMMANDS[cmd_name][0]}")
        command = getattr(module, cmd_name)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Name the commands there are when somebody asks for another."""
        if args and not args[0].startswith("-") and args[0] not in SUBCOMMANDS:
            near = get_close_matches(args[0], SUBCOMMANDS, n=1)
            meant = f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(SUBCOMMANDS)}"
            ctx.fail(f"there is no command {args[0]!r}{meant}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the subcommands from the table, without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in SUBCOMMANDS.items()])

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Turn what the disk refuses into one clear line, whatever a command writes or shows."""
        try:
            return super().main(*args, **kwargs)
        except OSError as error:
            if error.errno not in _REFUSED:
                raise
            way = "free some" if error.errno in _FULL else "use another place, or ask who may change this one"
            where = f"{error.filename}: " if error.filename else ""
            print(f"baton: {where}{error.strerror}: {way}", file=sys.stderr, flush=True)
            sys.exit(1)

    def invoke(self, ctx: click.Context) -> Any:
        """Turn an error made for people into one clear line; this machine is reached without a proxy."""
        reach_loopback_directly()
        try:
            return super().invoke(ctx)
        except StackError as error:
            print(f"baton: {error}", file=sys.stderr, flush=True)
            ctx.exit(1)


_COMPLETION = 'Names complete with `eval "$(_BATON_COMPLETE=bash_source baton)"` in ~/.bashrc; zsh and fish likewise.'


@click.group(cls=Commands, epilog=_COMPLETION, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name=DISTRIBUTION, message="%(prog)s %(version)s")
def main() -> None:
    """Durable AI agents on serverless functions: the local stack and its tools."""
