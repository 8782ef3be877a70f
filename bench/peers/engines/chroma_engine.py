# SPDX-License-Identifier: Apache-2.0
"""Chroma, embedded, on a folder; one thread, 100 queries a call.

A running client keeps the ef with which it loaded its index: modify() counts from the next client on.
So set_ef() opens a new one, and asks once to have the index loaded.
"""

import chromadb
from chromadb.api.client import SharedSystemClient

BATCH = 100
BLOCK = 5000  # rows a call: its limit is 5,461


class Engine:
    def __init__(self, setup, dim: int) -> None:
        self.setup, self.dim, self.rows, self.ef = setup, dim, None, None

    def _client(self):
        return chromadb.PersistentClient(
            self.setup.index, settings=chromadb.Settings(anonymized_telemetry=False))

    def build(self, rows) -> None:
        self.rows = self._client().create_collection("rows", embedding_function=None, configuration={
            "hnsw": {"space": self.setup.metric, "max_neighbors": self.setup.number("M", 16),
                     "ef_construction": self.setup.number("efc", 200), "num_threads": 1}})
        for first in range(0, len(rows), BLOCK):
            self.insert(first, rows[first:first + BLOCK])

    def save(self) -> None:
        pass

    def load(self) -> None:
        self.rows = self._client().get_collection("rows", embedding_function=None)

    def set_ef(self, ef: int) -> None:
        if ef != self.ef:
            self.rows.modify(configuration={"hnsw": {"ef_search": ef}})
            SharedSystemClient.clear_system_cache()
            self.load()
            self.rows.query(query_embeddings=[[1.0] * self.dim], n_results=1, include=["distances"])
            self.ef = ef

    def search(self, queries):
        found = self.rows.query(query_embeddings=queries, n_results=self.setup.k,
                                include=["distances"])
        return found["ids"]

    def insert(self, first: int, rows) -> None:
        self.rows.add(ids=[str(first + i) for i in range(len(rows))], embeddings=rows)

    def remove(self, first: int, count: int) -> None:
        self.rows.delete(ids=[str(i) for i in range(first, first + count)])
