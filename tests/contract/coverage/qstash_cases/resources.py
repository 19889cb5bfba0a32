"""All cases together, by `Class.method`."""

from collections.abc import Mapping

from tests.contract.coverage.qstash_cases import messages, names, operations, schedules
from tests.contract.coverage.qstash_cases.scene import QStashCase

CASES: Mapping[str, QStashCase] = {**messages.CASES, **names.CASES, **schedules.CASES, **operations.CASES}
