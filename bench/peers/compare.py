#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Loci beside other vector libraries: same data, same minutes, one query thread.

Sections:
  curves   recall and speed at every ef, on each set
  series   the same for 1,000 rows, 2,000, ... of the first set
  sweep    M and ef_construction at 10,000 rows of the first set
  changes  1 % of 10,000 rows inserted and deleted, recall after it

scripts/bench_peers calls it. Every finished measurement is a line of OUT/peers.jsonl and is not
measured again; built indexes are kept in OUT/indexes. Results: OUT/peers.json, OUT/peers.html, a table
on standard output.
"""

import argparse
import json
import os
import platform
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import catalogue
import page
import rounds
import sets
import summary
from rounds import Bench
from session import Place
from store import Store

SECTIONS = ("curves", "series", "sweep", "changes")
SMALL = 10000  # rows of sweep and changes


def parse(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bench_peers", description=__doc__.split("\n\n", maxsplit=1)[0])
    add = parser.add_argument
    add("--out", default="build/bench", help="folder of results, sets and indexes")
    add("--programs", default="build/bench/bin,build/release/bench", help="folders of the drivers")
    add("--loci-data", default=os.environ.get("LOCI_DATA", "../shared/data"))
    add("--sets", default="", help="generated, debian, notes384, mnist784; default: those there are")
    add("--data", help="a file of your own instead: .fvecs, .bvecs, .npy or .fbin")
    add("--metric", default="cosine", choices=("cosine", "l2"), help="of --data")
    add("--queries", type=int, default=1000, help="asked in a pass; of --data the last so many rows")
    add("--sections", default=",".join(SECTIONS))
    add("--peers", default="", help="names of bench/peers/catalogue.py, comma-separated; default: the usual ones")
    add("--ef", default=",".join(map(str, catalogue.EFS)))
    add("-k", type=int, default=10)
    add("--rounds", type=int, default=5)
    add("--rows", type=int, default=0, help="only so many rows of each set; 0: all")
    add("--generated-rows", type=int, default=50000)
    add("--dim", type=int, default=384, help="of the generated set")
    add("--seed", type=int, default=42)
    add("--series", default="1000,2000,5000,10000,20000")
    add("--core", type=int, default=max(os.sched_getaffinity(0)), help="the one all peers run on")
    add("--timeout", type=int, default=7200, help="seconds for one build")
    add("--commit", default="unknown")
    return parser.parse_args(words)


def open_sets(options: argparse.Namespace) -> list[sets.VectorSet]:
    """The sets of this run, made where they are not there yet; says which are left out."""
    root = f"{options.out}/sets"
    os.makedirs(root, exist_ok=True)
    if options.data:
        return [sets.own_file(root, options.data, options.queries, options.metric)]
    wanted = options.sets.split(",") if options.sets else ["generated", "debian", "notes384",
                                                           "mnist784"]
    found = []
    for name in wanted:
        if name == "generated":
            maker = next(f"{folder}/loci_make_set" for folder in options.programs.split(",")
                         if os.path.exists(f"{folder}/loci_make_set"))
            found.append(sets.generated(root, maker, options.generated_rows, options.dim,
                                        options.seed, options.queries))
        elif name == "debian" and os.path.exists(f"{options.out}/debian.fbin"):
            found.append(sets.debian(root, f"{options.out}/debian.fbin"))
        elif os.path.exists(f"{options.loci_data}/{name}/info.json"):
            found.append(sets.shared(root, options.loci_data, name))
        elif options.sets:
            raise SystemExit(f"bench_peers: no set '{name}'")
        else:
            print(f"bench_peers: no {name}: left out", file=sys.stderr)
    return found


def _sweep(bench: Bench, vectors: sets.VectorSet, peers: list[catalogue.Peer]) -> None:
    rows = min(SMALL, vectors.rows)
    for m in catalogue.SWEEP_M:
        tuned = [peer.tuned(m, efc) for peer in peers if peer.name in catalogue.SWEPT
                 for efc in catalogue.SWEEP_EFC]
        if tuned:
            rounds.curves(bench, f"sweep M={m}", vectors, rows, tuned, catalogue.SWEEP_EFS)


def measure(bench: Bench, options: argparse.Namespace, chosen: list[sets.VectorSet]) -> None:
    """All sections that were asked for; what fails is noted and the rest goes on."""
    peers = catalogue.choose(options.peers)
    efs = tuple(ef for ef in map(int, options.ef.split(",")) if ef >= options.k)
    first = chosen[0]
    sections = options.sections.split(",")
    if wrong := set(sections) - set(SECTIONS):
        raise SystemExit(f"bench_peers: no section {', '.join(wrong)}; known: {', '.join(SECTIONS)}")
    if "curves" in sections:
        for vectors in chosen:
            rows = min(options.rows or vectors.rows, vectors.rows)
            rounds.curves(bench, "curves", vectors, rows, peers, efs)
    if "series" in sections:
        for rows in map(int, options.series.split(",")):
            if rows <= first.rows:
                rounds.curves(bench, "series", first, rows, peers, efs[::2])
    if "sweep" in sections:
        _sweep(bench, first, peers)
    if "changes" in sections:
        rows = min(SMALL, first.rows * 100 // 101)
        for peer in peers:
            rounds.changes(bench, first, rows, peer, 100)


def _cpu() -> str:
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
        return next((line.partition(": ")[2].strip() for line in file
                     if line.startswith("model name")), platform.machine())


def collect(bench: Bench, options: argparse.Namespace, started: float) -> dict:
    """The result of this run: what it measured and what it found measured already."""
    used = list({json.dumps(line["key"], sort_keys=True): line for line in bench.store.used}.values())

    def of_kind(kind: str) -> list[dict]:
        return [line for line in used if line["key"]["kind"] == kind]

    kernels = [line["result"].get("kernels") for line in of_kind("build")
               if line["key"]["peer"] == "loci"]
    facts = {"commit": options.commit, "cpu": _cpu(), "tier": kernels[-1] if kernels else "unknown",
             "core": options.core, "k": options.k, "rounds": options.rounds, "seed": options.seed,
             "python": platform.python_version(),
             "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
             "minutes": round((time.monotonic() - started) / 60, 1)}
    return {"facts": facts, "blocks": of_kind("curves"), "builds": of_kind("build"),
            "changes": of_kind("changes"), "failures": bench.failures}


def main() -> int:
    options, started = parse(sys.argv[1:]), time.monotonic()
    os.makedirs(options.out, exist_ok=True)
    place = Place(options.out, tuple(options.programs.split(",")), options.core, options.timeout)
    bench = Bench(place, Store(f"{options.out}/peers.jsonl"), options.k, options.rounds,
                  options.queries)
    measure(bench, options, open_sets(options))
    result = collect(bench, options, started)
    with open(f"{options.out}/peers.json", "w", encoding="utf-8") as file:
        json.dump(result, file, indent=1)
    with open(f"{options.out}/peers.html", "w", encoding="utf-8") as file:
        file.write(page.html(result))
    print(summary.text(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
