"""The address by which a person without a key decides one approval: what it allows is in it, signed.

Invariant: what was not signed here, or was changed, is no link.
"""

from dataclasses import asdict, dataclass

from baton.settings.settings import Settings
from baton.settings.signing import SignedTexts

LINK_PATH = "/approve/"
_PURPOSE = "approval link"
_LIMIT_CHARS = 2_000


@dataclass(frozen=True, slots=True)
class Link:
    """What a link allows."""

    checkpoint: str
    name: str
    may: tuple[str, ...]
    edit: bool
    until_ms: int

    @property
    def by(self) -> str:
        """Who decides with it, as the decision names them."""
        return f"link:{self.name}" if self.name else "link"


class SignedLinks:
    """Makes addresses of links, and reads what they allow."""

    def __init__(self, settings: Settings) -> None:
        self._texts, self._base_url = SignedTexts(settings), settings.worker_base_url

    def url(self, link: Link) -> str:
        """The address; empty where the settings have no secret, or no address of ours."""
        if not (self._texts.has_secret and self._base_url):
            return ""
        return f"{self._base_url}{LINK_PATH}{self._texts.signed(_PURPOSE, asdict(link))}"

    def read(self, token: str) -> Link | None:
        """What a link allows; its time may be up. None: it is none."""
        found = self._texts.read(_PURPOSE, token) if len(token) <= _LIMIT_CHARS and self._texts.has_secret else None
        return Link(**{**found, "may": tuple(found["may"])}) if found else None
