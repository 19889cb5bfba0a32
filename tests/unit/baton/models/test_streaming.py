"""A text said word by word."""

from hypothesis import given
from hypothesis import strategies as st

from baton.models.scripted import stream_text
from tests.fakes.listener import FakeListener


@given(st.text(st.sampled_from("ab \n\u3000\t."), max_size=30))
async def test_the_words_together_are_the_text(text: str) -> None:
    """Spaces of any kind included."""
    listener = FakeListener()
    await stream_text(listener, text)
    assert listener.text == text


async def test_a_text_comes_in_words() -> None:
    """One at a time."""
    listener = FakeListener()
    await stream_text(listener, "It is 42.", pause_seconds=0.001)
    assert listener.received == ["It ", "is ", "42."]
