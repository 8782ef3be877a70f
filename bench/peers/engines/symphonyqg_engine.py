# SPDX-License-Identifier: Apache-2.0
"""SymphonyQG out of RaBitQ-Library, one thread, 100 queries a call.

Always l2, which ranks vectors of unit length as cosine does. With ip and the default start (pipnn) version
0.7.1 leaves many rows out of reach: recall 0.65 at ef 100 on 20,000 rows of 384 components in 50 clusters,
0.96 with l2. The other start, random, makes three passes instead of one, and 0.98 with either.
"""

from rabitqlib import SymqgIndex

BATCH = 100


class Engine:
    def __init__(self, setup, dim: int) -> None:
        self.setup, self.dim, self.index, self.ef = setup, dim, None, 100

    def build(self, rows) -> None:
        degree = 2 * self.setup.number("M", 16)  # it wants a multiple of 32
        self.index = SymqgIndex(self.dim, degree, "l2", self.setup.number("bits", 0))
        self.index.build(rows, self.setup.number("efc", 200), num_threads=1,
                         init=self.setup.config.get("init", "pipnn"))

    def save(self) -> None:
        self.index.save(self.setup.index)

    def load(self) -> None:
        self.index = SymqgIndex.load(self.setup.index)

    def set_ef(self, ef: int) -> None:
        self.ef = ef

    def search(self, queries):
        return self.index.search_batch(queries, self.setup.k, self.ef, num_threads=1)[0]

    def insert(self, first: int, rows) -> None:
        raise NotImplementedError("SymphonyQG has no insert")

    def remove(self, first: int, count: int) -> None:
        raise NotImplementedError("SymphonyQG has no delete")
