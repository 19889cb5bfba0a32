"""Plays a scenario of chat_client.mjs: the AI SDK's own chat client, at any address."""

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.npm_packages import find_node

HERE = Path(__file__).parent
LIMIT_SECONDS = 300


def chat(url: str, key: str, scenario: str, *texts: str, agent: str = "echo") -> dict[str, Any]:
    command = [find_node()[0], "chat_client.mjs", scenario, url, key, f"chat/{scenario} 1", agent, *texts]
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False, timeout=LIMIT_SECONDS)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert found.get("errors", []) == []
    return found
