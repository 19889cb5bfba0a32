"""What `osls package` makes of serverless.yml: the CloudFormation template, and looks into it."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.npm_packages import find_node, npm_packages

ROOT = Path(__file__).parents[2]
_LIMIT_SECONDS = 600


@dataclass(frozen=True)
class CloudTemplate:
    path: Path

    @property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @property
    def content(self) -> dict[str, Any]:
        read: dict[str, Any] = json.loads(self.text)
        return read

    def of_type(self, kind: str) -> dict[str, dict[str, Any]]:
        resources = self.content["Resources"]
        return {name: each["Properties"] for name, each in resources.items() if each["Type"] == kind}

    def function(self, name: str) -> tuple[str, dict[str, Any]]:
        """The logical name and the properties of the function whose deployed name ends so."""
        functions = self.of_type("AWS::Lambda::Function")
        (found,) = [(key, each) for key, each in functions.items() if each["FunctionName"].endswith(f"-{name}")]
        return found

    def environment(self, name: str) -> dict[str, Any]:
        variables: dict[str, Any] = self.function(name)[1]["Environment"]["Variables"]
        return variables


def cloud_template(folder: Path, *options: str, dotenv: str = "") -> CloudTemplate:
    """Package serverless.yml in a folder of its own, with archives that are empty."""
    osls = npm_packages(ROOT, "osls") / "node_modules" / "osls" / "bin" / "serverless.js"
    shutil.copy(ROOT / "serverless.yml", folder)
    (folder / ".env").write_text(dotenv, encoding="utf-8")
    (folder / "dist").mkdir()
    for name in ("baton", "baton-models"):
        for platform in ("arm64", "x86_64"):
            (folder / "dist" / f"{name}-{platform}.zip").write_bytes(b"")
    done = subprocess.run(
        [find_node()[0], str(osls), "package", "--package", str(folder / "made"), *options],
        cwd=folder,
        env={"HOME": str(folder), "PATH": "/usr/bin:/bin"},  # nobody's account, nobody's settings
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=_LIMIT_SECONDS,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return CloudTemplate(folder / "made" / "cloudformation-template-update-stack.json")
