# SPDX-License-Identifier: Apache-2.0
"""Files that `add` reads, and what `export` and `import` bring back."""

import io
import json
import os
import random
import struct
import zipfile

import harness
from harness import CliTest


class FormatsTest(CliTest):
    ROWS = [[1, 2, 3], [4, 5, 6], [7, 8, 9]]

    def vectors(self, name):
        return [(row["rowid"], row["embedding"])
                for row in self.ok("list", name, "--with-vectors", "--json").lines()]

    def test_every_vector_format_gives_the_same_rows(self):
        packed, stored = io.BytesIO(), io.BytesIO()
        for out, method in ((packed, zipfile.ZIP_DEFLATED), (stored, zipfile.ZIP_STORED)):
            with zipfile.ZipFile(out, "w", method) as archive:
                archive.writestr("other.npy", harness.npy([[9.0]]))
                archive.writestr("embeddings.npy", harness.npy(self.ROWS))
        files = {
            "a.fvecs": harness.fvecs(self.ROWS), "b.bvecs": harness.bvecs(self.ROWS),
            "c.fbin": harness.fbin(self.ROWS), "d.npy": harness.npy(self.ROWS),
            "e.npy": harness.npy(self.ROWS, "<f8", "d"), "f.npy": harness.npy(self.ROWS, "<f2", "e"),
            "g.npy": harness.npy(self.ROWS, "|u1", "B"), "h.npy": harness.npy(self.ROWS, "<i8", "q"),
            "i.npy": harness.npy(self.ROWS, "<f4", "f", fortran=True),
            "j.npz": packed.getvalue(), "k.npz": stored.getvalue(),
        }
        wanted = [(i + 1, row) for i, row in enumerate(self.ROWS)]
        for name, content in files.items():
            self.write(name, content)
            run = self.ok("add", "c_" + name[0], name)
            self.assertIn("metric l2", run.err, name)
            self.assertEqual(self.vectors("c_" + name[0]), wanted, name)
        self.ok("add", "piped", "-", stdin=harness.npy(self.ROWS))
        self.assertEqual(self.vectors("piped"), wanted)

    def test_elements_are_stored_rounded_and_kept_by_export_and_import(self):
        rows = [[0.1, -1.0, 60000.0], [0.5, 2.0, 3.0], [1e-7, 0.0, -0.0]]
        wanted = {
            "f32": [struct.unpack("<3f", struct.pack("<3f", *row)) for row in rows],
            "f16": [struct.unpack("<3e", struct.pack("<3e", *row)) for row in rows],
            "bf16": [[0.10009765625, -1, 59904], [0.5, 2, 3], [1.0011717677116394e-07, 0, 0]],
            "i8": [[1, -2, 3], [127, -128, 0], [5, 5, 5]],
        }
        self.write("rows.npy", harness.npy(rows))
        self.write("bytes.npy", harness.npy(wanted["i8"], "|i1", "b"))
        for element, vectors in wanted.items():
            file = "bytes.npy" if element == "i8" else "rows.npy"
            said = self.ok("add", "c_" + element, file, "--element", element, "--metric", "l2").err
            self.assertEqual(", l2, " + element in said, element != "f32", said)
            got = self.vectors("c_" + element)
            self.assertEqual([row for row, _ in got], [1, 2, 3])
            for (_, vector), want in zip(got, vectors):
                for x, y in zip(vector, want):
                    # The file holds float32 text: the nearest that JSON says of it.
                    self.assertAlmostEqual(x, y, delta=1e-7 * abs(y))
            length = {"f32": 12, "i8": 3}.get(element, 6)
            self.assertEqual(self.ok("sql", "SELECT DISTINCT length(embedding) AS n FROM "
                                     f"c_{element}_vectors", "--json").one(), {"n": length})
            near = self.ok("search", "c_" + element, "--vector", json.dumps(list(vectors[1])),
                           "-k", 1, "--json").one()
            self.assertEqual((near["rowid"], near["distance"]), (2, 0))
        self.ok("export", "--all", "-o", "saved")
        before = self.dump()
        self.ok("--db", "new.db", "import", "saved")
        os.rename(self.path("loci.db"), self.path("old.db"))
        os.rename(self.path("new.db"), self.path("loci.db"))
        self.assertEqual(self.dump(), before)
        specs = {spec["name"]: spec["vectors"][0] for spec in
                 (row["spec"] for row in self.ok("stats", "--json").lines())}
        self.assertEqual(specs["c_f16"]["element"], "f16")
        self.assertNotIn("element", specs["c_f32"])
        self.assertIn("bf16", self.ok("stats", "c_bf16", "--table").out)
        self.assertIn("is clean", self.ok("check").out)
        # Vectors of a column go out as float32 and come in as before.
        self.ok("export", "c_f16", "-o", "f16.npy")
        self.ok("add", "again", "f16.npy", "--element", "f16", "--metric", "l2")
        self.assertEqual(self.vectors("again"), self.vectors("c_f16"))

    def test_bytes_of_bvecs_fit_i8_only_below_128(self):
        self.write("low.bvecs", harness.bvecs([[0, 127, 5], [1, 2, 3]]))
        self.write("high.bvecs", harness.bvecs([[0, 127, 5], [1, 128, 3]]))
        self.ok("add", "wide", "high.bvecs")
        self.assertNotIn("element", self.ok("list", "--json").lines()[0]["spec"]["vectors"][0])
        self.ok("add", "low", "low.bvecs", "--element", "i8")
        self.assertEqual(self.vectors("low"), [(1, [0, 127, 5]), (2, [1, 2, 3])])
        self.fails(harness.INVALID, "add", "high", "high.bvecs", "--element", "i8",
                   says=["high.bvecs: row 2", "component 1 is 128", "-128 to 127", "f16"])
        self.fails(harness.INVALID, "add", "low", "high.bvecs",
                   says=["high.bvecs: row 2", "component 1 is 128", "-128 to 127"])
        self.ok("add", "exact", "high.bvecs", "--element", "bf16")
        self.assertEqual(self.vectors("exact"), [(1, [0, 127, 5]), (2, [1, 128, 3])])

    def test_meta_lines_become_fields_and_filters(self):
        self.write("v.fvecs", harness.fvecs([[0.6, 0.8], [1, 0]]))
        self.write("m.jsonl", '{"label": "cat", "n": 1, "ok": true, "x": {"y": 1}}\n'
                              '{"label": "dog", "n": 2, "ok": false}\n')
        run = self.ok("add", "v", "v.fvecs", "--meta", "m.jsonl")
        self.assertIn("metric cosine (the vectors have unit length)", run.err)
        self.assertIn("filter label:text, n:int, ok:bool", run.err)
        rows = self.ok("list", "v", "--where", "label = 'cat' AND ok = true", "--json")
        self.assertEqual(rows.one(), {"rowid": 1, "fields": {"label": "cat", "n": 1, "ok": True},
                                      "metadata": {"x": {"y": 1}}})

    def test_several_files_go_on_counting_and_reloading_updates(self):
        self.write("a.fvecs", harness.fvecs([[1, 0], [2, 0]]))
        self.write("b.fvecs", harness.fvecs([[3, 0]]))
        self.ok("add", "v", "a.fvecs", "b.fvecs")
        self.assertEqual([row for row, _ in self.vectors("v")], [1, 2, 3])
        counts = self.ok("add", "v", "a.fvecs", "--json").one()
        self.assertEqual((counts["inserted"], counts["updated"]), (0, 2))
        self.ok("add", "v", "b.fvecs", "--first-rowid", 10)
        self.assertEqual([row for row, _ in self.vectors("v")], [1, 2, 3, 10])

    def test_json_arrays_and_csv(self):
        self.write("a.json", json.dumps(harness.NOTES, indent=1))
        self.ok("add", "a", "a.json")
        self.assertEqual(self.ok("count", "a", "--where", "lang = 'rust'").out, "2\n")
        self.write("b.csv", 'id,title,year,vector\r\nx,"He said ""hi"", twice",2001,"[1, 2]"\r\n'
                            'y,"two\nlines",,"[3, 4]"\r\n')
        run = self.ok("add", "b", "b.csv")
        self.assertIn("vector embedding (2, cosine)", run.err)
        rows = self.ok("list", "b", "--with-vectors", "--json").lines()
        self.assertEqual(rows[0]["fields"], {"title": 'He said "hi", twice', "year": 2001})
        self.assertEqual(rows[1]["fields"], {"title": "two\nlines", "year": None})
        self.assertEqual(rows[1]["embedding"], [3, 4])
        self.write("c.tsv", "id\tbody\n1\tsome words, here\n")
        self.ok("add", "c", "c.tsv")
        self.assertEqual(self.ok("list", "c", "--json").one()["fields"]["body"],
                         "some words, here")

    def test_metadata_is_kept_as_written(self):
        text = '{"n": 1.50, "big": 123456789012345678901234567890, "s": "\\u00e9"}'
        self.ok("create", "t", "--text", "body", "--model", "none")
        self.ok("add", "t", "-", stdin=('{"id":"a","body":"b","metadata":%s}' % text).encode())
        self.assertIn(text, self.ok("get", "t", "a", "--json").out)


class TransferTest(CliTest):
    def fill(self):
        rng = random.Random(3)
        self.ok("create", "all", "--text", "t", "--filter", "a:text,b:int,c:float,d:bool",
                "--vector", "v:5:l2", "--vector", "w:3:cosine")
        rows = []
        for i in range(50):
            row = {"id": f"r{i}", "rowid": 1000 - 7 * i, "t": f"word{i} \u00e9\u6f22 \"x\"\n,",
                   "a": None if i % 3 else f"a{i}", "b": -i * 10**15, "c": rng.uniform(-1, 1),
                   "d": i % 2 == 0,
                   "v": [struct.unpack("<f", struct.pack("<f", rng.uniform(-1e3, 1e3)))[0]
                         for _ in range(5)],
                   "metadata": {"k": i, "s": "a\"b"}}
            if i % 4:
                row["w"] = [rng.uniform(0.1, 1) for _ in range(3)]
            rows.append(json.dumps(row))
        self.ok("add", "all", "-", stdin="\n".join(rows).encode())
        self.ok("archive", "all", "r3", "r4")
        self.write("v.bvecs", harness.bvecs([[1, 2], [3, 4]]))
        self.ok("add", "plain", "v.bvecs")

    def test_export_all_and_import_round_trip(self):
        self.fill()
        self.make_notes()
        self.ok("export", "--all", "-o", "saved/x")
        self.assertEqual(sorted(os.listdir(self.path("saved/x"))), ["all", "notes", "plain"])
        before = self.dump()
        self.ok("--db", "new/other.db", "import", "saved/x")
        os.rename(self.path("loci.db"), self.path("old.db"))
        os.rename(self.path("new/other.db"), self.path("loci.db"))
        after = self.dump()
        self.assertEqual(after, before)
        self.assertEqual(self.ok("count", "all").out, "48\n")
        self.fails(harness.EXISTS, "import", "saved/x/plain", says="plain")
        self.assertIn("is clean", self.ok("check").out)

    def test_import_is_all_or_nothing(self):
        self.fill()
        self.ok("export", "all", "--all", "-o", "saved")
        rows = self.read("saved/all/rows.jsonl").splitlines(keepends=True)
        rows[20] = b'{"rowid": 5, "b": "no number"}\n'
        self.write("saved/all/rows.jsonl", b"".join(rows))
        self.fails(harness.INVALID, "--db", "new.db", "import", "saved", says=["rows.jsonl:21", "'b'"])
        self.assertEqual(self.ok("--db", "new.db", "list", "--json").out, "")
        self.fails(harness.NOT_FOUND, "import", "nowhere", says="nowhere")
        self.fails(harness.INVALID, "import", self.write("x.jsonl", "{}"), says="loci add")

    def test_csv_and_json_lines_are_read_back(self):
        self.fill()
        spec = ["--text", "t", "--filter", "a:text,b:int,c:float,d:bool", "--vector", "v:5:l2",
                "--vector", "w:3:cosine"]
        lines = self.ok("export", "all").out
        for name in ("x.jsonl", "x.csv", "x.tsv"):
            self.ok("export", "all", "-o", name)
            self.ok("--db", name + ".db", "create", "all", *spec)
            self.ok("--db", name + ".db", "add", "all", name)
            back = self.ok("--db", name + ".db", "export", "all").lines()
            wanted = [json.loads(line) for line in lines.splitlines()]
            for row in back + wanted:
                row.pop("rowid")
            by_id = lambda row: row["id"]
            self.assertEqual(sorted(back, key=by_id), sorted(wanted, key=by_id), name)

    def test_vector_formats_are_read_back(self):
        self.fill()
        wanted = [row["v"] for row in self.ok("export", "all", "--archived").lines()]
        for name in ("x.npy", "x.fbin", "x.fvecs"):
            self.ok("export", "all", "--archived", "-o", name)
            self.ok("--db", name + ".db", "add", "v", name)
            rows = self.ok("--db", name + ".db", "list", "v", "--with-vectors", "--json").lines()
            self.assertEqual([row["embedding"] for row in rows], wanted, name)
        run = self.ok("export", "all", "--column", "w", "-o", "w.npy")
        self.assertIn("have no vector", run.err)
        self.fails(harness.INVALID, "export", "all", "--format", "npy", says="-o FILE")
        self.fails(harness.INVALID, "export", "all", "--format", "xls", says="jsonl")
        self.fails(harness.INVALID, "export", "all", "-o", "loci.db", says="database itself")
        self.assertEqual([n for n in os.listdir(self.folder) if n.endswith(".partial")], [])


if __name__ == "__main__":
    harness.main()
