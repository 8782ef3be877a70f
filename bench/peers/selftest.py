#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The comparison itself, on 300 rows: Loci and brute force, no network, no package.

LOCI_PROGRAMS is the folder of loci_peer and loci_make_set.
"""

import html.parser
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import unittest
from array import array

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import exact
import summary

PROGRAMS = os.environ.get("LOCI_PROGRAMS", "build/release/bench")


class CompareTest(unittest.TestCase):
    """Runs of compare.py in a folder of its own."""

    def setUp(self) -> None:
        self.out = tempfile.mkdtemp(prefix="loci-peers-")
        self.addCleanup(shutil.rmtree, self.out, ignore_errors=True)

    def compare(self, peers: str) -> tuple[dict, str]:
        done = subprocess.run(
            [sys.executable, f"{HERE}/compare.py", "--out", self.out, "--programs", PROGRAMS,
             "--sets", "generated", "--generated-rows", "300", "--dim", "32", "--queries", "20",
             "--sections", "curves,changes,series", "--series", "100", "--rounds", "2",
             "--peers", peers], capture_output=True, text=True, check=False, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(f"{self.out}/peers.json", encoding="utf-8") as file:
            return json.load(file), done.stdout

    def lines(self) -> int:
        with open(f"{self.out}/peers.jsonl", encoding="utf-8") as file:
            return len(file.readlines())

    def test_exact_peers_have_recall_one_and_nothing_is_measured_twice(self) -> None:
        result, text = self.compare("loci,brute")
        self.assertEqual(result["failures"], [])
        for block in result["blocks"]:
            points = block["result"]["points"]
            self.assertEqual({point["peer"] for point in points}, {"loci", "brute"})
            for point in points:
                self.assertEqual(point["recall"], 1.0, point)
                self.assertGreater(point["qps"], 0)
                self.assertLessEqual(point["p50_us"], point["p99_us"])
                self.assertEqual(len(point["qps_of_rounds"]), 2)
        for line in result["changes"]:
            for state in ("before", "insert", "delete"):
                self.assertEqual(line["result"][state]["recall"], 1.0, line)
        self.assertEqual(len(result["builds"]), 6)  # 100, 297 and 300 rows
        self.assertIn("brute force", text)
        before = self.lines()
        again, _ = self.compare("loci,brute")
        self.assertEqual(self.lines(), before)
        self.assertEqual(again["blocks"], result["blocks"])
        with open(f"{self.out}/peers.html", encoding="utf-8") as file:
            page = file.read()
        html.parser.HTMLParser().feed(page)
        self.assertNotIn("<script", page)
        self.assertIn("<svg", page)

    def test_a_peer_that_does_not_load_is_a_result(self) -> None:
        result, text = self.compare("hnswlib,brute")  # no hnswlib_peer in PROGRAMS
        self.assertEqual({one["peer"] for one in result["failures"]}, {"hnswlib"})
        self.assertIn("was not built", text)
        self.assertTrue(result["blocks"][0]["result"]["points"])


class ExactTest(unittest.TestCase):
    """Recall is judged by distance, whatever a peer claims."""

    def setUp(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="loci-exact-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        rng = random.Random(5)
        self.base = [[rng.gauss(0, 1) for _ in range(8)] for _ in range(40)]
        self.base[7] = self.base[3]  # a tie
        self.query = [[rng.gauss(0, 1) for _ in range(8)] for _ in range(3)]
        for name, rows in (("base", self.base), ("query", self.query)):
            with open(f"{self.folder}/{name}.fbin", "wb") as file:
                array("I", [len(rows), 8]).tofile(file)
                for row in rows:
                    array("f", row).tofile(file)

    def nearest(self, metric: str, low: int, high: int, k: int) -> array:
        matrix = exact.Matrix(f"{self.folder}/base.fbin")
        ids = array("q")
        for query in self.query:
            asked = array("f", query)
            ids.extend(sorted(range(low, high), key=lambda i: exact._plain_distance(
                metric, asked, [float(x) for x in self.row(matrix, i)]))[:k])
        return ids

    @staticmethod
    def row(matrix: exact.Matrix, i: int):
        return matrix.values[i] if exact.numpy is not None else matrix.row(i)

    def test_recall(self) -> None:
        for metric in ("cosine", "l2"):
            for low, high in ((0, 40), (5, 30)):
                ids = self.nearest(metric, low, high, 5)

                def judged() -> float:
                    return exact.recall(metric, self.folder, (low, high), ids, 5)
                self.assertEqual(judged(), 1.0)
                ids[1] = ids[0]  # a row twice counts once
                self.assertAlmostEqual(judged(), 14 / 15)
                ids[1] = -1
                self.assertAlmostEqual(judged(), 14 / 15)
                ids[1] = high  # not among the rows
                self.assertAlmostEqual(judged(), 14 / 15)

    def test_speed_at_a_recall(self) -> None:
        points = [{"ef": 10, "recall": 0.8, "qps": 1000.0}, {"ef": 20, "recall": 1.0, "qps": 10.0}]
        self.assertAlmostEqual(summary.qps_at(points, 0.9)[0], 100.0)
        self.assertEqual(summary.qps_at(points, 0.5), (1000.0, True))
        self.assertIsNone(summary.qps_at(points[:1], 0.9))


if __name__ == "__main__":
    unittest.main(verbosity=1)
