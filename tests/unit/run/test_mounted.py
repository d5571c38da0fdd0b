"""A namespace with a rendered copy at a file's path: what leads there, what does not, and what is said where there is none."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from locum.errors import Unavailable, UsageProblem
from locum.run import mounted
from locum.run.mounted import MountedFiles
from locum.run.program import NotStarted
from locum.run.rendered import read_template
from locum.secret import SecretBytes
from support.bed import missing

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="mount namespaces are Linux's")

CONTENT = b"the rendered content\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "app.json"
    path.write_text("locum://A\n")
    return path


def make(*files: Path) -> MountedFiles:
    """Make the namespace, and skip the test where this system has none."""
    try:
        return MountedFiles([read_template(str(path)) for path in files], files[0].parent / "run")
    except Unavailable as problem:
        if "forbids" in problem.message or "AppArmor" in problem.message:
            missing(problem.message)
        raise


@pytest.fixture
def made(file: Path) -> Iterator[MountedFiles]:
    namespace = make(file)
    yield namespace
    namespace.close()


def in_child(action: Callable[[], object]) -> str:
    """Do it in a child as the launcher's child does; return what it says."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            said = str(action())
        except BaseException as problem:  # the child must not go on as a test
            said = f"{type(problem).__name__}: {problem} {getattr(problem, 'exit_code', '')}"
        os.write(writing, said.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as answer:
        said = answer.read().decode()
    os.waitpid(pid, 0)
    return said


def entered(namespace: MountedFiles, action: Callable[[], object]) -> str:
    return in_child(lambda: (namespace.enter(), action())[1])


def test_the_copy_is_there_for_who_entered_and_for_nobody_else(made: MountedFiles, file: Path) -> None:
    made.fill(0, SecretBytes(CONTENT))
    assert entered(made, file.read_bytes) == str(CONTENT)
    assert entered(made, lambda: sorted(path.name for path in file.parent.iterdir())) == "['app.json', 'run']"
    assert entered(made, lambda: list((file.parent / "run").iterdir())) == "[]"
    assert file.read_text() == "locum://A\n"
    assert "ramfs" not in Path("/proc/self/mounts").read_text()
    assert list((file.parent / "run").iterdir()) == []
    file.unlink()  # nothing holds it


def test_it_cannot_be_written_run_or_taken_away_by_name(made: MountedFiles, file: Path) -> None:
    made.fill(0, SecretBytes(CONTENT))
    assert "Read-only" in entered(made, lambda: file.write_text("x"))
    assert "Read-only" in entered(made, lambda: os.truncate(file, 0))
    assert "busy" in entered(made, file.unlink)
    assert "busy" in entered(made, lambda: file.rename(file.with_name("other")))
    file.chmod(0o755)
    assert "Permission denied" in entered(make(file), lambda: os.execv(file, [str(file)]))


def test_mode_and_owner_are_the_files(file: Path) -> None:
    file.chmod(0o4750)
    info = entered(make(file), lambda: (oct(file.stat().st_mode), file.stat().st_uid))
    assert info == str(("0o100750", file.stat().st_uid))


@pytest.mark.parametrize("replaced", ["by another", "by a link", "its folder", "not at all"])
def test_a_file_that_is_replaced_at_the_last_moment_is_not_used(made: MountedFiles, file: Path, replaced: str) -> None:
    made.fill(0, SecretBytes(CONTENT))
    if replaced == "its folder":
        moved = file.parent.rename(file.parent.with_name(f"{file.parent.name}-moved"))
        shutil.copytree(moved, file.parent)
    elif replaced != "not at all":
        other = file.with_name("other")
        other.symlink_to("run") if replaced == "by a link" else other.write_text("locum://A\n")
        other.replace(file)
    said = entered(made, file.read_bytes)
    if replaced == "not at all":
        assert said == str(CONTENT)
    else:
        assert said == f"NotStarted: {file} was changed while you were asked: nothing was started 2"
        with pytest.raises(UsageProblem):
            made.check_unchanged()


def test_who_replaces_the_file_meanwhile_takes_the_copy_away_and_no_more(made: MountedFiles, file: Path) -> None:
    made.fill(0, SecretBytes(CONTENT))

    def replace() -> str:
        before = file.read_bytes()
        os.write(started[1], b"x")
        os.read(go_on[0], 1)
        return f"{before} {file.read_bytes()}"

    started, go_on = os.pipe(), os.pipe()
    after = b"locum://B\n"
    pid = os.fork()
    if pid == 0:
        os.read(started[0], 1)
        file.with_name("new").write_bytes(after)
        file.with_name("new").replace(file)
        os.write(go_on[1], b"x")
        os._exit(0)
    assert entered(made, replace) == f"{CONTENT!r} {after!r}"
    os.waitpid(pid, 0)


def test_a_file_that_changed_before_the_namespace_was_made_is_said(file: Path) -> None:
    template = read_template(str(file))
    file.with_name("new").write_text("locum://A\n")
    file.with_name("new").replace(file)
    with pytest.raises(UsageProblem) as caught:
        MountedFiles([template], file.parent / "run")
    assert caught.value.code == "render.changed"
    file.unlink()
    with pytest.raises(UsageProblem):
        MountedFiles([template], file.parent / "run")


def test_no_descriptor_of_it_is_inherited_and_none_stays_open(file: Path) -> None:
    before = set(Path("/proc/self/fd").iterdir())
    namespace = make(file)
    opened = [path for path in Path("/proc/self/fd").iterdir() if path not in before and path.exists()]
    assert len(opened) >= 2
    assert not any(os.get_inheritable(int(path.name)) for path in opened)
    namespace.close()
    namespace.close()
    assert set(Path("/proc/self/fd").iterdir()) == before


def test_a_folder_that_is_gone_is_said(made: MountedFiles, file: Path) -> None:
    gone = file.parent / "gone"
    gone.mkdir()

    def enter() -> None:
        os.chdir(gone)
        gone.rmdir()
        made.enter()

    assert in_child(enter) == "NotStarted: the namespace of --mount cannot be entered: no such file or directory 3"


def test_mounts_go_in_and_never_out(file: Path) -> None:
    """Where mounts are shared, as systemd makes them: what a person mounts is seen by the task, not the other way round."""
    if os.geteuid() != 0 or subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode:
        pytest.skip("only root may mount outside of a namespace of its own")
    script = (
        "import subprocess, sys; from pathlib import Path; sys.path[:0] = sys.argv[2:]; from test_mounted import entered, make; "
        "file = Path(sys.argv[1]); space = make(file); out = Path('/proc/self/mounts').read_text(); "
        "(file.parent / 'disk').mkdir(); subprocess.run(['mount', '-t', 'tmpfs', 'disk', file.parent / 'disk'], check=True); "
        "print('ramfs' in out, entered(space, lambda: 'disk ' in Path('/proc/self/mounts').read_text()))"
    )
    here = Path(__file__)
    command = [
        "unshare",
        "--mount",
        "--propagation",
        "shared",
        sys.executable,
        "-c",
        script,
        file,
        here.parent,
        here.parents[2],
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout == "False True\n", done.stderr


def forbid(*names: str) -> None:
    """Let the kernel refuse these calls from now on, as the filter of a container does."""
    numbers = {"x86_64": {"unshare": 272, "setns": 308}, "aarch64": {"unshare": 97, "setns": 268}}[platform.machine()]
    rows = [(0x20, 0, 0, 0)]  # load the number of the call
    for name in names:
        rows += [(0x15, 0, 1, numbers[name]), (0x06, 0, 0, 0x00050000 | errno.EPERM)]
    rows.append((0x06, 0, 0, 0x7FFF0000))
    code = b"".join(op.to_bytes(2, "little") + bytes((yes, no)) + k.to_bytes(4, "little") for op, yes, no, k in rows)
    program = ctypes.create_string_buffer(code)
    header = len(rows).to_bytes(8, "little") + ctypes.addressof(program).to_bytes(8, "little")
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(38, 1, 0, 0, 0) == 0
    assert libc.prctl(22, 2, header, 0, 0) == 0, os.strerror(ctypes.get_errno())


@pytest.mark.parametrize(
    ("calls", "said"),
    [
        (["unshare"], "the system, or the container that this runs in, forbids it"),
        (["setns"], "this system makes one, and lets nobody in"),
    ],
)
def test_where_a_filter_forbids_it_the_reason_is_said(file: Path, calls: list[str], said: str) -> None:
    if platform.machine() not in {"x86_64", "aarch64"}:
        pytest.skip("the numbers of the calls are not known")
    make(file).close()

    def attempt() -> str:
        forbid(*calls)
        with pytest.raises(Unavailable) as caught:
            MountedFiles([read_template(str(file))], file.parent / "run")
        assert caught.value.exit_code == 3
        return caught.value.explain()

    answer = in_child(attempt)
    assert said in answer
    assert "--render FILE" in answer
    assert list((file.parent / "run").iterdir()) == []


@pytest.mark.parametrize("allowed", ["0", "9"])
def test_root_of_a_container_without_the_right_to_mount(file: Path, allowed: str) -> None:
    """As in Docker: root may not mount. With user namespaces it works all the same; without, the switch is named."""
    script = (
        "import sys; from pathlib import Path; sys.path[:0] = sys.argv[2:]; from test_mounted import entered, make; "
        "file = Path(sys.argv[1]); print(entered(make(file), lambda: 'ramfs' in Path('/proc/self/mounts').read_text()))"
    )
    here = Path(__file__)
    line = f'echo {allowed} >/proc/sys/user/max_user_namespaces; exec setpriv --bounding-set=-sys_admin "$@"'
    command = ["unshare", "--user", "--map-root-user", "sh", "-c", line, "sh", sys.executable, "-c", script]
    done = subprocess.run([*command, file, here.parent, here.parents[2]], capture_output=True, text=True)
    if "unshare failed" in done.stderr:
        pytest.skip(done.stderr)
    if allowed == "9":
        assert done.stdout == "True\n", done.stderr
    else:
        assert "Unavailable" in done.stderr
        assert "user.max_user_namespaces is 0" in done.stderr


def test_a_switch_of_the_system_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    switch = tmp_path / "apparmor_restrict_unprivileged_userns"
    switch.write_text("1\n")
    monkeypatch.setattr(mounted, "_SWITCHES", ((str(tmp_path / "absent"), "0", "no"), (str(switch), "1", "AppArmor")))
    assert mounted._cause(OSError(errno.EACCES, "x")) == "AppArmor"
    switch.write_text("0\n")
    assert "forbids" in mounted._cause(OSError(errno.EPERM, "x"))
    assert mounted._cause(OSError(errno.ENOMEM, "Out of memory")) == "out of memory"


def test_elsewhere_than_on_linux_it_is_said(monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(Unavailable) as caught:
        MountedFiles([read_template(str(file))], file.parent / "run")
    assert "only Linux" in caught.value.message


def test_what_happens_in_the_child_is_told_as_it_is(tmp_path: Path) -> None:
    from locum.run.spawn import Placement, spawn

    def refuse() -> None:
        raise NotStarted("it is so", 3)

    with pytest.raises(NotStarted) as caught:
        spawn(b"/bin/true", ["true"], {}, Placement(0, 1, 2, True, None), refuse)
    assert (str(caught.value), caught.value.exit_code) == ("it is so", 3)
