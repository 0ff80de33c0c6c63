"""Where bundles run: one after the other here, or on the workers of dask.distributed. Swapping it loses no result."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Thread
from typing import Any

from genomap_core.benchmark.bundle import STOPPING, Order, run_bundle
from genomap_core.errors import GenomapError, InputError

CONNECT_SECONDS = 20.0
ENGINES = ("dask", "serial")
Submit = Callable[[Order], "Future[int]"]
"""Takes a bundle's order; the future gives what :func:`run_bundle` gives. Every engine is one context manager of it."""


class EngineError(GenomapError):
    """The workers can't be reached, or none fits; the results so far are safe."""


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """How many runs go on at a time, and where.

    Parameters
    ----------
    name
        ``dask`` or ``serial``.
    workers
        Bundles at a time on this machine.
    scheduler
        Address of a running Dask scheduler, such as ``tcp://10.0.0.1:8786``; None: workers of our own on this machine.
    gpus
        Bundles at a time that need a GPU, on this machine.
    """

    name: str = "dask"
    workers: int = 1
    scheduler: str | None = None
    gpus: int = 0

    def __post_init__(self) -> None:
        if self.name not in ENGINES:
            raise InputError(f"`--engine` must be one of {', '.join(ENGINES)}, got {self.name!r}.")
        if self.workers < 1:
            raise InputError(f"`--workers` must be at least 1, got {self.workers}.")


@contextmanager
def open_engine(config: EngineConfig) -> Iterator[Submit]:
    """Start it, hand out ``submit``, and on the way out end everything that still runs in this process."""
    STOPPING.clear()
    with _serial() if config.name == "serial" else _dask(config) as submit:
        yield submit


@contextmanager
def _serial() -> Iterator[Submit]:
    waiting: list[tuple[Order, Future[int]]] = []

    def work() -> None:
        for order, future in iter(lambda: waiting.pop(0) if waiting else None, None):
            if STOPPING.is_set() or not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(run_bundle(order))
            except BaseException as error:  # noqa: BLE001 - it is raised where the result is asked for
                future.set_exception(error)

    thread = Thread(target=work, daemon=True)  # a pool's threads would be waited for when the program is interrupted

    def submit(order: Order) -> Future[int]:
        nonlocal thread
        future: Future[int] = Future()
        waiting.append((order, future))
        if not thread.is_alive():
            thread = Thread(target=work, daemon=True)
            thread.start()
        return future

    try:
        yield submit
    finally:
        STOPPING.set()
        thread.join(timeout=10)


@contextmanager
def _dask(config: EngineConfig) -> Iterator[Submit]:
    import dask
    from distributed import Client

    # A worker's death is the study's daily bread: give its bundle to another, also when that happens often.
    dask.config.set({"distributed.scheduler.allowed-failures": 20, "distributed.admin.tick.limit": "1h"})
    with _cluster(config) as address, _connected(Client, address) as client:
        if config.scheduler and config.gpus and not _has_gpu(client):
            raise EngineError(
                f"No worker of {config.scheduler} offers a GPU: start one with `dask worker ... --resources GPU=1`."
            )
        plain, gpu = (client.get_executor(pure=False, retries=20, **r) for r in ({}, {"resources": {"GPU": 1}}))
        try:
            yield lambda order: (gpu if order.bundle.needs_gpu else plain).submit(run_bundle, order)
        finally:
            STOPPING.set()  # before the cluster closes: it waits for its threads


@contextmanager
def _cluster(config: EngineConfig) -> Iterator[Any]:
    """An address to connect to; our own cluster lives in this process and accepts no connections."""
    if config.scheduler:
        yield config.scheduler
        return
    from distributed import LocalCluster

    with LocalCluster(
        processes=False,  # threads: the work is done by the child processes of run_bundle
        n_workers=1,
        threads_per_worker=config.workers,
        resources={"GPU": config.gpus} if config.gpus else None,
        dashboard_address="127.0.0.1:0",
        worker_dashboard_address="127.0.0.1:0",
        memory_limit=0,
        silence_logs=50,
    ) as cluster:
        yield cluster


@contextmanager
def _connected(make: Callable[..., Any], address: Any) -> Iterator[Any]:
    try:
        client = make(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, TimeoutError) as error:
        raise EngineError(f"No Dask scheduler answers at {address}: {error}.") from error
    try:
        yield client
    finally:
        client.close(timeout=2)


def _has_gpu(client: Any) -> bool:
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    return any(w.get("resources", {}).get("GPU", 0) >= 1 for w in workers)
