# SPDX-License-Identifier: Apache-2.0
"""Every verb once, as a user would."""

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import termios

import harness
from harness import CliTest


class VerbsTest(CliTest):
    def test_create_says_what_it_made_and_chose(self):
        run = self.ok("create", "notes", "--text", "title,body", "--filter", "year:int")
        self.assertIn("created 'notes'", run.out)
        self.assertIn("hash:384:v1", run.out)
        self.assertIn("chosen for you: model hash", run.out)
        self.fails(harness.EXISTS, "create", "notes", "--dim", 3, says="notes")
        spec = self.ok("create", "v", "--dim", 3, "--metric", "l2", "--json").one()
        self.assertEqual(spec["vectors"], [{"name": "embedding", "dim": 3, "metric": "l2"}])

    def test_create_makes_missing_folders_and_reads_do_not(self):
        self.fails(harness.NOT_FOUND, "--db", "a/b/c.db", "list", says=["a/b/c.db", "--db"])
        self.assertFalse(os.path.exists(self.path("a")))
        self.ok("--db", "a/b/c.db", "create", "v", "--dim", 3)
        self.assertTrue(os.path.exists(self.path("a/b/c.db")))
        for verb in (["count", "x"], ["search", "x", "y"], ["stats"], ["check"], ["export", "x"],
                     ["rm", "x", "1"], ["sql", "SELECT 1"], ["migrate"], ["backup", "y.db"]):
            self.fails(harness.NOT_FOUND, "--db", "none.db", *verb, says="none.db")
            self.assertFalse(os.path.exists(self.path("none.db")), verb)

    def test_several_vector_columns(self):
        self.ok("create", "p", "--vector", "a:2:l2", "--vector", "b:3:cosine", "--text", "t")
        self.ok("add", "p", "-", stdin=b'{"id":"x","a":[1,2],"b":[1,0,0],"t":"word"}\n')
        hit = self.ok("search", "p", "--vector", "1,1", "--column", "a", "--mode", "vector",
                      "--json").one()
        self.assertEqual((hit["id"], hit["distance"]), ("x", 1.0))
        hit = self.ok("search", "p", "--vector", "[0,1,0]", "--column", "b", "--mode", "vector",
                      "--json").one()
        self.assertEqual(hit["distance"], 1.0)

    def test_create_takes_an_element(self):
        run = self.ok("create", "v", "--dim", 384, "--element", "f16")
        self.assertIn("vector embedding (384, cosine, f16)", run.out)
        spec = self.ok("create", "w", "--vector", "a:2:l2:i8", "--vector", "b:3", "--json").one()
        self.assertEqual(spec["vectors"], [
            {"name": "a", "dim": 2, "metric": "l2", "element": "i8"},
            {"name": "b", "dim": 3, "metric": "cosine"}])
        run = self.ok("create", "notes", "--text", "body", "--element", "bf16")
        self.assertIn("(384, cosine, bf16, model hash:384:v1)", run.out)
        for args, says in [
                (["--dim", 3, "--element", "f64"], "f32, f16, bf16, i8"),
                (["--dim", 8, "--metric", "hamming", "--element", "f16"], "hamming"),
                (["--text", "t", "--element", "i8"], "whole numbers"),
                (["--text", "t", "--model", "none", "--element", "f16"], "--dim"),
                (["--vector", "a:3", "--element", "f16"], "--vector"),
                (["--vector", "a:3:l2:f16:x"], "name:dim:metric:element")]:
            self.fails(harness.INVALID, "create", "bad", *args, says=says)
        self.fails(harness.INVALID, "add", "v", "-", stdin=b'{"id":"a","embedding":[%s]}'
                   % b",".join([b"70000"] * 384), says=["-:1", "component 0 is 70000", "65504"])
        self.fails(harness.INVALID, "add", "v", "-", "--element", "f16", stdin=b'{"id":"a"}',
                   says=["is there already", "--element"])

    def test_alter_adds_columns(self):
        self.make_notes()
        self.ok("alter", "notes", "--add-filter", "stars:int", "--add-text", "summary")
        self.ok("add", "notes", "-", stdin=b'{"id":"n1","stars":5,"summary":"borrowing"}\n')
        row = self.ok("get", "notes", "n1", "--json").one()
        self.assertEqual(row["fields"]["stars"], 5)
        self.assertEqual(row["fields"]["title"], "Ownership")
        hits = self.ok("search", "notes", "borrowing", "--mode", "text", "--json").lines()
        self.assertEqual([hit["id"] for hit in hits], ["n1"])
        self.fails(harness.INVALID, "alter", "notes", says="--add-text")

    def test_history_says_what_was_until_when(self):
        self.make_notes()
        self.fails(harness.STATE, "history", "notes", "n1", says="keeps no history")
        self.ok("alter", "notes", "--history", "--history-versions", 5)
        self.ok("add", "notes", "-", stdin=b'{"id":"n1","title":"Changed","year":2001}\n')
        self.ok("archive", "notes", "n1")
        lines = self.ok("history", "notes", "n1", "--json", "--with-vectors").lines()
        self.assertEqual([line["change"] for line in lines], ["now", "update", "update"])
        self.assertEqual(lines[1]["changed"], ["archived"])
        self.assertEqual(lines[2]["changed"], ["title", "year", "embedding"])
        self.assertEqual(lines[2]["fields"]["title"], "Ownership")
        self.assertEqual(len(lines[2]["embedding"]), 384)
        self.assertRegex(lines[2]["until"], r"^\d{4}-\d\d-\d\dT")
        self.assertGreater(lines[1]["version"], lines[2]["version"])
        self.assertGreater(lines[1]["log_scn"], lines[2]["log_scn"])
        table = self.ok("history", "notes", "n1", "--table", env={"COLUMNS": "160"}).out
        self.assertIn("title: Ownership -> Changed", table)
        self.ok("rm", "notes", "n1")
        lines = self.ok("history", "notes", "n1", "--json", "--limit", 2).lines()
        self.assertEqual([line["change"] for line in lines], ["delete", "update"])
        self.assertIn("deleted", self.ok("history", "notes", "n1", "--table").out)
        self.fails(harness.NOT_FOUND, "history", "notes", "n99", says="n99")
        self.assertIn("its history", self.ok("purge", "notes", "n1", "--dry-run").out)
        self.assertEqual(self.ok("purge", "notes", "n1").out, "purged 1 rows\n")
        self.fails(harness.NOT_FOUND, "history", "notes", "n1")
        self.fails(harness.NOT_FOUND, "purge", "notes", "n1")
        self.fails(harness.STATE, "alter", "notes", "--no-history", says="--yes")
        self.ok("alter", "notes", "--no-history", "--yes")
        self.fails(harness.STATE, "history", "notes", "n2", says="keeps no history")
        self.assertEqual(self.ok("check").out.count("history"), 0)

    def test_history_is_chosen_at_creation_and_exported(self):
        self.ok("create", "h", "--dim", 3, "--history", "--history-days", 30)
        spec = self.ok("list", "--json").one()["spec"]
        self.assertEqual((spec["history"], spec["history_versions"], spec["history_days"]),
                         (True, 100, 30))
        self.fails(harness.INVALID, "create", "i", "--dim", 3, "--history-versions", 10001,
                   says="10000")
        self.ok("export", "--all", "-o", "saved")
        self.ok("import", "saved", "--db", "new.db")
        self.assertEqual(self.ok("list", "--json", "--db", "new.db").one()["spec"], spec)

    def test_add_updates_ignores_or_refuses(self):
        self.make_notes()
        again = json.dumps({"id": "n1", "title": "Changed"}).encode()
        self.assertEqual(self.ok("add", "notes", "-", "--json", stdin=again).one()["updated"], 1)
        row = self.ok("get", "notes", "n1", "--json").one()
        self.assertEqual(row["fields"]["title"], "Changed")
        self.assertEqual(row["fields"]["lang"], "rust")
        self.ok("add", "notes", "-", "--on-conflict", "ignore",
                stdin=b'{"id":"n1","title":"Other"}')
        self.assertEqual(self.ok("get", "notes", "n1", "--json").one()["fields"]["title"],
                         "Changed")
        self.fails(harness.EXISTS, "add", "notes", "-", "--on-conflict", "error",
                   stdin=b'{"id":"n9","title":"x"}\n{"id":"n1","title":"y"}\n', says="-:2: ")
        self.assertEqual(self.ok("count", "notes").out, "3\n")

    def test_get_list_and_count(self):
        self.make_notes()
        row = self.ok("get", "notes", "n3", "--json").one()
        self.assertEqual(row["metadata"], {"tags": ["grammar", "speed"]})
        self.assertEqual(row["fields"]["year"], 2019)
        self.assertRegex(row["created_at"], r"^\d{4}-\d\d-\d\dT")
        vector = self.ok("get", "notes", "n3", "--json", "--with-vectors").one()["embedding"]
        self.assertEqual(len(vector), 384)
        self.assertEqual(self.ok("get", "notes", "2", "--rowid", "--json").one()["id"], "n2")
        run = self.fails(harness.NOT_FOUND, "get", "notes", "n1", "zz", says="'zz'")
        self.assertIn('"n1"', run.out)
        rows = self.ok("list", "notes", "--where", "lang = 'rust'", "--limit", 1, "--offset", 1,
                       "--json").lines()
        self.assertEqual([row["id"] for row in rows], ["n3"])
        self.assertEqual(self.ok("count", "notes", "--where", "year > 2000").out, "2\n")
        self.assertEqual(self.ok("count", "notes", "--json").one(), {"count": 3})
        self.assertIn("notes", self.ok("list", "--table").out)
        self.assertIn("year:int", self.ok("list", "--table", env={"COLUMNS": "300"}).out)

    def test_rm_archive_restore_purge(self):
        self.make_notes()
        self.assertIn("would be removed: 2 rows",
                      self.ok("rm", "notes", "--where", "lang='rust'", "--dry-run").out)
        self.assertEqual(self.ok("count", "notes").out, "3\n")
        self.ok("archive", "notes", "n1")
        self.assertEqual(self.ok("count", "notes").out, "2\n")
        self.assertEqual(self.ok("count", "notes", "--archived").out, "3\n")
        self.assertNotIn("n1", self.ok("search", "notes", "memory safety").out)
        self.assertIn("n1", self.ok("search", "notes", "memory safety", "--archived").out)
        self.ok("restore", "notes", "n1")
        self.assertIn("n1", self.ok("search", "notes", "memory safety").out)
        self.assertEqual(self.ok("rm", "notes", "n2", "--json").one(), {"removed": 1})
        self.fails(harness.NOT_FOUND, "rm", "notes", "n2", says="n2")
        self.fails(harness.STATE, "rm", "notes", "--all", says="--yes")
        self.fails(harness.INVALID, "rm", "notes", says="--where")
        self.fails(harness.INVALID, "rm", "notes", "n1", "--all", says="--where")
        self.ok("purge", "notes", "n3", "--dry-run")
        self.assertEqual(self.ok("purge", "notes", "n3").out, "purged 1 rows\n")
        for folder, _, names in os.walk(self.folder):
            for name in names:
                path = os.path.relpath(os.path.join(folder, name), self.folder)
                if path.startswith("loci.db"):
                    self.assertNotIn(b"backtracks", self.read(path), path)
        self.ok("rm", "notes", "--all", "--yes")
        self.assertEqual(self.ok("count", "notes").out, "0\n")
        self.assertIn("is clean", self.ok("check").out)

    def test_drop_asks(self):
        self.make_notes()
        self.assertIn("would drop", self.ok("drop", "notes", "--dry-run").out)
        self.fails(harness.STATE, "drop", "notes", says=["3 rows", "--yes"])
        self.ok("drop", "notes", "--yes")
        self.assertEqual(self.ok("list", "--json").out, "")

    def test_search_modes_and_filters(self):
        self.make_notes()
        hits = self.ok("search", "notes", "garbage collector", "--json").lines()
        self.assertEqual(hits[0]["id"], "n1")
        for name in ("rowid", "distance", "similarity", "score", "fields", "snippet"):
            self.assertIn(name, hits[0])
        self.assertIn("[garbage]", hits[0]["snippet"])
        text = self.ok("search", "notes", "parser", "--mode", "text", "--json").lines()
        self.assertEqual([hit["id"] for hit in text], ["n3"])
        self.assertNotIn("distance", text[0])
        old = self.ok("search", "notes", "code", "--where", "year < 2000", "--json").lines()
        self.assertEqual([hit["id"] for hit in old], ["n2"])
        self.fails(harness.INVALID, "search", "notes", says="--vector")
        self.fails(harness.INVALID, "search", "notes", "x", "--mode", "magic", says="hybrid")
        self.fails(harness.INVALID, "search", "notes", "x", "--where", "yeer = 1", says="year")
        self.fails(harness.INVALID, "search", "notes", "--vector", "1,2", "--mode", "vector",
                   says=["2", "384"])

    def test_search_table_has_passages_and_a_line_about_the_plan(self):
        self.make_notes()
        run = self.ok("search", "notes", "garbage collector", "--table", "-k", 1)
        lines = run.out.splitlines()
        self.assertRegex(lines[0], r"^#  id +distance +score +title +fields +passage")
        self.assertIn("Ownership", lines[1])
        self.assertIn("lang=rust", lines[1])
        self.assertRegex(lines[-1], r"^1 hits, .*scan.*, [0-9.]+ [mu]s$")
        for line in self.ok("search", "notes", "code", "--table", env={"COLUMNS": "60"}).out \
                .splitlines()[:-1]:
            self.assertLessEqual(len(line), 60)
        self.assertIn("no hits", self.ok("search", "notes", "zebra", "--mode", "text",
                                         "--table").out)

    def test_vectors_from_arguments_files_and_pipes(self):
        self.write("v.fvecs", harness.fvecs([[0, 0], [3, 4], [6, 8]]))
        self.ok("add", "v", "v.fvecs")
        self.write("q.json", "[3, 4]")
        self.write("q.npy", harness.npy([[3.0, 4.0]]))
        self.write("q.fvecs", harness.fvecs([[3, 4]]))
        for vector, stdin in (("[3,4]", b""), ("3, 4", b""), ("@q.json", b""), ("@q.npy", b""),
                              ("@q.fvecs", b""), ("-", b"3,4\n")):
            hits = self.ok("search", "v", "--vector", vector, "--json", stdin=stdin).lines()
            self.assertEqual([(h["rowid"], h["distance"]) for h in hits],
                             [(2, 0), (1, 5), (3, 5)], vector)
        hits = self.ok("search", "v", "--vector", "-3,-4", "--json", "-k", 1).lines()
        self.assertEqual(hits[0]["rowid"], 1)
        near = self.ok("search", "v", "--vector", "3,4", "-k", 0, "--max-distance", 4,
                       "--json").lines()
        self.assertEqual([h["rowid"] for h in near], [2])
        similar = self.ok("search", "v", "--vector", "3,4", "--min-similarity", 0.9,
                          "--json").lines()
        self.assertEqual([h["rowid"] for h in similar], [2])
        for bad in ("x", "[1,", "", "[]", "[\"a\"]"):
            self.fails(harness.INVALID, "search", "v", "--vector", bad)
        self.fails(harness.NOT_FOUND, "search", "v", "--vector", "@none", says="none")

    def test_explain_and_stats(self):
        self.make_notes()
        explain = self.ok("explain", "notes", "parser", "--where", "year > 2000", "--json").one()
        self.assertEqual(explain["rows"], 3)
        self.assertEqual(explain["passed_filter"], 2)
        self.assertIn("scan", explain["plan"])
        self.assertRegex(self.ok("explain", "notes", "parser").out, r"(?m)^plan +.*\nwhy ")
        stats = self.ok("stats", "notes", "--json").one()
        self.assertEqual((stats["rows"], stats["pending"], stats["vectors"]),
                         (3, 0, {"embedding": 3}))
        self.assertIn("vectors in embedding", self.ok("stats").out)

    def test_embed_fills_pending_rows(self):
        self.make_notes()
        self.ok("sql", "INSERT INTO notes(id, title, body) VALUES ('n4', 'Plain', 'by plain SQL')")
        self.assertEqual(self.ok("stats", "notes", "--json").one()["pending"], 1)
        self.assertEqual(self.ok("embed", "notes", "--json").one(), {"embedded": 1})
        self.assertEqual(self.ok("stats", "notes", "--json").one()["pending"], 0)

    def test_sql(self):
        self.make_notes()
        rows = self.ok("sql", "SELECT lang, count(*) AS n FROM notes GROUP BY lang ORDER BY lang",
                       "--json").lines()
        self.assertEqual(rows, [{"lang": "c++", "n": 1}, {"lang": "rust", "n": 2}])
        self.assertEqual(self.ok("sql", "SELECT 1 AS x, NULL AS y", "--table").out,
                         "x  y\n1  NULL\n")
        run = self.run_loci("sql", "SELEC 1")
        self.assertNotEqual(run.code, 0)
        self.assertIn("syntax error", run.err)
        run = self.run_loci("sql", "--read-only", "DELETE FROM notes")
        self.assertNotEqual(run.code, 0)
        self.assertEqual(self.ok("count", "notes").out, "3\n")

    def test_backup_reindex_check_migrate(self):
        self.make_notes()
        self.ok("backup", "copy.db")
        self.assertEqual(self.ok("--db", "copy.db", "count", "notes").out, "3\n")
        self.assertNotEqual(self.run_loci("backup", "copy.db").code, 0)
        self.ok("reindex", "notes")
        self.assertIn("is clean", self.ok("check").out)
        self.assertEqual(self.ok("check", "--json").out, "")
        self.ok("sql", "DELETE FROM notes_vectors WHERE rowid = 1")
        states = self.ok("migrate", "status", "--json").lines()
        self.assertTrue(all(state["applied"] for state in states))
        self.assertEqual(states[0]["version"], 1)
        self.ok("migrate", "up")
        self.fails(harness.INVALID, "migrate", "sideways", says="status")

    def test_check_finds_and_repairs(self):
        self.make_notes()
        self.ok("sql", "INSERT INTO notes_fts(notes_fts, rowid, title, body) "
                       "VALUES ('delete', 1, 'Ownership', "
                       "'Memory safety without a garbage collector')")
        run = self.run_loci("check")
        self.assertEqual(run.code, harness.FINDINGS, run.out + run.err)
        self.assertIn("notes", run.out)
        self.assertIn("[repaired]", self.ok("check", "--repair").out)
        self.assertIn("is clean", self.ok("check").out)


class OutputTest(CliTest):
    def test_json_lines_in_a_pipe_tables_when_asked(self):
        self.make_notes()
        self.assertEqual(len(self.ok("list", "notes").lines()), 3)
        self.assertTrue(self.ok("list", "notes", "--table").out.startswith("id"))
        self.fails(harness.USAGE, "list", "notes", "--table", "--json", says="--json")

    def on_terminal(self, *args, env=None):
        """Runs the program with a terminal of 80 columns as its three streams."""
        leader, follower = pty.openpty()
        fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        whole = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "NO_COLOR")}
        process = subprocess.Popen([harness.PROGRAM, *args], stdin=follower, stdout=follower,
                                   stderr=follower, cwd=self.folder, env={**whole, **(env or {})})
        os.close(follower)
        out = b""
        while True:
            try:
                piece = os.read(leader, 65536)
            except OSError:  # EIO: the other side is closed
                break
            if not piece:
                break
            out += piece
        os.close(leader)
        self.assertEqual(process.wait(60), 0, out)
        return out.decode()

    def test_tables_and_colours_on_a_terminal(self):
        self.make_notes()
        out = self.on_terminal("search", "notes", "garbage collector")
        self.assertIn("\x1b[1m#  id", out)
        self.assertIn("\x1b[2m3 hits, ", out)
        for line in re.sub("\x1b\\[[0-9]m", "", out).splitlines()[:-1]:
            self.assertLessEqual(len(line), 80)
        self.assertNotIn("\x1b", self.on_terminal("list", "notes", env={"NO_COLOR": "1"}))
        self.assertTrue(self.on_terminal("list", "notes", "--json").startswith("{"))

    def test_progress_with_remaining_time_on_a_terminal(self):
        self.write("v.fvecs", harness.fvecs([[float(i), 1.0] for i in range(5000)]))
        out = self.on_terminal("add", "v", "v.fvecs", "--progress")
        self.assertRegex(out, r"\radd v.fvecs: \d+ rows, \d+ %, \d+ rows/s, ETA \d+m\d\ds")
        self.assertIn("added 5000 rows", out)

    def test_what_rows_hold_never_reaches_the_terminal_raw(self):
        self.ok("create", "t", "--text", "body", "--model", "none")
        self.ok("add", "t", "-", stdin=b'{"id":"a","body":"x \\u001b[31m y \\u009b z"}\n')
        self.assertNotIn("\x1b", self.ok("list", "t", "--table").out)
        self.assertNotIn("\x1b", self.ok("get", "t", "a", "--table").out)
        self.assertEqual(self.ok("list", "t", "--json").one()["fields"]["body"],
                         "x \x1b[31m y \x9b z")

    def test_list_output_can_be_added_again(self):
        self.make_notes()
        rows = self.ok("list", "notes", "--with-vectors", "--json").out
        self.ok("--db", "other.db", "create", "notes", "--text", "title,body", "--filter",
                "lang:text,year:int", "--model", "hash")
        self.ok("--db", "other.db", "add", "notes", "-", stdin=rows.encode())
        self.assertEqual(
            self.ok("--db", "other.db", "list", "notes", "--with-vectors", "--json").out, rows)

    def test_progress_when_forced_goes_to_stderr(self):
        self.make_notes()
        run = self.ok("export", "notes", "--progress")
        self.assertEqual(len(run.lines()), 3)
        self.assertIn("export notes: 1 rows", run.err)
        self.assertEqual(self.ok("export", "notes").err, "")

    def test_place_of_the_snapshot(self):
        self.write("v.fvecs", harness.fvecs([[float(i), 1.0] for i in range(3000)]))
        for place, folder in (("file", True), ("inline", False), ("memory", False)):
            self.ok("--db", place + ".db", "--snapshot", place, "add", "v", "v.fvecs")
            self.assertEqual(os.path.exists(self.path(place + ".db-loci")), folder)
            explain = self.ok("--db", place + ".db", "explain", "v", "--vector", "[7,1]",
                              "--json").one()
            self.assertEqual(explain["snapshot"], place)
        self.fails(harness.USAGE, "--snapshot", "cloud", "list", says="inline")

    def test_log_levels(self):
        self.make_notes()
        self.fails(harness.INVALID, "list", env={"LOCI_LOG": "loud"}, says="debug")
        self.ok("list", env={"LOCI_LOG": "debug"})

    def test_database_from_the_environment(self):
        self.ok("create", "v", "--dim", 2, env={"LOCI_DB": "env.db"})
        self.assertTrue(os.path.exists(self.path("env.db")))
        self.assertEqual(len(self.ok("--db", "env.db", "list").lines()), 1)


if __name__ == "__main__":
    harness.main()
