# SPDX-License-Identifier: Apache-2.0
"""vectorlite: hnswlib behind a virtual table of SQLite, its index in a file of its own."""

import os

import apsw
import vectorlite_py

ROOM = 100000  # for rows that are inserted into a loaded index


class Engine:
    def __init__(self, setup, dim: int) -> None:
        self.setup, self.dim, self.db, self.ef = setup, dim, None, 100

    def _open(self) -> None:
        os.makedirs(self.setup.index, exist_ok=True)
        self.db = apsw.Connection(":memory:")
        self.db.enable_load_extension(True)
        self.db.load_extension(vectorlite_py.vectorlite_path())
        self.db.execute(
            f"CREATE VIRTUAL TABLE v USING vectorlite(embedding float32[{self.dim}] "
            f"{self.setup.metric}, hnsw(max_elements={self.setup.rows + ROOM}, "
            f"M={self.setup.number('M', 16)}, ef_construction={self.setup.number('efc', 200)}, "
            f"allow_replace_deleted=true), '{self.setup.index}/rows.bin')")

    def build(self, rows) -> None:
        self._open()
        self.insert(0, rows)

    def save(self) -> None:
        self.db.close()  # it writes its file when it is closed
        self.load()

    def load(self) -> None:
        self._open()

    def set_ef(self, ef: int) -> None:
        self.ef = ef

    def search(self, queries):
        return [[row - 1 for row, _ in self.db.execute(
            "SELECT rowid, distance FROM v WHERE knn_search(embedding, knn_param(?, ?, ?))",
            (query.tobytes(), self.setup.k, self.ef))] for query in queries]

    def insert(self, first: int, rows) -> None:
        self.db.executemany("INSERT INTO v(rowid, embedding) VALUES (?, ?)",
                            ((first + i + 1, row.tobytes()) for i, row in enumerate(rows)))

    def remove(self, first: int, count: int) -> None:
        self.db.executemany("DELETE FROM v WHERE rowid = ?",
                            ((i + 1,) for i in range(first, first + count)))
