# SPDX-License-Identifier: Apache-2.0
"""What is measured: builds one by one; then all peers turn by turn, round by round; then changes.

In a block every peer has its index loaded, and round r runs each (peer, ef) once, so all of them see
the same minutes of the machine. A block is measured as a whole or not at all.
"""

import shutil
import statistics
import sys
import time
from array import array
from dataclasses import dataclass, field

import exact
import session
from catalogue import Peer
from session import PeerFailed, Place, Session
from sets import VectorSet
from store import Store

PASS_SECONDS = 2.0  # a slower peer is asked fewer queries
QUICK_SECONDS = 0.5  # a pass that takes less is done twice, and the second counts
FEWEST_QUERIES = 50
BATCH = 10          # rows of one change, then a query


@dataclass
class Bench:
    """One run: where, how, and what failed."""

    place: Place
    store: Store
    k: int = 10
    rounds: int = 5
    queries: int = 1000
    failures: list[dict] = field(default_factory=list)

    def say(self, text: str) -> None:
        print(f"bench_peers: {text}", file=sys.stderr, flush=True)

    def fail(self, stage: str, vectors: VectorSet, rows: int, peer: Peer, error) -> None:
        entry = {"stage": stage, "set": vectors.name, "rows": rows, "peer": peer.name,
                 "error": str(error)}
        self.failures.append(entry)
        self.say(f"FAILED {peer.label}, {stage} of {rows} rows of {vectors.name}: {error}")


def build(bench: Bench, vectors: VectorSet, rows: int, peer: Peer) -> str | None:
    """Builds the index unless it is there; its path. None when the peer cannot."""
    try:
        path = session.index_path(bench.place, peer, vectors, rows)
        key = {"kind": "build", "set": vectors.identity, "rows": rows,
               "peer": peer.name, "fingerprint": session.fingerprint(bench.place, peer)}
        known = bench.store.find(key)
        if known and _is_built(path):
            return path
        if known:
            bench.store.used.pop()
        session.remove_index(path)
        session.drop_older(path, peer)
        bench.say(f"building {peer.label}: {rows} rows of {vectors.name}")
        running = Session(bench.place, peer, vectors, rows, bench.k, path)
        running.close()
        facts = {**session.versions(peer), **running.facts}
        bench.store.add(key, {"label": peer.label, "config": peer.config, "set_name": vectors.name,
                              "file_bytes": session.path_bytes(path), **facts})
        return path
    except (PeerFailed, OSError) as error:
        bench.fail("build", vectors, rows, peer, error)
        return None


def _is_built(path: str) -> bool:
    try:
        with open(path + ".built", encoding="ascii") as file:
            return bool(file.read())
    except OSError:
        return False


class Point:
    """One (peer, ef): its passes."""

    def __init__(self, running: Session, ef: int, queries: int, quick: bool) -> None:
        self.running, self.ef, self.queries = running, ef, queries
        self.spent: list[array] = []
        self.recalls: dict[bytes, float] = {}
        self.recall_of_round: list[float] = []
        self.batch = 1
        self.quick = quick

    def run(self, vectors: VectorSet, span: tuple[int, int]) -> None:
        # Not counted: caches after another peer's pass are not those of an index in use.
        if self.quick:
            self.running.one_pass(self.ef, self.queries)
        ids, spent, self.batch = self.running.one_pass(self.ef, self.queries)
        self.spent.append(spent)
        text = ids.tobytes()
        if text not in self.recalls:
            self.recalls[text] = exact.recall(vectors.metric, vectors.folder, span, ids,
                                              self.running.k)
        self.recall_of_round.append(self.recalls[text])

    def result(self) -> dict:
        """QPS of the median round, and of each query's best round; latencies of single calls."""
        rounds = [self.queries * 1e9 / sum(spent) for spent in self.spent]
        best = [min(times) for times in zip(*self.spent)]
        facts = {"peer": self.running.peer.name, "label": self.running.peer.label, "ef": self.ef,
                 "recall": statistics.fmean(self.recall_of_round), "qps": statistics.median(rounds),
                 "qps_of_rounds": [round(qps, 1) for qps in rounds],
                 "qps_best": self.queries * 1e9 / sum(best), "queries": self.queries,
                 "batch": self.batch}
        if self.batch == 1:
            pooled = sorted(time for spent in self.spent for time in spent)
            for name, share in (("p50", 0.50), ("p95", 0.95), ("p99", 0.99)):
                facts[f"{name}_us"] = pooled[int(share * (len(pooled) - 1))] / 1e3
                facts[f"{name}_best_us"] = sorted(best)[int(share * (len(best) - 1))] / 1e3
        return facts


def _points(bench: Bench, running: Session, efs: tuple[int, ...]) -> list[Point]:
    """Warms a peer up, and finds out how many queries a pass of it may have."""
    efs = efs if running.facts["has_ef"] else (0,)
    running.one_pass(efs[-1], 20)
    start = time.monotonic()
    _, spent, _ = running.one_pass(efs[-1], 20)
    each = max(sum(spent) / 1e9, 0.5 * (time.monotonic() - start)) / 20
    count = min(bench.queries, running.facts["query_count"])
    queries = max(min(count, FEWEST_QUERIES), min(count, int(PASS_SECONDS / each)))
    return [Point(running, ef, queries, queries * each < QUICK_SECONDS) for ef in efs]


def _run_rounds(bench: Bench, vectors: VectorSet, rows: int, points: list[Point]) -> list[Point]:
    """Every point once a round, each round starting at another; those whose peer failed drop out."""
    for turn in range(bench.rounds):
        first = turn * len(points) // bench.rounds
        for point in points[first:] + points[:first]:
            if point not in points:
                continue
            try:
                point.run(vectors, (0, rows))
            except PeerFailed as error:
                peer = point.running.peer
                bench.fail(f"ef {point.ef}", vectors, rows, peer, error)
                points = [one for one in points if one.running is not point.running]
    return points


def curves(bench: Bench, section: str, vectors: VectorSet, rows: int, peers: list[Peer],
           efs: tuple[int, ...]) -> None:
    """One block: recall and speed of all peers at every ef, on the first `rows` rows."""
    exact.truth(vectors.metric, vectors.folder, 0, rows, min(bench.k, rows))
    paths = [(peer, path) for peer in peers if (path := build(bench, vectors, rows, peer))]
    key = {"kind": "curves", "section": section, "set": vectors.identity,
           "rows": rows, "k": bench.k, "rounds": bench.rounds, "queries": bench.queries, "warm": QUICK_SECONDS,
           "efs": list(efs),
           "peers": [[peer.name, session.fingerprint(bench.place, peer)] for peer, _ in paths]}
    if bench.store.find(key):
        return
    bench.say(f"{section}: {rows} rows of {vectors.name}, {len(paths)} peers, {bench.rounds} rounds")
    running, points = [], []
    for peer, path in paths:
        try:
            running.append(Session(bench.place, peer, vectors, rows, bench.k, path))
            points += _points(bench, running[-1], efs)
        except PeerFailed as error:
            bench.fail("load", vectors, rows, peer, error)
    # By ef, then by peer: neighbours in time are peers at the same setting.
    points.sort(key=lambda point: efs.index(point.ef) if point.ef in efs else len(efs) // 2)
    points = _run_rounds(bench, vectors, rows, points)
    for one in running:
        one.close()
    bench.store.add(key, {"set_name": vectors.name, "metric": vectors.metric, "dim": vectors.dim,
                          "source": vectors.source, "public": vectors.public,
                          "points": [point.result() for point in points if point.spent]})


def changes(bench: Bench, vectors: VectorSet, rows: int, peer: Peer, ef: int) -> None:
    """1 % of rows inserted into a built index, then 1 % deleted; a query after every few; recall."""
    count = max(1, rows // 100)
    path = build(bench, vectors, rows, peer)
    if path is None:
        return
    key = {"kind": "changes", "set": vectors.identity, "rows": rows, "ef": ef,
           "count": count, "peer": peer.name, "k": bench.k,
           "fingerprint": session.fingerprint(bench.place, peer)}
    if bench.store.find(key):
        return
    bench.say(f"changes: {peer.label}, {count} of {rows} rows of {vectors.name}")
    copy = f"{bench.place.out}/indexes/changed"
    session.remove_index(copy)
    shutil.copyfile(path + ".built", copy + ".built")
    (shutil.copytree if not session.os.path.isfile(path) else shutil.copyfile)(path, copy)
    result = {"label": peer.label, "set_name": vectors.name, "config": peer.config}
    try:
        running = Session(bench.place, peer, vectors, rows, bench.k, copy)
    except PeerFailed as error:
        bench.fail("load", vectors, rows, peer, error)
        return
    span = [0, rows]
    result["before"] = _state(bench, running, vectors, tuple(span), ef)
    for verb, first in (("insert", rows), ("delete", 0)):
        try:
            result[verb] = {**running.ask(f"{verb} {first} {count} {BATCH}"), "rows": count}
            span[verb == "insert"] += count
            result[verb] |= _state(bench, running, vectors, tuple(span), ef)
        except PeerFailed as error:
            result[verb] = {"error": str(error)}
            bench.say(f"{peer.label} does not {verb}: {error}")
    running.close()
    session.remove_index(copy)
    bench.store.add(key, result)


def _state(bench: Bench, running: Session, vectors: VectorSet, span: tuple[int, int],
           ef: int) -> dict:
    """Recall and QPS now, from one pass after a warm-up."""
    count = min(bench.queries, running.facts["query_count"])
    _, spent, _ = running.one_pass(ef, min(20, count))
    count = max(min(count, FEWEST_QUERIES), min(count, int(PASS_SECONDS * 20e9 / sum(spent))))
    ids, spent, _ = running.one_pass(ef, count)
    return {"recall": exact.recall(vectors.metric, vectors.folder, span, ids, bench.k),
            "qps": count * 1e9 / sum(spent)}
