# SPDX-License-Identifier: Apache-2.0
"""`eval` against ground truth computed here, and against the real data where it is."""

import os
import random
import unittest

import harness
from harness import CliTest


class EvalTest(CliTest):
    def make(self):
        rng = random.Random(11)
        base = [[rng.randrange(256) for _ in range(16)] for _ in range(300)]
        base[7] = base[8]  # a tie
        queries = [[rng.randrange(256) for _ in range(16)] for _ in range(20)]
        queries[0] = base[8]
        truth = [sorted(range(300), key=lambda i: (sum((a - b) ** 2 for a, b in zip(base[i], q)),
                                                   -i))[:10] for q in queries]
        self.write("b.bvecs", harness.bvecs(base))
        self.write("q.bvecs", harness.bvecs(queries))
        self.write("g.ivecs", harness.ivecs(truth))
        self.write("m.jsonl", "".join('{"n": %d}\n' % (i % 2) for i in range(300)))
        self.ok("add", "v", "b.bvecs", "--meta", "m.jsonl")

    def run_eval(self, *args):
        return self.ok("eval", "v", "--queries", "q.bvecs", "--groundtruth", "g.ivecs", *args).one()

    def test_recall_is_one_and_ties_count(self):
        self.make()
        for args in ([], ["--exact"], ["--recall", "0.9"], ["--ef", "64"]):
            out = self.run_eval("-k", 10, *args)
            self.assertEqual(out["recall"], 1.0)
            self.assertEqual((out["k"], out["queries"]), (10, 20))
            self.assertIn("exact", out["plan"])
            self.assertGreater(out["qps"], 0)
            self.assertLessEqual(out["p50_us"], out["p95_us"])
            self.assertLessEqual(out["p95_us"], out["p99_us"])
        self.assertEqual(self.run_eval("-k", 1)["recall"], 1.0)
        self.assertEqual(self.run_eval("--limit", 5)["queries"], 5)

    def test_missing_neighbours_lower_the_recall(self):
        self.make()
        self.ok("archive", "v", "--where", "n = 1")  # hidden from the search, kept for the judge
        low = self.run_eval("-k", 10)["recall"]
        self.assertGreater(low, 0.2)
        self.assertLess(low, 0.8)

    def test_bad_input(self):
        self.make()
        self.write("short.ivecs", harness.ivecs([[1]] * 20))
        self.write("few.ivecs", harness.ivecs([[1] * 10]))
        self.write("q3.bvecs", harness.bvecs([[1, 2, 3]]))
        self.write("far.ivecs", harness.ivecs([[100000] * 10] * 20))
        for queries, truth, says in (("q.bvecs", "short.ivecs", "1 neighbours"),
                                     ("q.bvecs", "few.ivecs", "1 rows of ground truth"),
                                     ("q3.bvecs", "g.ivecs", "expected 16"),
                                     ("none", "g.ivecs", "none"),
                                     ("q.bvecs", "none", "none"),
                                     ("q.bvecs", "far.ivecs", "100001")):
            self.assertIn(says, self.run_loci("eval", "v", "--queries", queries, "--groundtruth",
                                              truth, "-k", 10).err)

    @unittest.skipUnless(os.path.isdir(harness.DATA), f"no data at {harness.DATA}: set LOCI_DATA")
    def test_real_data_is_found_exactly(self):
        limit = os.environ.get("LOCI_EVAL_QUERIES", "50")
        for name, base, query in (("mnist784", "base.bvecs", "query.bvecs"),
                                  ("notes384", "base.fvecs", "query.fvecs")):
            folder = os.path.join(harness.DATA, name)
            self.ok("add", name, os.path.join(folder, base), "--meta",
                    os.path.join(folder, "base_meta.jsonl"))
            for k in (10, 100):
                out = self.ok("eval", name, "--queries", os.path.join(folder, query),
                              "--groundtruth", os.path.join(folder, "groundtruth.ivecs"),
                              "-k", k, "--exact", "--limit", limit).one()
                self.assertEqual(out["recall"], 1.0, (name, out))


if __name__ == "__main__":
    harness.main()
