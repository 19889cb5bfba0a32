import pytest

from baton_local.qstash.settings import DEVELOPMENT_USERS, Callers, User, user_id_of, users_with


@pytest.mark.parametrize(
    ("token", "user_id"),
    [(DEVELOPMENT_USERS[0].token, "defaultUser"), (DEVELOPMENT_USERS[1].token, "testUser1"), ("plain", "primary"),
     ("bnVsbA==", "primary"), ("eyJVc2VySUQiOjV9", "primary"), ("é", "primary")],
)  # fmt: skip
def test_user_id_is_read_out_of_the_token(token: str, user_id: str) -> None:
    """Tokens of the vendor's form say who they are; others belong to the primary user."""
    assert user_id_of(token) == user_id


def test_own_keys_for_a_development_token_replace_that_user() -> None:
    users = users_with(User("defaultUser", DEVELOPMENT_USERS[0].token, "c", "n"))
    assert (users[0].id, users[0].current_signing_key) == ("defaultUser", "c")
    assert len(users) == 2


def test_read_only_token_identifies_without_the_right_to_write() -> None:
    callers = Callers([User("u", "t", "c", "n", "r")])
    full, reader = callers.identify("t"), callers.identify("r")
    assert full is not None
    assert reader is not None
    assert (full.may_write, reader.may_write) == (True, False)
    assert callers.identify("") is None
