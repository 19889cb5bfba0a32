"""How much a turn, or a step of a plan, may be told at once. Pure.

The store has a limit for one answer, and a model for what it reads: what is beyond can never be told, however often it
is tried, so it is a failure of the job or the step.
"""

from baton.core.state import Failure

TOO_MUCH_TOLD = "too_much_told"


def too_much_told(size_bytes: int, limit_bytes: int) -> Failure | None:
    """Why nothing can be made of what was said and what calls came to; None: it is little enough."""
    if size_bytes <= limit_bytes:
        return None
    message = (
        f"{size_bytes} bytes of conversation and results would be read at once, over the limit "
        f"of {limit_bytes}: let tools return less, or store what is large elsewhere and return a reference to it; an "
        "agent's `history` bounds what a long job reads (TOLD_LIMIT_BYTES raises the limit)"
    )
    return Failure(TOO_MUCH_TOLD, message)
