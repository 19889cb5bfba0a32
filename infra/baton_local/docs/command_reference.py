"""The reference of the command line: the tree of `baton --help`, each command with its arguments and options."""

import click

from baton_local.cli.main import main
from baton_local.docs.markdown_table import markdown_table

_HELP = "--help"


def command_reference() -> str:
    """Return a section for each command that does something, in alphabetical order."""
    return "\n\n".join(_sections(main, "baton", None))


def _sections(command: click.Command, name: str, parent: click.Context | None) -> list[str]:
    context = click.Context(command, info_name=name, parent=parent)
    if not isinstance(command, click.Group):
        return [_section(command, context)]
    found = ((each, command.get_command(context, each)) for each in command.list_commands(context))
    return [section for each, sub in found if sub is not None for section in _sections(sub, each, context)]


def _section(command: click.Command, context: click.Context) -> str:
    usage = " ".join(command.collect_usage_pieces(context)).replace("[OPTIONS]", "").strip()
    heading = f"## `{f'{context.command_path} {usage}'.strip()}`"
    text = " ".join((command.help or "").split())
    records = [param.get_help_record(context) for param in command.params if isinstance(param, click.Option)]
    rows = [[f"`{record[0]}`", record[1]] for record in records if record is not None and _HELP not in record[0]]
    return "\n\n".join(
        part for part in (heading, text, markdown_table(["option", "what"], rows) if rows else "") if part
    )
