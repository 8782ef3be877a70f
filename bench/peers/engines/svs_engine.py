# SPDX-License-Identifier: Apache-2.0
"""Vamana over LVQ codes out of Intel's SVS, one thread, 100 queries a call."""

import os

import svs

BATCH = 100


class Engine:
    def __init__(self, setup, dim: int) -> None:
        self.setup, self.dim, self.index = setup, dim, None
        self.distance = svs.DistanceType.MIP if setup.metric == "cosine" else svs.DistanceType.L2

    def build(self, rows) -> None:
        os.makedirs(self.setup.index, exist_ok=True)
        path = f"{self.setup.index}/rows.fvecs"  # it compresses what it reads from a file
        svs.write_vecs(rows, path)
        codes = svs.LVQLoader(svs.VectorDataLoader(path, svs.DataType.float32, self.dim),
                              self.setup.number("primary", 4), self.setup.number("residual", 8))
        settings = svs.VamanaBuildParameters(graph_max_degree=2 * self.setup.number("M", 16),
                                             window_size=self.setup.number("efc", 200))
        self.index = svs.Vamana.build(settings, codes, self.distance, num_threads=1)
        os.remove(path)

    def _parts(self) -> list[str]:
        return [f"{self.setup.index}/{name}" for name in ("config", "graph", "codes")]

    def save(self) -> None:
        self.index.save(*self._parts())

    def load(self) -> None:
        config, graph, codes = self._parts()
        self.index = svs.Vamana(config, svs.GraphLoader(graph), svs.LVQLoader(codes), self.distance,
                                num_threads=1)

    def set_ef(self, ef: int) -> None:
        self.index.search_window_size = ef

    def search(self, queries):
        return self.index.search(queries, self.setup.k)[0]

    def insert(self, first: int, rows) -> None:
        raise NotImplementedError("Vamana of SVS has no insert; DynamicVamana is built without LVQ")

    def remove(self, first: int, count: int) -> None:
        raise NotImplementedError("Vamana of SVS has no delete; DynamicVamana is built without LVQ")
