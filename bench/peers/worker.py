#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A peer that comes as a Python package, behind the protocol of driver.h.

Usage: worker.py ENGINE --set DIR --index PATH --rows N --k N --metric cosine|l2 [--config A=B]...

An engine is a module of engines/ with a class Engine: build(rows), save(), load(), set_ef(ef),
search(queries) -> rows of ids, insert(first, rows), remove(first, count); BATCH, how many queries one
call takes: an interface that takes many is called once for BATCH of them, and the time of each call is
kept, not of each query. Engines with numpy get float32 matrices, others lists.
"""

import argparse
import importlib
import json
import os
import resource
import shutil
import struct
import sys
import time
from array import array

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

# Whatever a package prints goes to stderr; the conversation keeps the real standard output.
_replies = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)


class Setup:
    """What the worker was started with."""

    def __init__(self, arguments) -> None:
        self.set, self.index = arguments.set, arguments.index
        self.rows, self.k, self.metric = arguments.rows, arguments.k, arguments.metric
        self.config = dict(text.split("=", 1) for text in arguments.config)

    def number(self, name: str, otherwise: int) -> int:
        return int(self.config.get(name, otherwise))


def reply(**facts) -> None:
    _replies.write(json.dumps(facts) + "\n")


def read_rows(path: str, first: int, count: int, wants_numpy: bool):
    """Rows first..first+count-1 of an .fbin file; count 0: all."""
    with open(path, "rb") as file:
        rows, dim = struct.unpack("<II", file.read(8))
        count = count or rows - first
        if first + count > rows:
            raise ValueError(f"{path} has {rows} rows, expected {first + count}")
        file.seek(8 + first * dim * 4)
        values = array("f")
        values.fromfile(file, count * dim)
    if wants_numpy:
        import numpy
        return numpy.frombuffer(values, dtype="<f4").reshape(count, dim)
    return [values[i * dim:(i + 1) * dim] for i in range(count)]


def memory_bytes(name: str) -> int:
    with open("/proc/self/status", encoding="ascii") as file:
        return next((int(line.split()[1]) * 1024 for line in file if line.startswith(name + ":")), 0)


def cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


class Worker:
    """The conversation of one engine with compare.py."""

    def __init__(self, module, setup: Setup) -> None:
        self.setup = setup
        self.numpy = getattr(module, "NUMPY", True)
        self.batch = getattr(module, "BATCH", 1)
        self.queries = read_rows(f"{setup.set}/query.fbin", 0, 0, self.numpy)
        self.engine = module.Engine(setup, len(self.queries[0]))
        self.has_ef = getattr(module, "HAS_EF", True)

    def start(self) -> None:
        cached = os.path.exists(self.setup.index + ".built")
        facts = {"cached": cached, "has_ef": self.has_ef, "query_count": len(self.queries)}
        if cached:
            self.engine.load()
        else:
            facts.update(self.build())
        reply(ok=True, **facts)

    def build(self) -> dict:
        shutil.rmtree(self.setup.index, ignore_errors=True)
        base = read_rows(f"{self.setup.set}/base.fbin", 0, self.setup.rows, self.numpy)
        rss, cpu, start = memory_bytes("VmRSS"), cpu_seconds(), time.monotonic()
        self.engine.build(base)
        built = time.monotonic()
        facts = {"build_s": built - start, "build_cpu_s": cpu_seconds() - cpu}
        self.engine.set_ef(100)
        for i in range(min(20, len(self.queries))):
            self.engine.search(self.queries[i:i + 1])
        facts["rss_bytes"] = memory_bytes("VmRSS") - rss
        facts["rss_peak_bytes"] = memory_bytes("VmHWM") - rss
        self.engine.save()
        facts["save_s"] = time.monotonic() - built
        with open(self.setup.index + ".built", "w", encoding="ascii") as file:
            file.write("whole\n")
        return facts

    def run(self, ef: int, count: int, path: str) -> None:
        self.engine.set_ef(ef)
        count = min(count, len(self.queries))
        ids, spent = array("q"), array("q")
        for first in range(0, count, self.batch):
            queries = self.queries[first:min(count, first + self.batch)]
            start = time.perf_counter_ns()
            found = self.engine.search(queries)
            spent.append(time.perf_counter_ns() - start)
            for row in found:
                mine = [int(i) for i in row][:self.setup.k]
                ids.extend(mine + [-1] * (self.setup.k - len(mine)))
        with open(path, "wb") as file:
            ids.tofile(file)
            spent.tofile(file)
        reply(ok=True, queries=count, batch=self.batch)

    def change(self, verb: str, first: int, count: int, batch: int) -> None:
        spent, asked = 0, []
        rows = (read_rows(f"{self.setup.set}/base.fbin", first, count, self.numpy)
                if verb == "insert" else None)
        for begin in range(0, count, batch):
            end = min(count, begin + batch)
            start = time.perf_counter_ns()
            if verb == "insert":
                self.engine.insert(first + begin, rows[begin:end])
            else:
                self.engine.remove(first + begin, end - begin)
            spent += time.perf_counter_ns() - start
            query = len(asked) % len(self.queries)
            start = time.perf_counter_ns()
            self.engine.search(self.queries[query:query + 1])
            asked.append(time.perf_counter_ns() - start)
        asked.sort()
        reply(ok=True, seconds=spent / 1e9, query_p50_us=asked[len(asked) // 2] / 1e3,
              query_max_us=asked[-1] / 1e3)

    def answer(self, line: str) -> None:
        verb, *rest = line.split(maxsplit=3)
        if verb == "run":
            self.run(int(rest[0]), int(rest[1]), rest[2])
        elif verb in ("insert", "delete"):
            self.change(verb, *map(int, rest))
        else:
            raise ValueError(f"unknown command {verb}")


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("engine")
    for name in ("set", "index", "metric"):
        parser.add_argument(f"--{name}", required=True)
    for name in ("rows", "k"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--config", action="append", default=[])
    return parser.parse_args()


def failure(error: BaseException) -> None:
    reply(ok=False, error=f"{type(error).__name__}: {error}"[:500])


def main() -> int:
    arguments = parse()
    try:
        module = importlib.import_module(f"engines.{arguments.engine}")
        worker = Worker(module, Setup(arguments))
        worker.start()
    except Exception as error:  # a peer that does not load is a result, not a crash
        failure(error)
        return 1
    for line in sys.stdin:
        try:
            worker.answer(line.strip())
        except Exception as error:
            failure(error)
    return 0


if __name__ == "__main__":
    sys.exit(main())
