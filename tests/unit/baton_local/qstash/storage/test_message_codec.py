from hypothesis import given
from hypothesis import strategies as st

from baton_local.qstash.core.flow_control import FlowSpec
from baton_local.qstash.core.headers import NOTHING_REDACTED, Redaction
from baton_local.qstash.core.message import Message
from baton_local.qstash.core.options import CallbackSpec
from baton_local.qstash.storage.codec import decode_message, encode_message

_TEXT = st.text(max_size=20)
_OPTIONAL = st.none() | _TEXT
_HEADERS = st.dictionaries(_TEXT, st.lists(_TEXT, min_size=1, max_size=2), max_size=3)
_CALLBACKS = st.none() | st.builds(CallbackSpec, _TEXT, _HEADERS)
_MESSAGES = st.builds(
    Message,
    seq=st.integers(1, 2**40),
    id=_TEXT,
    user=_TEXT,
    url=_TEXT,
    created_at_ms=st.integers(0, 2**45),
    not_before_ms=st.integers(0, 2**45),
    method=st.sampled_from(["POST", "GET"]),
    header=_HEADERS,
    body=st.none() | st.binary(min_size=1, max_size=20),
    max_retries=st.integers(0, 5),
    retry_delay=_OPTIONAL,
    timeout_ms=st.none() | st.integers(0, 10**6),
    topic=_OPTIONAL,
    endpoint=_OPTIONAL,
    queue=_OPTIONAL,
    schedule_id=_OPTIONAL,
    caller_ip=_OPTIONAL,
    labels=st.lists(_TEXT, max_size=3).map(tuple),
    flow=st.none() | st.builds(FlowSpec, _TEXT, st.none() | st.integers(1, 9), st.none() | st.integers(1, 9)),
    callback=_CALLBACKS,
    failure_callback=_CALLBACKS,
    redaction=st.just(NOTHING_REDACTED) | st.builds(Redaction, st.booleans(), st.booleans(), st.tuples(_TEXT)),
    holds_queue=_OPTIONAL,
    holds_turn_of=_OPTIONAL,
)


@given(_MESSAGES)
def test_every_message_survives_the_round_trip(message: Message) -> None:
    assert decode_message(message.seq, message.id, message.user, encode_message(message), message.body) == message
