"""The simulated queue's signatures: good for exactly one URL and body, as the real ones are (qstash.md 9)."""

from zlib import crc32

from baton.clock import Clock
from baton.queue.qstash.verifier import counts_at
from baton.testing.dice import number_of
from baton_events.errors import SignatureError

# For so long a signature counts (qstash.md 9).
_COUNTS_SECONDS = 300.0


def sign(url: str, body: bytes, at_ms: int) -> str:
    """The signature of a delivery, made at this time, in whole seconds by the queue's clock."""
    return f"sim {crc32(body, number_of(url)):08x} {len(body)} {at_ms // 1000}"


class SimVerifier:
    """`Verifier` of such signatures, by the clock of whoever asks."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def verify(self, signature: str, body: bytes, url: str) -> None:
        """Raises SignatureError unless the queue signed this body for this URL."""
        at = int(signature.rpartition(" ")[2])
        if signature != sign(url, body, at * 1000):
            raise SignatureError("the simulated queue did not sign this body for this URL")
        if not counts_at(self._clock.now_ms(), at, at + _COUNTS_SECONDS):
            raise SignatureError("the simulated queue did not sign this now")
