# SPDX-License-Identifier: Apache-2.0
"""sqlite-vec: a vec0 table in a file, scanned for every query."""

import os

import apsw
import sqlite_vec

HAS_EF = False


class Engine:
    def __init__(self, setup, dim: int) -> None:
        self.setup, self.dim, self.db = setup, dim, None

    def _open(self) -> None:
        os.makedirs(self.setup.index, exist_ok=True)
        self.db = apsw.Connection(f"{self.setup.index}/rows.db")
        self.db.enable_load_extension(True)
        self.db.load_extension(sqlite_vec.loadable_path())
        self.db.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL")

    def build(self, rows) -> None:
        self._open()
        self.db.execute(f"CREATE VIRTUAL TABLE v USING vec0(embedding float[{self.dim}] "
                        f"distance_metric={self.setup.metric})")
        for first in range(0, len(rows), 1000):
            self.insert(first, rows[first:first + 1000])

    def save(self) -> None:
        self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def load(self) -> None:
        self._open()

    def set_ef(self, ef: int) -> None:
        pass

    def search(self, queries):
        return [[row - 1 for row, _ in self.db.execute(
            "SELECT rowid, distance FROM v WHERE embedding MATCH ? AND k = ? ORDER BY distance",
            (query.tobytes(), self.setup.k))] for query in queries]

    def insert(self, first: int, rows) -> None:
        with self.db:
            self.db.executemany("INSERT INTO v(rowid, embedding) VALUES (?, ?)",
                                ((first + i + 1, row.tobytes()) for i, row in enumerate(rows)))

    def remove(self, first: int, count: int) -> None:
        with self.db:
            self.db.executemany("DELETE FROM v WHERE rowid = ?",
                                ((i + 1,) for i in range(first, first + count)))
