# SPDX-License-Identifier: Apache-2.0
"""HNSW over RaBitQ codes out of RaBitQ-Library, one thread, 100 queries a call.

Always l2, as in symphonyqg_engine.py. 16 centroids, as its documentation has it.
"""

from rabitqlib import HnswIndex, RaBitQKMeans

BATCH = 100
CENTROIDS = 16
ROOM = 10000  # a full index is made larger by so many rows


class Engine:
    def __init__(self, setup, dim: int) -> None:
        self.setup, self.dim, self.index, self.ef = setup, dim, None, 100

    def build(self, rows) -> None:
        clusters = RaBitQKMeans(self.dim, CENTROIDS, num_threads=1)
        clusters.train(rows)
        self.index = HnswIndex(self.dim, len(rows), self.setup.number("M", 16),
                               self.setup.number("efc", 200), self.setup.number("bits", 8), "l2")
        self.index.build(rows, clusters.centroids, clusters.assignments, num_threads=1)

    def save(self) -> None:
        self.index.save(self.setup.index)

    def load(self) -> None:
        self.index = HnswIndex.load(self.setup.index)

    def set_ef(self, ef: int) -> None:
        self.ef = ef

    def search(self, queries):
        return self.index.search(queries, self.setup.k, self.ef, num_threads=1)[0]

    def insert(self, first: int, rows) -> None:
        assert first == self.index.num_stored_points, "RaBitQ-Library numbers rows itself"
        if first + len(rows) > self.index.max_elements:
            self.index.resize(first + len(rows) + ROOM)
        self.index.add(rows, num_threads=1)

    def remove(self, first: int, count: int) -> None:
        self.index.remove(list(range(first, first + count)))
