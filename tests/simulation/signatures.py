"""The simulated queue's signatures: good for exactly one URL and body, as the real ones are (qstash.md 9)."""

from zlib import crc32

from events.errors import SignatureError
from tests.simulation.dice import number_of


def sign(url: str, body: bytes) -> str:
    """The signature of a delivery."""
    return f"sim {crc32(body, number_of(url)):08x} {len(body)}"


class SimVerifier:
    """`Verifier` of such signatures."""

    def verify(self, signature: str, body: bytes, url: str) -> None:
        """Raises SignatureError unless the queue signed this body for this URL."""
        if signature != sign(url, body):
            raise SignatureError("the simulated queue did not sign this body for this URL")
