import hashlib
import re

import pytest

from baton_local.dev.secrets_file import ROLES, Role, api_key_entry, new_api_key
from baton_local.dev.stack_error import StackError


@pytest.mark.parametrize("role", ROLES)
def test_a_key_names_its_role_and_holds_256_random_bits(role: Role) -> None:
    """The format is `bk_<role>_<43 url-safe characters>`, and no two keys are alike."""
    first, second = new_api_key(role), new_api_key(role)
    assert re.fullmatch(rf"bk_{role}_[A-Za-z0-9_-]{{43}}", first)
    assert first != second


def test_an_entry_holds_the_digest_and_never_the_key() -> None:
    key = new_api_key("client")
    entry = api_key_entry("client", "acme", key)
    assert entry == f"client:acme:{hashlib.sha256(key.encode()).hexdigest()}"
    assert key not in entry


@pytest.mark.parametrize("tenant", ["", "a:b", "a,b", "a b", "ä", "x" * 65])
def test_a_tenant_that_would_break_the_list_is_refused(tenant: str) -> None:
    """Separators of the setting cannot stand in a name; the message names the value."""
    with pytest.raises(StackError, match="not a usable name"):
        api_key_entry("client", tenant, "bk_client_x")
