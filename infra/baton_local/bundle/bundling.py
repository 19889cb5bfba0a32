"""Makes a bundle: libraries, our code, the user's agents, bytecode, and one zip file of it all.

There are two bundles: `baton`, for every function but one, and `baton-models`, for the one that calls models of
providers. Their libraries are six times the rest, and no other function imports them. Invariant: the same files give
the same bytes: names are sorted, and no times and no owners are kept.

The libraries of a project come with their hashes, as wheels for Lambda's platform. They are those of its lock file, or
what its pyproject.toml resolves to where it has none; uv knows both. Lambda's Python 3.11 is on Amazon Linux 2 (glibc
2.26), so wheels must be of `manylinux2014` (glibc 2.17). Those of `manylinux_2_28` would be installed and fail at their
import.
https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
With a lock file the result depends on it alone, not on the machine that installs. Baton is not among the libraries: the
one that packages is copied, however it was installed.
"""

import re
import shutil
import stat
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

from baton.sdk.distribution import DISTRIBUTION
from baton_local.dev.environment import inherited_environment
from baton_local.dev.stack_error import StackError

PYTHON = (3, 11)
PYTHON_VERSION = ".".join(map(str, PYTHON))
FOLDER = "/var/task"  # where Lambda unpacks an archive

# Names as in CloudFormation's `Architectures`, and uv's for the same.
PLATFORMS = {"arm64": "aarch64-manylinux2014", "x86_64": "x86_64-manylinux2014"}

UNPACKED_LIMIT_BYTES = 250 * 1024 * 1024


_TIMEOUT_SECONDS = 600
_LAST_LINES = 8


class Uv:
    """The uv of this environment, the one on PATH, or one that pip puts into the project's `.baton`.

    Raises StackError: there is none.
    """

    def __init__(self, project: Path) -> None:
        beside, brought = Path(sys.executable).with_name("uv"), project / ".baton" / "uv"
        programs = (beside, shutil.which("uv"), brought / "bin" / "uv")
        found = next((program for program in programs if program and Path(program).exists()), None)
        self._program = str(found or _bring(brought))
        self._project = project

    def run(self, *command: str) -> str:
        """Run a command in the project's folder; what it prints.

        Raises StackError: it failed, with the last lines that it said.
        """
        try:
            return self._run(*command)
        except StackError:  # machines behind a proxy have a certificate authority of their own
            return self._run(*command, "--system-certs")

    def _run(self, *command: str) -> str:
        environment = {**inherited_environment(), "UV_PYTHON_DOWNLOADS": "never"}
        done = subprocess.run(
            [self._program, *command, "--quiet"],
            cwd=self._project,
            env=environment,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
        if done.returncode:
            raise StackError(f"uv {command[0]} failed:\n{_last_lines(done.stderr)}")
        return done.stdout


def _bring(folder: Path) -> Path:
    """Install uv into this folder, so that a project with Baton alone can be packaged; the program."""
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    command = (*pip, "--target", str(folder), "uv")
    done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=False)
    if done.returncode:
        raise StackError(
            "uv is needed for packaging. It is neither beside this Python nor on PATH, and pip could not install it:\n"
            f"{_last_lines(done.stderr)}\nInstall it: https://docs.astral.sh/uv/getting-started/installation"
        )
    return folder / "bin" / "uv"


def _last_lines(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-_LAST_LINES:])


# Of no use here, with what nothing else needs: pydantic-ai's embeddings and realtime speech import tiktoken, and Baton
# uses neither. Its wheels need a newer glibc than Lambda's Python 3.11 has.
_LEFT_OUT = "tiktoken"

# What an installer notes of itself, scripts that begin with the path of this machine's Python, lists of what was linked
# into a library, what it was compiled from, tables of places for people, and what only a type checker, a test runner or
# a command loads.
_NOT_RUN = (
    ".lock",
    "bin",
    "*.dist-info/RECORD",
    "*.dist-info/INSTALLER",
    "*.dist-info/REQUESTED",
    "*.dist-info/direct_url.json",
    "*.dist-info/uv_cache.json",
    "*.dist-info/sboms",
    "**/*.pyi",
    "httptools/**/*.pxd",
    "httptools/**/*.pyx",
    "httpx/_main.py",
    "anyio/pytest_plugin.py",
    "anyio/_backends/_trio.py",
    "pydantic/mypy.py",
    "pydantic/v1/_hypothesis_plugin.py",
    "pydantic/v1/mypy.py",
    "starlette/testclient.py",
    "tzdata/zoneinfo/tzdata.zi",
    "tzdata/zoneinfo/*.tab",
)

LOCAL_DISTRIBUTION = "durable-baton-local"  # infra/pyproject.toml
_OWN = (DISTRIBUTION, LOCAL_DISTRIBUTION)
_LISTED = ("--no-header", "--no-annotate", *(option for name in _OWN for option in ("--no-emit-package", name)))


class Libraries:
    """Lists a project's libraries, and installs them into the folder of a bundle.

    Raises StackError: the folder is no project, it has locked another Baton, or there is no uv.
    """

    def __init__(self, project: Path) -> None:
        if not (project / "pyproject.toml").is_file():
            raise StackError(f"{project} has no pyproject.toml: package in a project's folder (`baton init NAME`)")
        lock = project / "uv.lock"
        self.are_locked = lock.is_file()
        if self.are_locked:
            _check_own_version(lock)
        self._uv = Uv(project)

    def requirements(self, work: Path, platform: str, extras: Sequence[str]) -> str:
        """Return the project's requirements with these extras, versions and hashes; without Baton itself."""
        options = [option for name in extras for option in ("--extra", name)]
        if self.are_locked:
            which = ("--locked", "--no-dev", "--no-emit-project", "--prune", _LEFT_OUT)
            return self._uv.run("export", *which, *_LISTED, *options)
        own, left_out = work / "own.txt", work / "left-out.txt"
        own.write_text(f"{DISTRIBUTION}=={version(DISTRIBUTION)}\n", encoding="utf-8")
        left_out.write_text(f"{_LEFT_OUT}; python_version < '3'\n", encoding="utf-8")
        known = ("--generate-hashes", "--constraints", str(own), "--overrides", str(left_out))
        return self._uv.run("pip", "compile", "pyproject.toml", *_LISTED, *known, *_wheels(platform), *options)

    def install(self, folder: Path, work: Path, platform: str, extras: Sequence[str]) -> Path:
        """Unpack what the project needs with these extras; the file that lists it."""
        listed = work / "libraries.txt"
        listed.write_text(self.requirements(work, platform, extras), encoding="utf-8")
        self._install(folder, platform, "--require-hashes", "--no-deps", "--requirements", str(listed))
        return listed

    def install_added(self, folder: Path, platform: str, requirements: Path, listed: Path) -> None:
        """Unpack what somebody's agents need beside that; a version that is listed stays."""
        self._install(folder, platform, "--requirements", str(requirements.resolve()), "--constraints", str(listed))

    def _install(self, folder: Path, platform: str, *options: str) -> None:
        target = ("--target", str(folder), "--no-compile-bytecode")
        self._uv.run("pip", "install", *target, *_wheels(platform), *options)
        _name_what_is_installed(folder)
        for pattern in _NOT_RUN:
            for path in folder.glob(pattern):
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink()
        for path in folder.glob("*.dist-info/METADATA"):  # its headers are read, and never the README below them
            headers = path.read_text(encoding="utf-8").partition("\n\n")[0].rstrip("\n")
            path.unlink()  # uv links files to those of its cache, and all projects of this machine use them
            path.write_text(f"{headers}\n", encoding="utf-8")


def _name_what_is_installed(folder: Path) -> None:
    """Note the packages of each library, which lie beside the user's code: a workflow is read through that alone."""
    for record in folder.glob("*.dist-info/RECORD"):
        files = (line.partition(",")[0] for line in record.read_text(encoding="utf-8").splitlines())
        tops = {path.partition("/")[0].removesuffix(".py") for path in files}
        names = sorted(top for top in tops if "." not in top and top)
        listed = record.with_name("top_level.txt")
        listed.unlink(missing_ok=True)  # it may be one of uv's cache
        listed.write_text("\n".join(names), encoding="utf-8")


def _wheels(platform: str) -> tuple[str, ...]:
    """Download wheels for Lambda's platform alone. Nothing is built: a library without a wheel is an error."""
    return ("--python-platform", PLATFORMS[platform], "--python-version", PYTHON_VERSION, "--only-binary", ":all:")


def _check_own_version(lock: Path) -> None:
    packages = tomllib.loads(lock.read_text(encoding="utf-8")).get("package", [])
    locked = next((each.get("version") for each in packages if each["name"] == DISTRIBUTION), None)
    ours = version(DISTRIBUTION)
    if locked not in (None, ours):
        raise StackError(f"{lock} has {DISTRIBUTION} {locked}, and this is {ours}: run `uv sync`, or `uv lock`")


OWN_PACKAGES = ("baton", "baton_events")
_FOR_TESTS = ("baton/testing", "baton/store/redis/in_process")
# What is of use with a library alone, and that one's package.
_WITH_A_LIBRARY = {
    "baton/sdk/pydantic_ai": "pydantic_ai",
    "baton/sdk/openai_agents": "agents",
    "baton/sdk/langgraph": "langgraph",
    "baton/queue/redis": "cronsim",
}
HANDLERS = Path("functions", "handlers")
REQUIREMENTS = "requirements.txt"
_MADE_BY_TOOLS = {"__pycache__", "node_modules"}
_BESIDE_THE_CODE = {REQUIREMENTS, "pyproject.toml", "uv.lock", "build", "dist", "infra", "tests", "venv"}
_BESIDE_THE_CODE |= {"Dockerfile", "Makefile", "README.md", "package.json", "package-lock.json", "serverless.yml"}


def copy_own(folder: Path) -> None:
    """Copy our packages, and say which version they are; the local stack and the tests stay behind."""
    for package in OWN_PACKAGES:
        _copy(Path(str(files(package))), folder / package)
    for part in _FOR_TESTS:
        shutil.rmtree(folder / part)
    ours = version(DISTRIBUTION)
    metadata = folder / f"{DISTRIBUTION.replace('-', '_')}-{ours}.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text(f"Metadata-Version: 2.1\nName: {DISTRIBUTION}\nVersion: {ours}\n", encoding="utf-8")


def leave_out_what_lacks_its_library(folder: Path) -> None:
    for part, library in _WITH_A_LIBRARY.items():
        if not (folder / library).is_dir():
            shutil.rmtree(folder / part)


def copy_app(app: Path, folder: Path) -> None:
    """Copy what can be imported from `app`: the packages and modules in it, with their data.

    Raises StackError: it is a package itself, there is nothing to import, or a name is taken.
    """
    if (app / "__init__.py").is_file():
        raise StackError(f"--app {app} is a package; name the folder that it is in: --app {app.parent}")
    parts = [path for path in _visible(app) if path.name not in _BESIDE_THE_CODE]
    if not any(path.suffix == ".py" or (path.is_dir() and any(path.rglob("*.py"))) for path in parts):
        raise StackError(f"--app {app}: there is no Python module or package in this folder")
    taken = [path.name for path in parts if (folder / path.name).exists()]
    if taken:
        raise StackError(f"--app {app}: {', '.join(taken)} is a name that Baton or a library has; choose another one")
    for path in parts:
        _copy(path, folder / path.name)


def copy_handlers(folder: Path) -> None:
    """Add the functions that serverless.yml names, as `baton init` writes them, where the user has none of his own."""
    (folder / HANDLERS).mkdir(parents=True, exist_ok=True)
    for template in (files("baton_local") / "project").joinpath(*HANDLERS.parts).iterdir():
        path = folder / HANDLERS / template.name.removesuffix(".tmpl")
        if not path.exists():
            path.write_text(template.read_text(encoding="utf-8"), encoding="utf-8")


def added_libraries(app: Path) -> Path | None:
    """Return the file with the libraries that the agents of another folder need, if there is one.

    Raises StackError: they are named in the wrong place.
    """
    requirements, project = app / REQUIREMENTS, app / "pyproject.toml"
    if requirements.is_file():
        return requirements
    if not project.is_file():
        return None
    needs = tomllib.loads(project.read_text(encoding="utf-8")).get("project", {}).get("dependencies", [])
    if any(not str(need).startswith(DISTRIBUTION) for need in needs):
        raise StackError(
            f"--app {app}: its pyproject.toml names libraries, and a bundle takes them from {REQUIREMENTS}: write it"
            f" with `uv export --no-emit-project --no-emit-package {DISTRIBUTION} -o {REQUIREMENTS}` in that folder"
        )
    return None


def _visible(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if not path.name.startswith(".") and path.name not in _MADE_BY_TOOLS and path.suffix != ".pyc":
            yield path


def _copy(source: Path, target: Path) -> None:
    if not source.is_dir():
        shutil.copyfile(source, target)
        return
    target.mkdir()
    for path in _visible(source):
        _copy(path, target / path.name)


# Parts of libraries that no function imports. Their source stays, for tools that do.
_SELDOM_IMPORTED = (
    "(pydantic/(v1|deprecated|experimental)/|anyio/(_backends/_trio|to_process|to_interpreter)|idna/uts46data"
    "|httpcore/(_async|_sync)/http2|httpcore/_backends/trio|jinja2/(ext|meta|nativetypes|sandbox)"
    "|prometheus_client/(aiohttp/|bridge/|django/|multiprocess|openmetrics/parser|parser|twisted/))"
)


def compile_modules(folder: Path, python: str) -> None:
    """Compile all that functions import. A library's file that is for another Python is left as it is."""
    compiled = (python, "-s", "-S", "-m", "compileall", "-qq", "--invalidation-mode", "unchecked-hash")
    paths = ("-x", f"^{re.escape(str(folder))}/{_SELDOM_IMPORTED}", "-s", str(folder), "-p", FOLDER, str(folder))
    environment = {"PYTHONHASHSEED": "0"}
    subprocess.run([*compiled, *paths], env=environment, timeout=_TIMEOUT_SECONDS, check=False, capture_output=True)


def lambda_python(own: tuple[int, int] = sys.version_info[:2]) -> str:
    """Return a Python of Lambda's version: the one that runs this, of version `own`, or one on PATH.

    Raises StackError: there is none, and bytecode of another version would be ignored.
    """
    if own == PYTHON:
        return sys.executable
    found = shutil.which(f"python{PYTHON_VERSION}")
    if found is None or not _runs(found):
        raise StackError(
            f"Lambda runs Python {PYTHON_VERSION}, and only that version's bytecode is of use there: this is"
            f" {own[0]}.{own[1]}, and there is no python{PYTHON_VERSION} on PATH. Install it:"
            f" `uv python install {PYTHON_VERSION}`"
        )
    return found


def _runs(program: str) -> bool:
    """Return whether it is a Python, and not a version manager's notice that there is none."""
    done = subprocess.run([program, "-c", ""], check=False, capture_output=True, timeout=_TIMEOUT_SECONDS)
    return done.returncode == 0


_EARLIEST = (1980, 1, 1, 0, 0, 0)  # a zip file has no times before it
_MODE, _PROGRAM_MODE = stat.S_IFREG | 0o644, stat.S_IFREG | 0o755
_UNIX = 3
_NEARLY_SMALLEST = 7  # 9 takes twice the time for 0.4 % fewer bytes


@dataclass(frozen=True, slots=True)
class Archive:
    path: Path
    packed_bytes: int
    unpacked_bytes: int
    digest: str


def unpacked_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def pack(folder: Path, path: Path) -> Archive:
    """Write the archive; one that is there is replaced."""
    names = sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            entry = zipfile.ZipInfo(name, _EARLIEST)
            entry.external_attr = (_PROGRAM_MODE if name.endswith(".sh") else _MODE) << 16
            entry.create_system = _UNIX
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, (folder / name).read_bytes(), compresslevel=_NEARLY_SMALLEST)
    content = path.read_bytes()
    return Archive(path, len(content), unpacked_bytes(folder), sha256(content).hexdigest())


# The name of a bundle, and the extras of pyproject.toml that are in it.
BUNDLES = {"baton": ("site",), "baton-models": ("models",)}


@dataclass(frozen=True, slots=True)
class Ingredients:
    """What goes into a bundle beside our own code and the project's libraries.

    `platform`: `arm64` or `x86_64`. `extras`: of pyproject.toml, such as `otel`. `app`: the folder with somebody's
    agents; None for the project's own, or for the samples in a clone of Baton.
    """

    platform: str
    extras: Sequence[str] = ()
    app: Path | None = None


class Bundling:
    """Makes bundles of a project: one that `baton init` made, any other with a pyproject.toml, or a clone of Baton.

    Raises StackError: this is no project, or there is no uv, or no Python that makes Lambda's bytecode.
    """

    def __init__(self, project: Path) -> None:
        self._project = project.resolve()
        self._libraries = Libraries(self._project)
        self._python = lambda_python()

    @property
    def are_locked(self) -> bool:
        """Whether the project's libraries are those of a lock file."""
        return self._libraries.are_locked

    def make(self, name: str, wanted: Ingredients, out: Path) -> Archive:
        with tempfile.TemporaryDirectory(prefix="baton-bundle-") as work:
            folder = Path(work, "task")
            folder.mkdir()
            self._fill(folder, Path(work), (*BUNDLES[name], *wanted.extras), wanted)
            size_bytes = unpacked_bytes(folder)
            if size_bytes > UNPACKED_LIMIT_BYTES:
                raise StackError(
                    f"{name} has {size_bytes / 2**20:.0f} MB, and Lambda takes {UNPACKED_LIMIT_BYTES / 2**20:.0f}:"
                    " leave libraries out"
                )
            return pack(folder, out / f"{name}-{wanted.platform}.zip")

    def _fill(self, folder: Path, work: Path, extras: Sequence[str], wanted: Ingredients) -> None:
        listed = self._libraries.install(folder, work, wanted.platform, extras)
        copy_own(folder)
        app = self._app(wanted)
        if app is not None:
            copy_app(app, folder)
            added = added_libraries(app) if app != self._project else None
            if added is not None:
                self._libraries.install_added(folder, wanted.platform, added, listed)
        leave_out_what_lacks_its_library(folder)
        copy_handlers(folder)
        compile_modules(folder, self._python)

    def _app(self, wanted: Ingredients) -> Path | None:
        if wanted.app is not None:
            return wanted.app.resolve()
        settings = tomllib.loads((self._project / "pyproject.toml").read_text(encoding="utf-8"))
        return None if settings.get("project", {}).get("name") == DISTRIBUTION else self._project
