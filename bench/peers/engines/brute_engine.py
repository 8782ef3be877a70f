# SPDX-License-Identifier: Apache-2.0
"""Every distance, in plain Python: the yardstick of the self-test, for a few hundred rows."""

import heapq
import math
import os

NUMPY = False
HAS_EF = False


class Engine:
    def __init__(self, setup, dim: int) -> None:
        self.setup, self.rows = setup, {}

    def build(self, rows) -> None:
        self.rows = dict(enumerate(rows))

    def save(self) -> None:
        os.makedirs(self.setup.index, exist_ok=True)

    def load(self) -> None:
        import worker
        self.build(worker.read_rows(f"{self.setup.set}/base.fbin", 0, self.setup.rows, False))

    def set_ef(self, ef: int) -> None:
        pass

    def _distance(self, a, b) -> float:
        if self.setup.metric == "l2":
            return math.dist(a, b)
        return -sum(x * y for x, y in zip(a, b))  # of unit length

    def search(self, queries):
        return [heapq.nsmallest(self.setup.k, self.rows,
                                key=lambda i: self._distance(query, self.rows[i]))
                for query in queries]

    def insert(self, first: int, rows) -> None:
        self.rows.update(enumerate(rows, first))

    def remove(self, first: int, count: int) -> None:
        for i in range(first, first + count):
            self.rows.pop(i, None)
