"""A Streamlit server in a private home, and a watch over every request that the browser makes."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import psutil
from playwright.sync_api import BrowserContext

ROOT = Path(__file__).parents[2]
MARK = "GENOMAP_BROWSER_TEST"
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Whatever a page asks for, nothing leaves this machine; the watch still sees that it asked.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)
LOCAL_SCHEMES = {"data", "blob", "about", "chrome", "devtools", "file"}
LOCAL_HOSTS = {"127.0.0.1", "localhost"}


def is_foreign(url: str) -> bool:
    """Whether a request leaves this machine."""
    parts = urlsplit(url)
    return parts.scheme not in LOCAL_SCHEMES and parts.hostname not in LOCAL_HOSTS


@dataclass
class NetworkWatch:
    """All requests of a browser context, web sockets included."""

    urls: list[str] = field(default_factory=list)

    def attach(self, context: BrowserContext) -> None:
        """Listen to every page that the context has or gets."""
        context.on("request", lambda request: self.urls.append(request.url))
        context.on("page", lambda page: page.on("websocket", lambda ws: self.urls.append(ws.url)))

    @property
    def foreign(self) -> list[str]:
        """What left this machine, or tried to."""
        return [url for url in self.urls if is_foreign(url)]


class AppServer:
    """``streamlit run`` of one script on a free port of 127.0.0.1, as a user would start it.

    ``url`` is its address, ``home`` its ``GENOMAP_HOME``, ``log`` its output. It can be killed and started again on the
    same home and port, as a crashed server is.
    """

    def __init__(self, script: Path, home: Path, environment: dict[str, str] | None = None) -> None:
        self.script, self.home = script, home
        home.mkdir(parents=True, exist_ok=True)
        self.log = home / "server.log"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._mark = uuid.uuid4().hex
        self._environment = os.environ | {"GENOMAP_HOME": str(home), MARK: self._mark} | (environment or {})
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> AppServer:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self, seconds: float = 60.0) -> AppServer:
        """Start the server and wait until it answers; its log is in the message if it does not."""
        began = time.monotonic()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "streamlit", "run", str(self.script), f"--server.port={self.port}"],
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() - began > seconds:
                raise RuntimeError(f"the server did not start:\n{self.log.read_text()[-4000:]}")
            time.sleep(0.05)
        return self

    def kill(self) -> None:
        """``kill -9`` to the server alone: its workers live on."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def close(self) -> None:
        """End the server as Ctrl-C does, then every process that it left."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=10)
            self.kill()
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                process.kill()

    def processes(self) -> list[psutil.Process]:
        """Every live process that this server started, at whatever remove, and the server itself."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                alive = process.status() != psutil.STATUS_ZOMBIE
                if alive and process.environ().get(MARK) == self._mark:
                    found.append(process)
        return found

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=2) as answer:
                return answer.status == 200
        except OSError:
            return False


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def artifact(name: str) -> Path:
    """Where a test may leave a picture: ``test-artifacts/``, which git ignores."""
    folder = ROOT / "test-artifacts"
    folder.mkdir(exist_ok=True)
    return folder / re.sub(r"[^\w.\-]+", "_", name)
