"""`baton keys create`: makes an API key.

Invariant: the key itself is printed once, alone on the last line of the standard output, and stored nowhere; only its
entry with the digest is kept (with `--data`) or shown for the setting `API_KEYS`.
"""

from pathlib import Path

import click

from infra.dev.api_key import ROLES, Role, api_key_entry, new_api_key
from infra.dev.secrets_file import SECRETS_FILE_NAME, add_api_key_entry
from infra.dev.stack_error import StackError


@click.group()
def keys() -> None:
    """Make API keys."""


@keys.command()
@click.option("--tenant", required=True, metavar="NAME", help="Whose jobs the key may see.")
@click.option("--role", required=True, type=click.Choice(ROLES), help="client: one tenant's jobs; admin: an operator.")
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Add the key to this data folder, for the next `baton dev --data DIR`.",
)
def create(tenant: str, role: Role, data: Path | None) -> None:
    """Make a key and print it alone on the last line."""
    key = new_api_key(role)
    try:
        entry = api_key_entry(role, tenant, key)
    except StackError as error:
        raise click.BadParameter(str(error), param_hint="--tenant") from error
    if data is not None:
        add_api_key_entry(data, entry)
        print(f"Added to {data / SECRETS_FILE_NAME}: the next `baton dev --data {data}` accepts the key.")
    print("In production, add this entry to the setting API_KEYS (a comma list; it holds the key's digest only):")
    print(f"  {entry}")
    print("The key itself is stored nowhere. Keep it now:")
    print(key)
