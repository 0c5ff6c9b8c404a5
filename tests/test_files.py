"""Files: whole or as they were, through links, into pipes, after a kill; and no other writer."""

from __future__ import annotations

import ast
import errno
import os
import re
import stat
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path

import joblib
import numpy as np
import pytest

import sklearn_dnn
from sklearn_dnn import MLPRegressor, _files
from sklearn_dnn._files import check_writable, replacing, sweep
from sklearn_dnn.callbacks import Checkpoint, CSVLogger, History
from sklearn_dnn.model_selection import GridSearchCV

resource = pytest.importorskip("resource", reason="pipes, links and limits are those of POSIX")
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

PACKAGE = Path(sklearn_dnn.__file__).parent
# The writer alone, without the second that the package takes to import.
ALONE = f"""
import importlib.util, os, signal, sys
spec = importlib.util.spec_from_file_location("files", {str(PACKAGE / "_files.py")!r})
files = importlib.util.module_from_spec(spec)
spec.loader.exec_module(files)
"""


def write(path, content=b"new"):
    with replacing(path) as file:
        file.write(content)


def run(program, *arguments, **options):
    command = [sys.executable, "-c", ALONE + program, *map(str, arguments)]
    return subprocess.run(command, check=False, capture_output=True, **options)


@contextmanager
def nobody():
    """Without root's rights, which no mode of a file stops."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_folder():
    """A folder that nobody may reach, too."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        yield Path(name)


@contextmanager
def small_disk(n_bytes):
    """No file may grow beyond a size, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


# What stands where, with which rights.


def test_a_new_file_has_the_mode_of_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        write(tmp_path / "m")
        assert os.umask(0o027) == 0o027  # read, and not set
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "m").stat().st_mode) == 0o640
    assert (tmp_path / "m").read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["m"]


@pytest.mark.parametrize("mode", [0o600, 0o604, 0o664, 0o755])
def test_the_mode_of_the_old_file_is_kept(tmp_path, mode):
    path = tmp_path / "m"
    path.write_bytes(b"old")
    path.chmod(mode)
    write(path)
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"new", mode)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_the_owner_of_the_old_file_is_kept(tmp_path):
    path = tmp_path / "m"
    path.write_bytes(b"old")
    os.chown(path, 1234, 4321)
    write(path)
    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 4321)


@pytest.mark.parametrize("exists", [True, False])
def test_links_stay_links_and_what_they_lead_to_is_written(tmp_path, exists):
    (tmp_path / "far").mkdir()
    real = tmp_path / "far" / "real"
    if exists:
        real.write_bytes(b"old")
        real.chmod(0o604)
    (tmp_path / "link").symlink_to(Path("far") / "real")  # dangling where there is nothing yet
    (tmp_path / "again").symlink_to("link")
    write(tmp_path / "again")
    assert real.read_bytes() == b"new"
    assert not real.is_symlink()
    assert (tmp_path / "again").is_symlink()
    assert (tmp_path / "link").is_symlink()
    assert sorted(os.listdir(tmp_path)) == ["again", "far", "link"]
    assert os.listdir(tmp_path / "far") == ["real"]


def test_another_name_of_the_file_keeps_what_is_in_it(tmp_path):
    (tmp_path / "table").write_bytes(b"the only copy")
    os.link(tmp_path / "table", tmp_path / "out")
    write(tmp_path / "out")
    assert (tmp_path / "table").read_bytes() == b"the only copy"
    assert (tmp_path / "out").read_bytes() == b"new"


@pytest.mark.parametrize(
    "name", ["[ab]*?.json", "a\nb", " -x ", ".hidden", "x.tmp", "n" * 255, "\N{GRINNING FACE}" * 63]
)
def test_any_name_will_do(tmp_path, name):
    path = tmp_path / name
    for content in (b"first", b"second"):
        write(path, content)
        assert os.listdir(tmp_path) == [name]
        assert path.read_bytes() == content


# What can't be written.


def bad_places(folder):
    (folder / "file").write_bytes(b"old")
    (folder / "loop").symlink_to("loop")
    (folder / "lost").symlink_to(folder / "nowhere" / "m")
    return {
        folder / "nowhere" / "m": errno.ENOENT,
        folder / "lost": errno.ENOENT,
        folder: errno.EISDIR,
        folder / "file" / "m": errno.ENOTDIR,
        folder / "loop": errno.ELOOP,
        folder / ("n" * 300): errno.ENAMETOOLONG,
    }


def test_errors_name_the_file_that_was_asked_for_before_anything_is_written(tmp_path):
    for path, number in bad_places(tmp_path).items():
        for attempt in (write, check_writable):
            with pytest.raises(OSError, match=r"\[Errno") as error:
                attempt(path)
            assert (error.value.errno, error.value.filename) == (number, str(path))
    assert sorted(os.listdir(tmp_path)) == ["file", "loop", "lost"]


def test_a_read_only_file_and_a_read_only_folder_are_refused(open_folder):
    locked = open_folder / "locked"
    locked.mkdir()
    for path in (open_folder / "m", locked / "m"):
        path.write_bytes(b"old")
    (open_folder / "m").chmod(0o444)
    (locked / "m").chmod(0o666)
    locked.chmod(0o555)
    for path in (open_folder / "m", locked / "m", locked / "new"):
        for attempt in (write, check_writable):
            with nobody(), pytest.raises(PermissionError) as error:
                attempt(path)
            assert error.value.filename == str(path)
    assert (open_folder / "m").read_bytes() == (locked / "m").read_bytes() == b"old"
    assert os.listdir(locked) == ["m"]
    locked.chmod(0o755)


def breaks(path, error):
    with replacing(path) as file:
        file.write(b"half")
        file.flush()
        raise error


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, MemoryError])
def test_an_error_while_writing_leaves_the_file_as_it_was(tmp_path, error):
    for name, before in (("old", [b"old"]), ("new", [])):
        path = tmp_path / name
        for content in before:
            path.write_bytes(content)
        with pytest.raises(error):
            breaks(path, error)
        assert [path.read_bytes() for _ in before] == before
    assert os.listdir(tmp_path) == ["old"]


@pytest.mark.parametrize("content", [b"x" * 2000, b"x" * 200_000])
def test_a_full_disk_leaves_the_file_as_it_was(tmp_path, content):
    path = tmp_path / "m"
    path.write_bytes(b"old")
    with small_disk(1024), pytest.raises(OSError, match="File too large") as error:
        write(path, content)
    assert error.value.filename == str(path)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["m"]


def test_checking_changes_nothing(tmp_path):
    (tmp_path / "m").write_bytes(b"old")
    before = (tmp_path / "m").stat()
    check_writable(tmp_path / "m")
    check_writable(tmp_path / "new")
    check_writable("/dev/null")
    assert (tmp_path / "m").stat() == before
    assert os.listdir(tmp_path) == ["m"]


# Pipes and devices.


def test_a_named_pipe_stays_one(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    check_writable(path)  # which doesn't wait for a reader
    read = []
    reader = threading.Thread(target=lambda: read.append(path.read_bytes()))
    reader.start()
    write(path)
    reader.join()
    assert read == [b"new"]
    assert stat.S_ISFIFO(path.stat().st_mode)


def test_devices_stay_devices_and_a_full_one_is_told():
    for name in ("/dev/null", "/dev/full"):
        before = os.stat(name)
        if name == "/dev/null":
            write(name)
        else:
            with pytest.raises(OSError, match=r"No space left on device.*/dev/full"):
                write(name)
        assert os.path.samestat(os.stat(name), before)
    assert not [name for name in os.listdir("/dev") if name.endswith(".tmp")]


PRINTS = """
print("before")
with files.replacing(sys.argv[1]) as file:
    file.write(b"within\\n")
print("behind")
"""


@pytest.mark.parametrize("how", ["w", "a"])
def test_the_standard_output_goes_on_where_it_leads_to_a_file(tmp_path, how):
    for name in ("/dev/stdout", "/dev/fd/1", tmp_path / "out"):
        (tmp_path / "out").write_text("old\n")
        with (tmp_path / "out").open(how) as out:
            command = [sys.executable, "-c", ALONE + PRINTS, str(name)]
            subprocess.run(command, check=True, stdout=out)
        old = "old\n" if how == "a" else ""
        assert (tmp_path / "out").read_text() == f"{old}before\nwithin\nbehind\n"
        assert os.listdir(tmp_path) == ["out"]


def test_a_descriptor_that_was_passed_on_is_written(tmp_path):
    with (tmp_path / "out").open("wb") as out:
        done = run(PRINTS, f"/dev/fd/{out.fileno()}", pass_fds=[out.fileno()])
        out.write(b"behind")
    assert done.stdout == b"before\nbehind\n", done.stderr
    assert (tmp_path / "out").read_bytes() == b"within\nbehind"


# Kills, and writers beside each other.

DIES = """
with files.replacing(sys.argv[1]) as file:
    file.write(b"half")
    file.flush()
    os.kill(os.getpid(), getattr(signal, sys.argv[2]))
"""


@pytest.mark.parametrize("how", ["SIGKILL", "SIGTERM"])
def test_a_kill_leaves_the_file_as_it_was_and_the_next_writer_sweeps(tmp_path, how):
    path = tmp_path / "m[1].joblib"
    path.write_bytes(b"old")
    assert run(DIES, path, how).returncode < 0
    assert path.read_bytes() == b"old"
    assert len(os.listdir(tmp_path)) == 2
    write(tmp_path / "other")
    assert sorted(os.listdir(tmp_path)) == [path.name, "other"]


def test_sweeping_takes_only_what_nobody_writes(tmp_path):
    others = [
        ".m.12345678.tmp", ".m.1234abcd.tmp", "m.1234abcd.sklearn-dnn.tmp", ".m.sklearn-dnn.tmp",
        ".m.1234abcd.sklearn-dnn.tmp.gz", ".m.1234ABCD.sklearn-dnn.tmp",
    ]  # fmt: skip
    for name in others:
        (tmp_path / name).write_bytes(b"mine")
    folder = ".m.1234abcd.sklearn-dnn.tmp"
    (tmp_path / folder).mkdir()
    with replacing(tmp_path / "m") as file:
        file.write(b"whole")
        sweep(tmp_path)
        write(tmp_path / "n")
    sweep(tmp_path / "nowhere")
    assert sorted(os.listdir(tmp_path)) == sorted([*others, folder, "m", "n"])
    assert (tmp_path / "m").read_bytes() == b"whole"


def test_of_two_writers_the_last_to_end_counts(tmp_path):
    path = tmp_path / "m"
    with replacing(path) as slow:
        slow.write(b"slow")
        with replacing(path) as quick:
            quick.write(b"quick")
        assert path.read_bytes() == b"quick"
    assert path.read_bytes() == b"slow"
    assert os.listdir(tmp_path) == ["m"]


def test_a_file_swept_before_it_is_locked_is_made_again(tmp_path, monkeypatch):
    lock, swept = _files._lock, []

    def first_is_swept(file, *, wait):
        if not swept:
            swept.append(file.name)
            os.unlink(file.name)
        lock(file, wait=wait)

    monkeypatch.setattr(_files, "_lock", first_is_swept)
    write(tmp_path / "m")
    assert len(swept) == 1
    assert (tmp_path / "m").read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["m"]


def test_without_locks_files_are_written_and_nothing_is_swept(tmp_path, monkeypatch):
    def no_locks(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(_files.fcntl, "flock", no_locks)
    with replacing(tmp_path / "m") as file:
        write(tmp_path / "n")
        file.write(b"whole")
    assert (tmp_path / "m").read_bytes() == b"whole"
    assert sorted(os.listdir(tmp_path)) == ["m", "n"]


# Who writes files.


def killed_before(folder, name="m"):
    assert run(DIES, folder / name, "SIGKILL").returncode < 0
    left = [name for name in os.listdir(folder) if name.endswith(".tmp")]
    assert len(left) == 1


@pytest.fixture(scope="module")
def small():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 3))
    return X, X[:, 0]


def test_checkpoints_of_epochs_and_of_searches_sweep(tmp_path, small):
    killed_before(tmp_path)
    network = MLPRegressor((3,), max_iter=2, random_state=0)
    network.set_callbacks(Checkpoint(tmp_path / "{epoch}.joblib")).fit(*small)
    assert sorted(os.listdir(tmp_path)) == ["1.joblib", "2.joblib"]

    killed_before(tmp_path)
    network = MLPRegressor((3,), max_iter=2, random_state=0)
    GridSearchCV(network, {"alpha": [0.1, 1.0]}, cv=2, checkpoint=tmp_path).fit(*small)
    assert not [name for name in os.listdir(tmp_path) if name.endswith(".tmp")]


def test_a_checkpoint_on_a_full_disk_leaves_that_of_before(tmp_path, small):
    path = tmp_path / "m.joblib"
    MLPRegressor((3,), max_iter=1).set_callbacks(Checkpoint(path)).fit(*small)
    before = path.read_bytes()
    broken = MLPRegressor((100,), max_iter=1).set_callbacks(Checkpoint(path))
    with small_disk(len(before)), pytest.raises(OSError, match=r"m\.joblib"):
        broken.fit(*small)
    assert path.read_bytes() == before
    assert joblib.load(path).hidden_layer_sizes == (3,)


def test_a_log_is_begun_anew_only_where_it_can_be(tmp_path, small):
    path = tmp_path / "log.csv"
    path.write_text("of last night\n" * 5)
    with small_disk(10), pytest.raises(OSError, match=r"log\.csv"):
        MLPRegressor((3,), max_iter=1).set_callbacks(CSVLogger(path)).fit(*small)
    assert path.read_text() == "of last night\n" * 5


def test_rows_behind_a_line_that_was_cut_off_are_read(tmp_path, small):
    path = tmp_path / "rows.jsonl"
    network = MLPRegressor((3,), max_iter=2, random_state=0).set_callbacks(History(path))
    network.fit(*small)
    whole = path.read_bytes()
    path.write_bytes(whole[:-30])  # a kill or a full disk within the second row
    network.fit(*small)
    with pytest.warns(UserWarning, match="cut off.*: 2"):
        frame = History(path).frame()
    assert list(frame["epoch"]) == [1, 1, 2]
    assert frame["loss"].notna().all()


IN_PLACE = {
    "write_text", "write_bytes", "savefig", "to_csv", "to_parquet", "to_json", "to_pickle",
    "to_excel", "to_feather", "to_html", "dump", "save", "savez", "savez_compressed", "savetxt",
    "tofile", "save_file", "memmap", "mkstemp", "NamedTemporaryFile",
}  # fmt: skip
# Lines are added at the end of a log, which is the user's wish, and one write each.
ADDS_LINES = ("callbacks/_records.py", "append")


def test_of_several_processes_one_begins_a_file(tmp_path, monkeypatch):
    path = tmp_path / "rows.csv"
    another = b"a,b\n1,2\n"  # what a process that is sooner writes
    monkeypatch.setattr(_files, "_lock", lambda *_, **__: path.write_bytes(another))
    _files.begin_once(path, b"a,b\n")
    assert path.read_bytes() == another
    monkeypatch.undo()
    for _ in range(2):
        _files.begin_once(tmp_path / "other.csv", b"a,b\n")
    assert (tmp_path / "other.csv").read_bytes() == b"a,b\n"


def writes_in_place(source):
    """(function, line) of each call that writes to a file otherwise than by `replacing`."""
    found = []

    def handles(node):
        """Names that a `with replacing(...) as NAME`, or a buffer in memory, gives."""
        if isinstance(node, ast.With | ast.AsyncWith):
            for item in node.items:
                call = item.context_expr
                if isinstance(call, ast.Call) and ast.unparse(call.func) == "replacing":
                    yield ast.unparse(item.optional_vars)
        is_made = isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)
        if is_made and ast.unparse(node.value.func).endswith(("StringIO", "BytesIO")):
            yield from map(ast.unparse, node.targets)

    def visit(node, function, known):
        if isinstance(node, ast.FunctionDef):
            function = node.name
            known = known | {name for inner in ast.walk(node) for name in handles(inner)}
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func).split(".")[-1]
            given = [ast.unparse(argument) for argument in node.args]
            given += [
                ast.unparse(k.value) for k in node.keywords if k.arg in {"path_or_buf", "buf"}
            ]
            if name in {"open", "fdopen"}:
                texts = [a.value for a in ast.walk(node) if isinstance(a, ast.Constant)]
                modes = [t for t in texts if isinstance(t, str) and t and set(t) <= set("rwabxt+U")]
                copied = given and given[0].startswith("os.dup(")  # what already is open
                if not copied and any(set(mode) & set("wax+") for mode in modes):
                    found.append((function, node.lineno))
            elif name in IN_PLACE and given and not set(given) & known:
                found.append((function, node.lineno))
        for child in ast.iter_child_nodes(node):
            visit(child, function, known)

    if re.search(rf"\b({'|'.join([*IN_PLACE, 'open', 'fdopen'])})\(", source):
        visit(ast.parse(source), "", frozenset())
    return found


def test_what_writes_in_place_is_seen():
    bad = [
        "open(p, 'w')", "p.open('ab')", "open(p, mode='r+b')", "p.write_text('x')",
        "frame.to_csv(path)", "joblib.dump(m, path)", "pickle.dump(m, open(p, 'wb'))",
        "figure.savefig('x.png')", "np.save(p, a)", "comparison.to_html(path)",
        "os.fdopen(3, 'wb')",
    ]  # fmt: skip
    for call in bad:
        assert writes_in_place(f"def f():\n    {call}"), call
    good = [
        "open(p)", "p.open('rb')", "gzip.open(p, 'rt')", "frame.to_csv(index=False)",
        "with replacing(p) as file:\n        joblib.dump(m, file)",
        "buffer = io.StringIO()\n    figure.savefig(buffer, format='svg')",
    ]  # fmt: skip
    for call in good:
        assert not writes_in_place(f"def f():\n    {call}"), call


def test_nothing_in_the_package_writes_a_file_in_place():
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        if name == "_files.py":
            continue
        for function, line in writes_in_place(path.read_text()):
            passed_on = (name, function) == ("cli.py", "_write")  # `to_html` itself replaces
            assert passed_on or (name, function) == ADDS_LINES, f"{name}:{line} ({function})"
