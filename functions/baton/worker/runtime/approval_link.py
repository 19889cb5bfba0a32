"""The address by which a person without a key decides one approval: its rights are in it, signed.

Invariant: a text that was not signed here, or was changed, is no link.
"""

from dataclasses import asdict, dataclass

from baton.engine.waits import Decider
from baton.settings.settings import Settings
from baton.settings.signed_texts import SignedTexts

LINK_PATH = "/approve/"
_PURPOSE = "approval link"
_LIMIT_CHARS = 2_000


@dataclass(frozen=True, slots=True)
class Link:
    """The rights of a link.

    `person`: whom its decision counts for, where several people must approve; empty: whoever it is named for.
    """

    checkpoint: str
    name: str
    may: tuple[str, ...]
    edit: bool
    until_ms: int
    person: str = ""

    @property
    def by(self) -> str:
        """The person who decides with it, as the decision names them."""
        return f"link:{self.name}" if self.name else "link"

    @property
    def decider(self) -> Decider:
        """Whom its decision counts for."""
        return Decider(self.by, self.person)


class SignedLinks:
    """Makes addresses of links, and reads their rights."""

    def __init__(self, settings: Settings) -> None:
        self._texts, self._base_url = SignedTexts(settings), settings.worker_base_url

    def url(self, link: Link) -> str:
        """Return the address; empty where the settings have no secret, or no address of this deployment."""
        if not (self._texts.has_secret and self._base_url):
            return ""
        return f"{self._base_url}{LINK_PATH}{self._texts.signed(_PURPOSE, asdict(link))}"

    def read(self, token: str) -> Link | None:
        """Read a link, whose time may be up; None: the token is no link."""
        found = self._texts.read(_PURPOSE, token) if len(token) <= _LIMIT_CHARS and self._texts.has_secret else None
        return Link(**{**found, "may": tuple(found["may"])}) if found else None
