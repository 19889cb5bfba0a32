"""The npm package `durable-baton` as `npm pack` makes it, installed in a project that TypeScript compiles."""

import json
import shutil
import subprocess
import tarfile
from pathlib import Path

from baton_local.dev.environment import inherited_environment
from tests.contract.js.node_program import NodeProgram
from tests.npm_packages import find_node, npm_packages

FUNCTIONS = Path(__file__).resolve().parents[1] / "functions"
_SETTINGS = {
    "strict": True,
    "target": "ES2022",
    "lib": ["ES2023", "DOM", "DOM.Iterable", "DOM.AsyncIterable"],
    "module": "NodeNext",
    "types": [],
    "skipLibCheck": False,
}
_PACK_LIMIT_SECONDS = 120


def source_copy(folder: Path) -> Path:
    """Copy the package's source, with what it is built by; return its folder."""
    client = Path("baton/server/web/static/baton.js")
    (folder / client).parent.mkdir(parents=True)
    shutil.copy(FUNCTIONS / client, folder / client)
    ignored = shutil.ignore_patterns("dist", "node_modules")
    built = Path(shutil.copytree(FUNCTIONS / "web", folder / "web", ignore=ignored))
    (built / "node_modules").symlink_to(npm_packages(FUNCTIONS / "web", "web") / "node_modules")
    return built


class TypeScriptProject:
    """A folder of one program that imports the package."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "project"
        package = self._folder / "node_modules" / "durable-baton"
        package.mkdir(parents=True)
        source = source_copy(folder / "source")
        with tarfile.open(_packed(source)) as archive:
            archive.extractall(folder / "unpacked", filter="data")
        shutil.copytree(folder / "unpacked" / "package", package, dirs_exist_ok=True)
        (self._folder / "package.json").write_text('{"type": "module"}', encoding="utf-8")
        settings = {"compilerOptions": _SETTINGS, "files": ["program.ts"]}
        (self._folder / "tsconfig.json").write_text(json.dumps(settings), encoding="utf-8")
        self._compiler = source / "node_modules" / "typescript" / "bin" / "tsc"
        self._node = NodeProgram(find_node()[0], self._folder)

    def run(self, program: str, *arguments: str) -> str:
        """Compile a program, and return what it prints."""
        (self._folder / "program.ts").write_text(program, encoding="utf-8")
        self._run(str(self._compiler))
        return self._run("program.js", *arguments)

    def _run(self, *command: str) -> str:
        done = self._node.run(self._folder, *command, **inherited_environment())
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def _packed(source: Path) -> Path:
    node, npm = find_node()
    environment = inherited_environment()
    environment["PATH"] = f"{Path(node).parent}:{environment.get('PATH', '')}"
    done = subprocess.run(
        [*npm, "pack", "--json"],
        cwd=source,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=_PACK_LIMIT_SECONDS,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return next(source.glob("*.tgz"))
