"""Named fakes of the outside world. For the store there is none: production's adapters are in `stored`."""

from baton.testing.ports import SimulatedLongTermMemory as FakeLongTermMemory

__all__ = ["FakeLongTermMemory"]
