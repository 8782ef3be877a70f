# SPDX-License-Identifier: Apache-2.0
"""Processes of the peers: started, talked to line by line, ended; each one result or one failure."""

import hashlib
import importlib.metadata
import json
import os
import select
import shutil
import subprocess
import sys
import time
from array import array
from dataclasses import dataclass

from catalogue import Peer
from sets import VectorSet

HERE = os.path.dirname(os.path.abspath(__file__))
# One query thread: all run on one core, and libraries that start a team of threads are told not to.
# (Not TOKIO_WORKER_THREADS=1 with LANCE_IO_THREADS=1: LanceDB then waits for itself for ever.)
ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS",
                                     "RAYON_NUM_THREADS", "NUMEXPR_NUM_THREADS")}
# Set on some machines for old builds of OpenBLAS; they slow a new one.
UNSET = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
ANSWER_SECONDS = 600  # for anything but a build


class PeerFailed(Exception):
    """A peer that does not load, does not answer or says no, in its own words."""


@dataclass(frozen=True)
class Place:
    """Where things are on this machine."""

    out: str            # build/bench
    programs: tuple[str, ...]  # folders of compiled drivers
    core: int           # all peers run on this one
    timeout_s: int      # for a build

    def program(self, name: str) -> str:
        """A compiled driver. PeerFailed where it was not built."""
        for folder in self.programs:
            if os.path.exists(f"{folder}/{name}"):
                return f"{folder}/{name}"
        log = f"{self.out}/bin/{name}.log"
        tail = open(log, encoding="utf-8").read()[-300:] if os.path.exists(log) else ""
        raise PeerFailed(f"{name} was not built {tail}".strip())


def versions(peer: Peer) -> dict[str, str]:
    """Versions of the packages of a peer that are installed."""
    found = {}
    for package in peer.packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


def _source(place: Place, peer: Peer) -> list[str]:
    kind, name = peer.driver.split(":")
    if kind == "compiled":
        return [place.program(name)]
    return [f"{HERE}/engines/{name}.py", f"{HERE}/worker.py"]


def fingerprint(place: Place, peer: Peer) -> str:
    """Changes with whatever may change a measurement: program, packages, settings."""
    digest = hashlib.sha256(json.dumps([peer.config, versions(peer)], sort_keys=True).encode())
    for path in _source(place, peer):
        with open(path, "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()[:12]


def index_path(place: Place, peer: Peer, vectors: VectorSet, rows: int) -> str:
    """Where the built index is kept: it may be a file or a folder."""
    folder = f"{place.out}/indexes/{vectors.identity}-{rows}"
    return f"{folder}/{peer.name}-{fingerprint(place, peer)}"


def path_bytes(path: str) -> int:
    """Size of a file, or of all files of a folder."""
    if os.path.isfile(path):
        return os.path.getsize(path)
    return sum(os.path.getsize(os.path.join(folder, name))
               for folder, _, names in os.walk(path) for name in names)


def remove_index(path: str) -> None:
    for each in (path, path + ".built"):
        if os.path.isdir(each):
            shutil.rmtree(each)
        elif os.path.exists(each):
            os.remove(each)


def drop_older(path: str, peer: Peer) -> None:
    """Removes indexes of the same peer and rows that another version built."""
    folder = os.path.dirname(path)
    for name in os.listdir(folder) if os.path.isdir(folder) else []:
        stem = name.removesuffix(".built")
        if stem.rpartition("-")[0] == peer.name and stem != os.path.basename(path):
            remove_index(f"{folder}/{stem}")


class Session:
    """One running peer on one set."""

    def __init__(self, place: Place, peer: Peer, vectors: VectorSet, rows: int, k: int,
                 index: str) -> None:
        self.peer, self.k = peer, k
        os.makedirs(os.path.dirname(index), exist_ok=True)
        os.makedirs(f"{place.out}/log", exist_ok=True)
        name = peer.driver.split(":")[1]
        self.log = f"{place.out}/log/{peer.name}.log"
        program = ([place.program(name)] if peer.driver.startswith("compiled:")
                   else [sys.executable, f"{HERE}/worker.py", name])
        self.out = f"{place.out}/log/{peer.name}.pass"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [*program, "--set", vectors.folder, "--index", index, "--rows", str(rows), "--k",
                 str(k), "--metric", vectors.metric,
                 *(word for pair in peer.config.items() for word in ("--config", "%s=%s" % pair))],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=self._environment(),
                preexec_fn=lambda: os.sched_setaffinity(0, {place.core}))
        self.pending = b""
        try:
            self.facts = self._reply(place.timeout_s)
        except PeerFailed:
            self.close()
            raise

    @staticmethod
    def _environment() -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name not in UNSET}
        return {**kept, **ONE_THREAD, "PYTHONDONTWRITEBYTECODE": "1"}

    def _last_words(self) -> str:
        with open(self.log, encoding="utf-8", errors="replace") as log:
            lines = [line.strip() for line in log if line.strip()]
        return f": {lines[-1]}" if lines else ""

    def _reply(self, timeout_s: int) -> dict:
        deadline = time.monotonic() + timeout_s
        while b"\n" not in self.pending:
            ready, _, _ = select.select([self.process.stdout], [], [],
                                        max(0.0, deadline - time.monotonic()))
            if not ready:
                self.process.kill()
                raise PeerFailed(f"no answer in {timeout_s} s")
            chunk = os.read(self.process.stdout.fileno(), 65536)
            if not chunk:
                code = self.process.wait()
                raise PeerFailed(f"ended with code {code}{self._last_words()}")
            self.pending += chunk
        line, _, self.pending = self.pending.partition(b"\n")
        answer = json.loads(line)
        if not answer.pop("ok"):
            raise PeerFailed(answer["error"])
        return answer

    def ask(self, command: str) -> dict:
        """Sends one command; its answer. PeerFailed when there is none."""
        try:
            self.process.stdin.write(command.encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise PeerFailed(f"is gone{self._last_words()}") from None
        return self._reply(ANSWER_SECONDS)

    def one_pass(self, ef: int, queries: int) -> tuple[array, array, int]:
        """Ids (k a query), nanoseconds of each call, queries a call."""
        answer = self.ask(f"run {ef} {queries} {self.out}")
        count, batch = answer["queries"], answer["batch"]
        ids, spent = array("q"), array("q")
        with open(self.out, "rb") as file:
            ids.fromfile(file, count * self.k)
            spent.fromfile(file, -(-count // batch))
        return ids, spent, batch

    def close(self) -> None:
        self.process.stdin.close()
        try:
            self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
