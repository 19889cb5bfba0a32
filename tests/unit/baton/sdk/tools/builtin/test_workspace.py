"""Reading stays below the folder."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from baton.sdk.tools.builtin.workspace import MAX_FILE_SIZE_BYTES, Workspace, write_whole_file
from baton.sdk.tools.tool_error import ToolError

SECRET = "the secret"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with files, beside a file that must never be read."""
    folder = tmp_path / "library"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.md").write_text("alpha", encoding="utf-8")
    (folder / "deep" / "b.md").write_text("beta", encoding="utf-8")
    (folder / ".env").write_text(SECRET, encoding="utf-8")
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text(SECRET, encoding="utf-8")
    (tmp_path / "secret.txt").write_text(SECRET, encoding="utf-8")
    (folder / "link.md").symlink_to(tmp_path / "secret.txt")
    (folder / "inner.md").symlink_to(folder / "a.md")
    (folder / "out").symlink_to(tmp_path, target_is_directory=True)
    return folder


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("../secret.txt", "contains '..'"),
        ("deep\\..\\..\\secret.txt", "contains '..'"),
        ("/etc/passwd", "is an absolute path"),
        ("C:\\secret.txt", "is an absolute path"),
        ("link.md", "leads out of the folder"),
        (".env", "hidden file"),
        ("a.md\0.txt", "hidden file or no file name"),
        ("", "no file ''; there are: a.md, deep/b.md, inner.md"),
        ("deep", "no file 'deep'; there are: a.md"),
    ],
)
def test_everything_else_is_refused_with_the_path_and_the_way_out(root: Path, path: str, message: str) -> None:
    with pytest.raises(ToolError) as caught:
        Workspace(root).text(path)
    assert message in caught.value.message
    assert repr(path) in caught.value.message
    assert caught.value.retryable is False


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(
    st.lists(st.sampled_from(["..", ".", "", "out", "deep", "secret.txt", "a.md", ".env", "\\", "/", "~"]), max_size=6)
)
def test_no_path_reads_the_secret(root: Path, parts: list[str]) -> None:
    """However the parts are put together."""
    for path in ("/".join(parts), "\\".join(parts), "".join(parts)):
        try:
            text = Workspace(root).text(path)
        except ToolError:
            continue
        assert text != SECRET


@pytest.mark.parametrize("content", [b"\xff\xfe\x00x", b"text\0more"])
def test_what_is_no_text_is_refused(root: Path, content: bytes) -> None:
    """A picture would only fill the model's memory."""
    (root / "picture.png").write_bytes(content)
    with pytest.raises(ToolError, match=r"'picture\.png' is not a text file"):
        Workspace(root).text("picture.png")


def test_a_file_too_large_is_refused_before_it_is_read(root: Path) -> None:
    with (root / "large.txt").open("wb") as file:
        file.truncate(MAX_FILE_SIZE_BYTES + 1)
    with pytest.raises(ToolError, match=f"'large.txt' has {MAX_FILE_SIZE_BYTES + 1} bytes") as caught:
        Workspace(root).text("large.txt")
    assert caught.value.type == "TooLarge"


@pytest.mark.parametrize(
    "path",
    ["../a.md", "/tmp/a.md", "C:\\a.md", ".hidden", "a/.git/b", "out/a.md", "out/deep/a.md", "link.md", "sub", ""],
)
def test_nothing_outside_is_written(tmp_path: Path, path: str) -> None:
    """By name, by a link to a folder or to a file; nor is a folder replaced."""
    root, outside = tmp_path / "root", tmp_path / "outside"
    (root / "sub").mkdir(parents=True)
    outside.mkdir()
    (outside / "kept.md").write_text("kept", encoding="utf-8")
    (root / "out").symlink_to(outside)
    (root / "link.md").symlink_to(outside / "kept.md")
    with pytest.raises(ToolError) as caught:
        Workspace(root).write(path, "x", replace=True)
    assert caught.value.type == "PathRefused"
    assert [(file.name, file.read_text(encoding="utf-8")) for file in outside.iterdir()] == [("kept.md", "kept")]


@pytest.mark.parametrize("path", ["./a.md", "deep//b.md", "inner.md"])
def test_files_below_the_folder_are_listed_and_read(root: Path, path: str) -> None:
    """Hidden ones and links that lead out are not shown."""
    assert Workspace(root).paths() == ["a.md", "deep/b.md", "inner.md"]
    assert Workspace(root).text(path) in {"alpha", "beta"}


def test_what_is_not_there_is_reported_when_it_is_used(root: Path) -> None:
    """Opening a pipe would block until somebody writes; many files are named in part."""
    os.mkfifo(root / "pipe")
    with pytest.raises(ToolError, match="there is no file 'pipe'"):
        Workspace(root).text("pipe")
    for number in range(11):
        (root / f"{number:02}.md").touch()
        if number == 7:
            with pytest.raises(ToolError, match=r"07\.md, a\.md, deep/b\.md and 1 more"):
                Workspace(root).text("x.md")
    with pytest.raises(ToolError, match=r"08\.md, 09\.md and 4 more"):
        Workspace(root).text("x.md")
    with pytest.raises(ToolError, match="the folder 'nowhere' does not exist"):
        Workspace(root / "nowhere").paths()


def test_a_file_that_cannot_be_put_in_its_place_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(IsADirectoryError):
        write_whole_file(tmp_path / "taken", b"x")
    assert [each.name for each in tmp_path.iterdir()] == ["taken"]


def test_a_name_of_other_bytes_is_read_by_the_name_that_is_shown(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("alpha", encoding="utf-8")
    (tmp_path / os.fsdecode(b"gr\xfc\xdf.md")).write_text("hello", encoding="utf-8")
    assert Workspace(tmp_path).text("gr\\xfc\\xdf.md") == "hello"


def test_a_file_is_written_and_replaced_only_where_that_is_shown(tmp_path: Path) -> None:
    """With the folders on its way; no larger than can be read."""
    workspace, path = Workspace(tmp_path), "notes/2026/plan.md"
    assert workspace.write(path, "grüß\n", replace=False) == 7
    with pytest.raises(ToolError, match="exists already") as caught:
        workspace.write(path, "new", replace=False)
    assert (caught.value.type, workspace.text(path)) == ("FileExists", "grüß\n")
    workspace.write(path, "new", replace=True)
    assert workspace.text(path) == "new"
    with pytest.raises(ToolError, match=r"cannot write 'notes/2026/plan\.md/a'") as caught:
        workspace.write(f"{path}/a", "new", replace=True)
    assert caught.value.type == "NotWritten"
    with pytest.raises(ToolError, match="can be written"):
        workspace.write("a.md", "x" * 1_000_001, replace=True)
    assert workspace.paths() == [path]
