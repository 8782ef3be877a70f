# SPDX-License-Identifier: Apache-2.0
"""Bad input: each a clear error, with nothing changed."""

import json
import os
import shutil
import subprocess
import unittest

import harness
from harness import CliTest


class BadRowsTest(CliTest):
    def refuses(self, code, content, *options, says, name="bad.jsonl"):
        """Adding this must fail and leave everything as it was."""
        self.write(name, content)
        before = self.dump()
        run = self.fails(code, "add", "v", name, *options, says=says)
        self.assertEqual(self.dump(), before)
        return run

    def setUp(self):
        super().setUp()
        self.ok("create", "v", "--dim", 2, "--metric", "cosine", "--filter", "n:int")
        self.ok("add", "v", "-", stdin=b'{"id":"a","embedding":[1,2],"n":1}')

    def test_rows_that_do_not_fit(self):
        good = '{"id":"b","embedding":[1,1]}\n'
        for bad, says in (('{"id":"c","embedding":[1,2,3]}', ["3", "2"]),
                          ('{"id":"c","embedding":[1e39,1]}', ["bad.jsonl:3"]),
                          ('{"id":"c","embedding":[NaN,1]}', ["broken JSON"]),
                          ('{"id":"c","embedding":[0,0]}', ["zero"]),
                          ('{"id":"c","embedding":["x",1]}', ["component 0"]),
                          ('{"id":"c","embedding":[1,1],"n":"x"}', ["'n'", "int"]),
                          ('{"id":"c","embedding":[1,1],"metadata":3}', ["metadata"]),
                          ('{"id":"c", embedding', ["broken JSON"]),
                          ('[1,2]', ["expected an object"])):
            self.refuses(harness.INVALID, good + "\n" + bad + "\n" + good,
                         says=["bad.jsonl:3: ", *says])

    def test_vector_files_with_bad_numbers_name_the_row(self):
        self.refuses(harness.INVALID, harness.fvecs([[1, 1], [float("nan"), 1]]), name="x.fvecs",
                     says="x.fvecs: row 2")
        self.refuses(harness.INVALID, harness.fvecs([[1, 1], [0, 0]]), name="x.fvecs",
                     says="x.fvecs: row 2")
        self.refuses(harness.INVALID, harness.fvecs([[1, 1, 1]]), name="x.fvecs", says=["3", "2"])
        self.refuses(harness.CORRUPT, harness.fvecs([[1, 1], [2, 2]])[:-1], name="x.fvecs",
                     says="truncated at offset 12")

    def test_skip_bad_takes_the_rest(self):
        self.write("x.jsonl", '{"id":"b","embedding":[1,1]}\n{oops\n{"id":"c","embedding":[1]}\n'
                              '{"id":"d","embedding":[0,0]}\n{"id":"e","embedding":[2,1]}\n')
        run = self.ok("add", "v", "x.jsonl", "--skip-bad", "--json")
        for line in (2, 3, 4):
            self.assertIn(f"skipped x.jsonl:{line}: ", run.err)
        counts = run.one()
        self.assertEqual((counts["inserted"], counts["skipped"]), (2, 3))
        self.assertEqual(self.ok("count", "v").out, "3\n")

    def test_a_bad_row_far_into_the_file_undoes_all_of_it(self):
        rows = ['{"id":"r%d","embedding":[1,%d]}' % (i, i) for i in range(5000)]
        rows[4321] = '{"id":"r1","embedding":[1]}'
        self.refuses(harness.INVALID, "\n".join(rows), says="bad.jsonl:4322: ")
        fresh = self.write("fresh.jsonl", "\n".join(rows))
        self.fails(harness.INVALID, "add", "other", fresh, says="fresh.jsonl:4322: ")
        self.assertEqual(len(self.ok("list").lines()), 1)

    def test_files_are_all_or_nothing_each(self):
        self.write("good.jsonl", '{"id":"b","embedding":[1,1]}\n')
        self.write("bad.jsonl", '{"id":"c","embedding":[1,1]}\n{\n')
        self.fails(harness.INVALID, "add", "v", "good.jsonl", "bad.jsonl", says="bad.jsonl:2")
        self.assertEqual([row["id"] for row in self.ok("list", "v").lines()], ["a", "b"])

    def test_files_that_are_no_rows(self):
        os.mkdir(self.path("folder"))
        self.fails(harness.INVALID, "add", "v", "folder", says="is a directory")
        self.fails(harness.NOT_FOUND, "add", "v", "none.jsonl", says="none.jsonl")
        self.fails(harness.INVALID, "add", "v", "loci.db", says="database itself")
        shutil.copy(self.path("loci.db"), self.path("copy.sqlite"))
        self.fails(harness.INVALID, "add", "v", "copy.sqlite", says="is an SQLite database")
        self.write("x.txt", "hello")
        self.fails(harness.INVALID, "add", "v", "x.txt", says="--format")
        self.fails(harness.INVALID, "add", "v", self.write("m.jsonl", "{}"), "--meta", "m.jsonl",
                   says="--meta")
        self.fails(harness.INVALID, "add", "v", self.write("y.jsonl", ""), "--dim", 3,
                   says="is there already")

    def test_nothing_is_made_for_a_file_that_cannot_be_read(self):
        for name, content in (("a.jsonl", "{broken\n"), ("b.fvecs", b"\xff\xff\xff\xff"),
                              ("c.npy", b"\x93NUMPY"), ("d.npz", b"PK\x03\x04"),
                              ("e.csv", "a,a\n")):
            self.write(name, content)
            run = self.run_loci("--db", "deep/fresh.db", "add", "new", name)
            self.assertIn(run.code, (harness.INVALID, harness.CORRUPT), name)
            self.assertIn(name, run.err)
            self.assertFalse(os.path.exists(self.path("deep")), name)

    def test_expressions_and_queries(self):
        for where, says in (("m = 1", ["m", "n"]), ("n = 'x'", ["n"]), ("n =", []), ("n = 1 AND", []),
                            ("n LIKE 3", []), ("1; DROP TABLE v", [])):
            for verb in (["count", "v"], ["search", "v", "--vector", "1,1"], ["list", "v"],
                         ["rm", "v"], ["export", "v"]):
                self.fails(harness.INVALID, *verb, "--where", where, says=says)
        self.fails(harness.INVALID, "search", "v", "--vector", "1,2,3", says=["3", "2"])
        self.fails(harness.INVALID, "search", "v", "--vector", "0,0")
        self.fails(harness.INVALID, "search", "v", "--vector", "1e39,0")
        self.fails(harness.STATE, "search", "v", "words", "--mode", "vector")
        self.assertEqual(self.ok("count", "v").out, "1\n")


class BadFilesTest(CliTest):
    def test_a_file_that_is_not_sqlite(self):
        content = b"this is no database, though it is long enough to be one. " * 100
        self.write("x.db", content)
        for verb in (["list"], ["create", "v", "--dim", 2], ["check"], ["sql", "SELECT 1"]):
            self.fails(harness.CORRUPT, "--db", "x.db", *verb, says="x.db")
        self.assertEqual(self.read("x.db"), content)

    def test_a_directory_as_database(self):
        os.mkdir(self.path("x.db"))
        for verb in (["list"], ["create", "v", "--dim", 2]):
            self.fails(harness.INVALID, "--db", "x.db", *verb, says="director")

    def test_a_database_of_a_newer_version(self):
        self.make_notes()
        self.ok("sql", "UPDATE loci_meta SET value = 99999 WHERE key = 'schema_version'")
        before = self.read("loci.db")
        for verb in (["list"], ["add", "notes", "notes.jsonl"], ["check"], ["search", "notes", "x"]):
            self.fails(harness.STATE, *verb, says=["99999"])
        self.assertEqual(self.read("loci.db"), before)

    def test_another_model_is_refused(self):
        self.make_notes()
        self.ok("create", "foreign", "--dim", 384, "--text", "body")
        self.ok("add", "foreign", "-", stdin=json.dumps(
            {"id": "a", "body": "words", "embedding": [1] * 384}).encode())
        self.fails(harness.STATE, "search", "foreign", "words", "--mode", "vector", says="model")
        run = self.ok("search", "foreign", "words", "--json")
        self.assertIn("degraded", run.err)
        self.assertEqual(run.one()["id"], "a")

    def mount(self, *args):
        """Mounts something at self.path('mnt'), or skips."""
        os.makedirs(self.path("mnt"), exist_ok=True)
        done = subprocess.run(["mount", *args, self.path("mnt")], capture_output=True, check=False)
        if done.returncode != 0:
            self.skipTest("mounting is not permitted here: " + done.stderr.decode().strip())
        self.addCleanup(subprocess.run, ["umount", "-l", self.path("mnt")], check=False,
                        capture_output=True)

    @unittest.skipUnless(shutil.which("mount"), "no mount program")
    def test_read_only_folder_can_be_read(self):
        self.make_notes()
        os.mkdir(self.path("data"))
        os.rename(self.path("loci.db"), self.path("data/loci.db"))
        self.mount("--bind", self.path("data"))
        done = subprocess.run(["mount", "-o", "remount,ro,bind", self.path("mnt")], check=False,
                              capture_output=True)
        if done.returncode != 0:
            self.skipTest("a read-only mount is not permitted here")
        self.check_read_only("mnt/loci.db")

    @unittest.skipIf(os.geteuid() == 0, "root may write what is read-only; see the mount test")
    def test_read_only_file_can_be_read(self):
        self.make_notes()
        os.chmod(self.path("loci.db"), 0o444)
        os.chmod(self.folder, 0o555)
        self.addCleanup(os.chmod, self.folder, 0o755)
        self.check_read_only("loci.db")

    def check_read_only(self, name):
        self.assertEqual(self.ok("--db", name, "count", "notes").out, "3\n")
        self.assertEqual(
            self.ok("--db", name, "search", "notes", "garbage", "--json").lines()[0]["id"], "n1")
        self.ok("--db", name, "check")
        self.ok("--db", name, "sql", "SELECT 1")
        before = self.read(name)
        for verb in (["rm", "notes", "n1"], ["create", "w", "--dim", 2], ["reindex", "notes"],
                     ["add", "notes", "-"]):
            run = self.run_loci("--db", name, *verb, stdin=b'{"id":"x","title":"y"}\n')
            self.assertIn(run.code, (harness.STATE, harness.IO), f"{verb}: {run.err}")
            self.assertIn(os.path.basename(name), run.err)
        self.assertEqual(self.read(name), before)

    @unittest.skipUnless(shutil.which("mount"), "no mount program")
    def test_full_disk(self):
        self.mount("-t", "tmpfs", "-o", "size=2m", "none")
        self.write("small.jsonl", json.dumps(harness.NOTES[0]) + "\n")
        self.ok("--db", "mnt/loci.db", "add", "notes", "small.jsonl", "--text", "title,body")
        big = "".join(json.dumps({"id": f"x{i}", "title": "t", "body": f"words{i} " * 40}) + "\n"
                      for i in range(20000))
        self.write("big.jsonl", big)
        self.fails(harness.FULL, "--db", "mnt/loci.db", "add", "notes", "big.jsonl", says="full")
        self.assertEqual(self.ok("--db", "mnt/loci.db", "count", "notes").out, "1\n")
        self.assertIn("is clean", self.ok("--db", "mnt/loci.db", "check").out)
        with self.assertRaises(OSError), open(self.path("mnt/filler"), "wb", 0) as filler:
            while True:
                filler.write(b"x" * 4096)
        self.fails(harness.FULL, "--db", "mnt/loci.db", "backup", "mnt/copy.db", says="full")
        self.fails(harness.FULL, "--db", "mnt/loci.db", "export", "notes", "-o", "mnt/rows.jsonl")
        self.assertEqual(self.ok("--db", "mnt/loci.db", "count", "notes").out, "1\n")


if __name__ == "__main__":
    harness.main()
