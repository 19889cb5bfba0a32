"""One line of an env file, changed in place: comments, order and everything else stay as they are."""

from pathlib import Path

from dotenv import dotenv_values, set_key

from baton_local.dev.stack_error import StackError


def put(path: Path, name: str, value: str) -> str:
    """Set a variable in the file; what it was before, empty: nothing.

    Raises:
        StackError: the file cannot be written.
    """
    try:
        before = dotenv_values(path).get(name) or ""
        if before != value:
            set_key(path, name, value, quote_mode="never")
    except OSError as error:
        raise StackError(f"{path} cannot be changed ({error.strerror}): set {name}={value} there yourself") from error
    return before
