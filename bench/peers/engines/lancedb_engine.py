# SPDX-License-Identifier: Apache-2.0
"""LanceDB: a table in a folder with one IVF_HNSW_SQ partition, so that ef alone decides."""

import lancedb
import pyarrow


class Engine:
    def __init__(self, setup, dim: int) -> None:
        self.setup, self.dim, self.table, self.ef = setup, dim, None, 100

    def _arrow(self, first: int, rows):
        vectors = pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(rows.reshape(-1)), self.dim)
        return pyarrow.table({"id": pyarrow.array(range(first, first + len(rows)), pyarrow.int64()),
                              "vector": vectors})

    def build(self, rows) -> None:
        self.table = lancedb.connect(self.setup.index).create_table("rows", self._arrow(0, rows))
        self.table.create_index(metric=self.setup.metric, index_type="IVF_HNSW_SQ", num_partitions=1,
                                m=self.setup.number("M", 16),
                                ef_construction=self.setup.number("efc", 200))

    def save(self) -> None:
        pass

    def load(self) -> None:
        self.table = lancedb.connect(self.setup.index).open_table("rows")

    def set_ef(self, ef: int) -> None:
        self.ef = ef

    def _ask(self, query):
        found = (self.table.search(query).distance_type(self.setup.metric).nprobes(1).ef(self.ef)
                 .limit(self.setup.k).select(["id", "_distance"]).to_arrow())
        return found["id"].to_pylist()

    def search(self, queries):
        return [self._ask(query) for query in queries]

    def insert(self, first: int, rows) -> None:
        self.table.add(self._arrow(first, rows))

    def remove(self, first: int, count: int) -> None:
        self.table.delete(f"id >= {first} AND id < {first + count}")
