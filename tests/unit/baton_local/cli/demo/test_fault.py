import subprocess
import sys

from baton_local.cli.demo.scenario import KillApp


def test_the_app_is_killed_once_and_not_before_its_time() -> None:
    with subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(60)"]) as process:
        fault = KillApp(lambda: process.pid, 4)
        assert fault.after_event(3) is None
        assert fault.after_event(4) == process.pid
        assert process.wait(10) == -9
    assert fault.after_event(5) is None


def test_an_app_that_is_just_starting_is_left_alone() -> None:
    """There is nothing to kill; the next event brings the next chance."""
    assert KillApp(lambda: None, 4).after_event(4) is None
