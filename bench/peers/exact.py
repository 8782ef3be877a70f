# SPDX-License-Identifier: Apache-2.0
"""Distances by their definition in float64: what recall is measured against.

With numpy where it is there; without it (the self-test) in plain Python.
"""

import math
import os
import struct
from array import array

try:
    import numpy
except ImportError:
    numpy = None

TOLERANCE = 1e-6  # of the k-th distance, or absolute where that is below 1
BLOCK = 4096


class Matrix:
    """Rows of an .fbin file: u32 rows, u32 dim, float32. numpy maps it, else it is read."""

    def __init__(self, path: str) -> None:
        with open(path, "rb") as file:
            self.rows, self.dim = struct.unpack("<II", file.read(8))
            if numpy is None:
                self.values = array("f")
                self.values.fromfile(file, self.rows * self.dim)
        if numpy is not None:
            self.values = numpy.memmap(path, dtype="<f4", mode="r", offset=8,
                                       shape=(self.rows, self.dim))

    def row(self, i: int):
        """One row as a list of floats; plain Python only."""
        return self.values[i * self.dim:(i + 1) * self.dim]


def _plain_distance(metric: str, a, b) -> float:
    if metric == "l2":
        return math.dist(a, b)
    dot = sum(x * y for x, y in zip(a, b))
    return 1 - dot / math.sqrt(sum(x * x for x in a) * sum(x * x for x in b))


def _plain_truth(metric: str, base: Matrix, queries: Matrix, low: int, high: int, depth: int):
    for q in range(queries.rows):
        query = queries.row(q)
        found = sorted(_plain_distance(metric, query, base.row(i)) for i in range(low, high))
        yield array("d", found[:depth])


def _rows_distances(metric: str, queries, rows):
    """Distances [n, m] of queries [n, dim] to rows [n, m, dim], both float64."""
    if metric == "l2":
        difference = rows - queries[:, None, :]
        return numpy.sqrt(numpy.einsum("nmd,nmd->nm", difference, difference))
    dots = numpy.einsum("nmd,nd->nm", rows, queries)
    norms = numpy.einsum("nmd,nmd->nm", rows, rows) * numpy.einsum(
        "nd,nd->n", queries, queries)[:, None]
    return 1 - dots / numpy.sqrt(norms)


def _numpy_truth(metric: str, base: Matrix, queries: Matrix, low: int, high: int, depth: int):
    """Candidates by a matrix product in float64, block by block; then by definition."""
    asked = numpy.asarray(queries.values, dtype="f8")
    spare = min(depth + 28, high - low)  # for what the product's rounding may misplace
    best = numpy.full((queries.rows, 0), 0.0)
    ids = numpy.full((queries.rows, 0), 0, dtype="i8")
    for start in range(low, high, BLOCK):
        rows = numpy.asarray(base.values[start:min(high, start + BLOCK)], dtype="f8")
        squares = numpy.einsum("nd,nd->n", rows, rows)
        near = asked @ rows.T
        near = squares[None, :] - 2 * near if metric == "l2" else -near / numpy.sqrt(squares)
        best = numpy.hstack([best, near])
        ids = numpy.hstack([ids, numpy.broadcast_to(numpy.arange(start, start + len(rows)),
                                                    near.shape)])
        if best.shape[1] > spare:
            kept = numpy.argpartition(best, spare - 1, axis=1)[:, :spare]
            best = numpy.take_along_axis(best, kept, axis=1)
            ids = numpy.take_along_axis(ids, kept, axis=1)
    for first in range(0, queries.rows, 64):
        rows = numpy.asarray(base.values[ids[first:first + 64]], dtype="f8")
        found = numpy.sort(_rows_distances(metric, asked[first:first + 64], rows), axis=1)
        yield from found[:, :depth]


def truth(metric: str, folder: str, low: int, high: int, depth: int) -> array:
    """The `depth` smallest distances of each query to rows low..high-1, flat; cached in `folder`."""
    path = os.path.join(folder, f"truth-{metric}-{low}-{high}-{depth}.f64")
    base, queries = Matrix(f"{folder}/base.fbin"), Matrix(f"{folder}/query.fbin")
    depth = min(depth, high - low)
    flat = array("d")
    if not os.path.exists(path):
        make = _plain_truth if numpy is None else _numpy_truth
        for found in make(metric, base, queries, low, high, depth):
            flat.frombytes(found.tobytes())
        with open(path + ".part", "wb") as file:
            flat.tofile(file)
        os.replace(path + ".part", path)
        return flat
    with open(path, "rb") as file:
        flat.fromfile(file, queries.rows * depth)
    return flat


def _plain_hits(metric: str, base: Matrix, queries: Matrix, q: int, ids, limit: float) -> int:
    query = queries.row(q)
    return sum(_plain_distance(metric, query, base.row(i)) <= limit for i in ids)


def recall(metric: str, folder: str, span: tuple[int, int], ids: array, k: int) -> float:
    """Share of the k nearest that `ids` (k a query, -1: none) holds, judged by distance.

    A row counts once, and only if it is in low..high-1 and as near as the true k-th.
    """
    low, high = span
    depth = min(k, high - low)
    limits = truth(metric, folder, low, high, depth)[depth - 1::depth]
    base, queries = Matrix(f"{folder}/base.fbin"), Matrix(f"{folder}/query.fbin")
    found = 0
    for q in range(len(ids) // k):
        limit = limits[q] + TOLERANCE * max(1.0, abs(limits[q]))
        mine = sorted({i for i in ids[q * k:(q + 1) * k] if low <= i < high})
        if not mine:
            continue
        if numpy is None:
            hits = _plain_hits(metric, base, queries, q, mine, limit)
        else:
            rows = numpy.asarray(base.values[mine], dtype="f8")[None]
            asked = numpy.asarray(queries.values[q], dtype="f8")[None]
            hits = int((_rows_distances(metric, asked, rows) <= limit).sum())
        found += min(depth, hits)
    return found / (depth * max(1, len(ids) // k))
