"""`baton completion SHELL`: prints what a shell needs to complete `baton` commands and options."""

import click
from click.shell_completion import get_completion_class

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script of SHELL: `eval "$(baton completion bash)"` in its start-up file."""
    found = get_completion_class(shell)
    assert found is not None, "click knows each of these shells"
    print(found(ctx.find_root().command, {}, "baton", "_BATON_COMPLETE").source())
