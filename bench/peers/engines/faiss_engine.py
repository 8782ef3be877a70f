# SPDX-License-Identifier: Apache-2.0
"""FAISS HNSWFlat and HNSW with 8-bit scalar codes, one thread, 100 queries a call."""

import faiss

faiss.omp_set_num_threads(1)
BATCH = 100


class Engine:
    def __init__(self, setup, dim: int) -> None:
        self.setup, self.dim, self.index, self.ef = setup, dim, None, 100

    def build(self, rows) -> None:
        metric = faiss.METRIC_INNER_PRODUCT if self.setup.metric == "cosine" else faiss.METRIC_L2
        m = self.setup.number("M", 16)
        if self.setup.config.get("type") == "sq8":
            self.index = faiss.IndexHNSWSQ(self.dim, faiss.ScalarQuantizer.QT_8bit, m, metric)
        else:
            self.index = faiss.IndexHNSWFlat(self.dim, m, metric)
        self.index.hnsw.efConstruction = self.setup.number("efc", 200)
        self.index.train(rows)
        self.index.add(rows)

    def save(self) -> None:
        faiss.write_index(self.index, self.setup.index)

    def load(self) -> None:
        self.index = faiss.read_index(self.setup.index)

    def set_ef(self, ef: int) -> None:
        self.index.hnsw.efSearch = ef

    def search(self, queries):
        return self.index.search(queries, self.setup.k)[1]

    def insert(self, first: int, rows) -> None:
        assert first == self.index.ntotal, "FAISS numbers rows itself"
        self.index.add(rows)

    def remove(self, first: int, count: int) -> None:
        raise NotImplementedError("HNSW of FAISS has no delete")
