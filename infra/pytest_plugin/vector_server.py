"""What a test sees of its vector index: where it is, and a way to begin afresh."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from infra.pytest_plugin.admin_call import admin_call


@dataclass(frozen=True)
class VectorServer:
    """A running server; `env` is what the official SDKs read, and is set while a test uses the fixture."""

    url: str
    token: str

    @classmethod
    def from_exports(cls, exports: Mapping[str, str]) -> "VectorServer":
        """The server that prints these environment variables."""
        return cls(exports["UPSTASH_VECTOR_REST_URL"], exports["UPSTASH_VECTOR_REST_TOKEN"])

    @property
    def env(self) -> Mapping[str, str]:
        """The environment variables for `Index.from_env()`, in Python, and `new Index()`, in JavaScript."""
        return {"UPSTASH_VECTOR_REST_URL": self.url, "UPSTASH_VECTOR_REST_TOKEN": self.token}

    def reset(self) -> None:
        """Forget all records and namespaces, and planned faults."""
        self.call("POST", "/admin/faults", {})
        self.call("POST", "/reset?all")
        for namespace in self.call("POST", "/list-namespaces")["result"]:
            if namespace:  # the default one always exists
                self.call("POST", f"/delete-namespace/{quote(namespace, safe='')}")

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Make a request past the SDK; the JSON of the answer."""
        return admin_call(self.url, self.token, method, path, body)
