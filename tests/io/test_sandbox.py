"""A parser that crashes, hangs or eats memory in the child is an error here; tables come back unchanged."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from genomap_core.data.message import Message
from genomap_core.data.table import OddCell, Source, Table, TextColumn
from genomap_core.errors import InputError, RefusedError
from genomap_core.io.sandbox import call as sandbox
from genomap_core.io.sandbox.call import run_in_child
from genomap_core.io.sandbox.limits import FileLimits
from genomap_core.io.sandbox.transfer import load_answer, save_answer

_START = sandbox._START.replace(
    "from genomap_core.io.sandbox.child import main", "import genomap_core.io.sandbox.child as c; main = c.main"
)


@pytest.fixture
def trick(tmp_path, monkeypatch):
    """Let the child run a function of ours instead of a reader."""

    def prepare(body: str):
        module = tmp_path / "tricks.py"
        module.write_text(f"def trick(path, *, limits):\n    {body}\n")
        start = _START.replace(
            "; sys.exit", f"; sys.path.append({str(tmp_path)!r}); c.JOBS['trick'] = 'tricks:trick'; sys.exit"
        )
        monkeypatch.setattr(sandbox, "_START", start)
        return tmp_path / "tricks.py"

    return prepare


def run(path, **limits):
    with run_in_child("trick", path, {}, FileLimits(**limits)) as folder:
        return load_answer(folder)


def test_a_segmentation_fault_is_an_error(trick):
    path = trick("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    with pytest.raises(InputError, match=r"damaged.*SIGSEGV"):
        run(path)


def test_an_exception_is_told_by_its_name_only(trick):
    path = trick("raise KeyError('DOE JOHN 1970')")
    with pytest.raises(InputError, match="KeyError") as caught:
        run(path)
    assert "DOE" not in str(caught.value)


@pytest.mark.parametrize("what", ["bytearray(3 << 30)", "numpy.ones(3 << 27)", "pyarrow.allocate_buffer(3 << 30)"])
def test_too_much_memory_is_refused(trick, what):
    path = trick(f"import numpy, pyarrow; return {what}")
    with pytest.raises(RefusedError, match="more memory than the limit"):
        run(path, memory=1 << 30)


def test_too_much_time_is_refused_and_the_process_is_gone(trick, tmp_path):
    path = trick(f"import os, time; open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); time.sleep(600)")
    with pytest.raises(RefusedError, match="longer to read than the limit of 4 seconds"):
        run(path, seconds=4)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_our_own_errors_pass_through(trick):
    path = trick("from genomap_core.errors import RefusedError; raise RefusedError('too bad')")
    with pytest.raises(RefusedError, match=r"^too bad$"):
        run(path)


def test_the_child_sees_no_variable_of_this_process(trick, monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", "abc")
    path = trick(
        "import os; from genomap_core.data.message import Message; return (Message('ok', 'x', ' '.join(os.environ)),)"
    )
    assert "SECRET_TOKEN" not in run(path)[0].text


def test_the_child_loads_neither_torch_nor_pandas_nor_scipy():
    code = (
        "import sys; from genomap_core.io.sandbox.startup import without_pandas; without_pandas();"
        "import genomap_core.io.sandbox.child, genomap_core.io.sandbox.transfer, genomap_core.io.tables.excel;"
        "import genomap_core.io.tables.parquet, genomap_core.io.inspect;"
        "print(sorted({'torch', 'pandas', 'scipy', 'streamlit', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.skipif(sys.platform != "linux", reason="the parent's death is told on Linux only")
def test_no_child_outlives_its_parent(tmp_path):
    code = (
        "import os, sys, time; from genomap_core.io.sandbox.child import _die_with_parent;"
        "pid = os.fork();\n"
        "if pid == 0:\n    _die_with_parent(); open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(60)\n"
        "else:\n    time.sleep(1.5); os.kill(os.getpid(), 9)"
    )
    place = tmp_path / "pid"
    done = subprocess.run([sys.executable, "-c", code, str(place)], check=False, timeout=30)
    assert done.returncode == -signal.SIGKILL
    pid = int(place.read_text())
    deadline = time.monotonic() + 20
    while _runs(pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not _runs(pid)


def _runs(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] not in "ZX"
    except OSError:
        return False


@pytest.mark.parametrize("sparse", [False, True])
def test_a_table_comes_back_unchanged(tmp_path, sparse):
    numbers = np.array([[1, np.nan, 0], [0, 2, 3]], np.float32)
    table = Table(
        name="t",
        columns=("id", "a", "", "a"),
        numbers=sp.csr_matrix(numbers) if sparse else numbers,
        number_at=np.array([1, 2, 3]),
        texts={0: TextColumn.of(["ä", None])},
        rows=np.array([2, 5], np.int32),
        odd=(OddCell(0, 2, "high"),),
        annotations=frozenset({1}),
        messages=(Message("warn", "x", "text", "a", 2, "v", "mend"),),
        source=Source("h5ad", layers=("counts",)),
    )
    save_answer(table, tmp_path)
    back = load_answer(tmp_path)
    assert (back.name, back.columns, back.odd, back.messages) == (table.name, table.columns, table.odd, table.messages)
    assert (back.annotations, back.source) == (table.annotations, table.source)
    assert back.texts[0].values() == ["ä", None]
    got = back.numbers.toarray() if sparse else back.numbers
    np.testing.assert_array_equal(got, numbers)
    assert not list(tmp_path.glob("*.pkl"))
