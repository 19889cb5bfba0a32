"""Which methods of the Python SDKs have a case, under the names of `tests.contract.coverage.surface`."""

from tests.contract.coverage import client_cases, vector_cases
from tests.contract.coverage.qstash_cases import resources
from tests.contract.coverage.redis_cases import families


def covered() -> set[str]:
    """All that the modules beside this one run."""
    return {
        *(f"qstash {name}" for name in resources.CASES),
        *(f"upstash-redis Commands.{name}" for name in families.CASES),
        *(f"upstash-vector {name}" for name in vector_cases.CASES),
        *client_cases.CASES,
    }
