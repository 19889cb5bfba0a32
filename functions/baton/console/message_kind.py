"""What a message is about, in a word, and why it failed, in a line. Pure."""

import json
import re
from urllib.parse import urlsplit

from baton.console.shown import one_line
from baton.ports import DeadLetter, QueuedMessage

_VARIES = re.compile(r"[0-9a-z_]*\d[0-9a-zA-Z_.-]*")
_ERROR_CHARS = 160


def kind_of(message: QueuedMessage) -> str:
    """Its event's type, else the endpoint of ours that it goes to, else where it goes."""
    for name, value in message.headers.items():  # as it was sent, or as a proxy writes it
        if name.lower() == "x-event-type":
            return value
    before, workers, endpoint = urlsplit(message.url).path.rpartition("/workers/")
    return endpoint if workers and not before.endswith("/workers") else message.url


def why_dead(letter: DeadLetter) -> str:
    """What was answered last, in a line; of a problem document its detail."""
    try:
        answer = json.loads(letter.answer)
        text = str(answer["detail"])
    except (ValueError, KeyError, TypeError, RecursionError):
        text = letter.answer
    return one_line(text, _ERROR_CHARS) or ("no answer" if not letter.status else "no body")


def alike(text: str) -> str:
    """The line without what differs from message to message: ids and numbers."""
    return _VARIES.sub("…", text)
