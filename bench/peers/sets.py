# SPDX-License-Identifier: Apache-2.0
"""The sets of vectors: a folder each with base.fbin and query.fbin, made once.

What a stranger can make again (`generated`, `debian`) may be quoted; the sets under LOCI_DATA and files
of one's own are for one's own notes.
"""

import json
import os
import struct
import subprocess
from dataclasses import dataclass

import exact
from exact import numpy

QUERIES = 1000


@dataclass(frozen=True)
class VectorSet:
    """Vectors to store and to ask with. With metric cosine all have unit length."""

    name: str
    identity: str  # of the first rows: sets of other sizes that begin alike have the same
    folder: str
    metric: str
    rows: int
    dim: int
    queries: int
    source: str
    public: bool


def _describe(name: str, folder: str, identity: str = "", **facts) -> VectorSet:
    base, query = exact.Matrix(f"{folder}/base.fbin"), exact.Matrix(f"{folder}/query.fbin")
    return VectorSet(name, identity or os.path.basename(folder), folder, rows=base.rows,
                     dim=base.dim, queries=query.rows, **facts)


def _read_vecs(path: str, kind: str):
    """.fvecs, .bvecs or .ivecs: each row is an int32 dimension and that many components."""
    width = 1 if kind == "u1" else 4
    raw = numpy.fromfile(path, dtype="u1")
    dim = int(raw[:4].view("<i4")[0])
    return raw.reshape(-1, 4 + dim * width)[:, 4:].copy().view(f"<{kind}")


def read_vectors(path: str):
    """A float32 matrix from .fvecs, .bvecs, .npy or .fbin."""
    if numpy is None:
        raise SystemExit("bench_peers: reading vectors needs numpy")
    suffix = os.path.splitext(path)[1]
    if suffix == ".npy":
        rows = numpy.load(path)
    elif suffix == ".fbin":
        rows = exact.Matrix(path).values
    elif suffix in (".fvecs", ".bvecs"):
        rows = _read_vecs(path, "f4" if suffix == ".fvecs" else "u1")
    else:
        raise SystemExit(f"bench_peers: {path}: expected .fvecs, .bvecs, .npy or .fbin")
    return numpy.ascontiguousarray(rows, dtype="<f4")


def _write_fbin(path: str, rows) -> None:
    with open(path + ".part", "wb") as file:
        file.write(struct.pack("<II", *rows.shape))
        rows.tofile(file)
    os.replace(path + ".part", path)


def _write_set(folder: str, base, query, metric: str) -> None:
    os.makedirs(folder, exist_ok=True)
    for name, rows in (("base", base), ("query", query)):
        if metric == "cosine":
            length = numpy.linalg.norm(rows.astype("f8"), axis=1)
            rows = rows[length > 0] / length[length > 0, None]
        _write_fbin(f"{folder}/{name}.fbin", numpy.ascontiguousarray(rows, dtype="<f4"))


def _is_made(folder: str) -> bool:
    return all(os.path.exists(f"{folder}/{name}.fbin") for name in ("base", "query"))


def generated(root: str, maker: str, rows: int, dim: int, seed: int, queries: int) -> VectorSet:
    """Clusters with near twins, by loci_make_set: the same bits on any machine."""
    folder = f"{root}/generated-{rows}x{dim}-{queries}-{seed}"
    if not _is_made(folder):
        subprocess.run([maker, str(rows), str(queries), str(dim), str(seed), folder + ".part"],
                       check=True)
        os.rename(folder + ".part", folder)
    return _describe("generated", folder, f"generated-{dim}-{queries}-{seed}", metric="cosine",
                     public=True, source=f"loci_make_set {rows} {queries} {dim} {seed}")


def debian(root: str, vectors: str) -> VectorSet:
    """Debian's package descriptions by the built-in embedder; 1,000 spread evenly are the queries."""
    folder = f"{root}/debian"
    if not _is_made(folder):
        rows = read_vectors(vectors)
        rows = rows[numpy.linalg.norm(rows, axis=1) > 0]
        held = numpy.arange(QUERIES) * len(rows) // QUERIES
        _write_set(folder, numpy.delete(rows, held, axis=0), rows[held], "cosine")
    return _describe("debian", folder, metric="cosine", public=True,
                     source="descriptions of Debian packages, embedder hash")


def shared(root: str, data: str, name: str) -> VectorSet:
    """notes384 or mnist784 of LOCI_DATA, or any other folder laid out like them."""
    folder = f"{root}/{name}"
    with open(f"{data}/{name}/info.json", encoding="utf-8") as file:
        info = json.load(file)
    metric = "l2" if "l2" in str(info.get("metric", "")).lower() else "cosine"
    if not _is_made(folder):
        suffix = "bvecs" if os.path.exists(f"{data}/{name}/base.bvecs") else "fvecs"
        base, query = (read_vectors(f"{data}/{name}/{part}.{suffix}") for part in ("base", "query"))
        _write_set(folder, base, query, metric)
    return _describe(name, folder, metric=metric, public=False, source=f"{name} of LOCI_DATA")


def own_file(root: str, path: str, queries: int, metric: str) -> VectorSet:
    """A file of one's own: its last `queries` rows are held out to ask with."""
    name = os.path.splitext(os.path.basename(path))[0]
    info = os.stat(path)
    folder = f"{root}/file-{name}-{info.st_size}-{int(info.st_mtime)}-{queries}-{metric}"
    if not _is_made(folder):
        rows = read_vectors(path)
        if not 0 < queries < len(rows):
            raise SystemExit(f"bench_peers: {path} has {len(rows)} rows, {queries} to hold out")
        _write_set(folder, rows[:-queries], rows[-queries:], metric)
    return _describe(name, folder, metric=metric, public=False, source=os.path.basename(path))
