# SPDX-License-Identifier: Apache-2.0
"""The command line itself: help, versions, slips of the finger, and the examples of every verb."""

import os
import re
import subprocess

import harness
from harness import CliTest


class UsageTest(CliTest):
    def verbs(self):
        text = self.ok("--help").out
        listed = text[text.index("Subcommands:"):text.index("Environment:")]
        return re.findall(r"(?m)^  ([a-z]+) +\S", listed)

    def test_version(self):
        self.assertRegex(self.ok("--version").out,
                         r"^loci \d+\.\d+\.\d+\nSQLite 3\.\d+\.\d+\nSIMD [a-z0-9]+\n$")

    def test_no_and_unknown_verbs(self):
        self.fails(harness.USAGE, says="--help")
        self.fails(harness.USAGE, "serch", "notes", "x", says="did you mean 'search'?")
        self.fails(harness.USAGE, "--db", "x.db", "lsit", says="did you mean 'list'?")
        self.fails(harness.USAGE, "xyzzy", says="search")
        self.fails(harness.USAGE, "search", says="NAME")
        self.fails(harness.USAGE, "list", "--nonsense", says="--nonsense")
        self.fails(harness.USAGE, "list", "x", "--limit", "many")

    def test_words_that_look_like_verbs_lists_and_options(self):
        self.make_notes()
        self.ok("search", "notes", "add", "list", "[rust]", "--mode", "text")
        self.ok("add", "notes", "-", stdin=b'{"id":"a"}\n{"id":"[a]"}\n{"id":"[a,b]"}\n{"id":"-a"}')
        self.ok("rm", "notes", "[a]", "[a,b]")
        self.ok("rm", "notes", "--", "-a")
        self.assertEqual(self.ok("get", "notes", "a", "--json").one()["id"], "a")
        self.assertEqual(self.ok("count", "notes").out, "4\n")

    def test_unknown_collections(self):
        self.make_notes()
        self.fails(harness.NOT_FOUND, "count", "nots", says="did you mean 'notes'?")
        self.fails(harness.NOT_FOUND, "count", "zebra", says="it has: notes")

    def test_unknown_instruction_set(self):
        run = self.fails(harness.INVALID, "create", "v", "--dim", 2, env={"LOCI_SIMD": "quantum"},
                         says="quantum")
        self.assertIn("scalar", run.err)
        self.assertIn("SIMD scalar", self.ok("--version", env={"LOCI_SIMD": "scalar"}).out)

    def test_every_verb_is_documented(self):
        with open(os.path.join(harness.SOURCE, "docs", "cli.md"), encoding="utf-8") as file:
            document = file.read()
        verbs = self.verbs()
        self.assertEqual(len(verbs), 24, verbs)
        for verb in verbs:
            self.assertIn(f"`{verb} ", document.replace(f"`{verb}`", f"`{verb} "), verb)

    def prepare(self):
        """What the examples take for granted."""
        self.make_notes()
        rows = [[i % 256, (7 * i) % 256, 3] for i in range(20)]
        self.write("base.bvecs", harness.bvecs(rows))
        self.write("base_meta.jsonl", "".join('{"label": "%d"}\n' % i for i in range(20)))
        self.write("query.bvecs", harness.bvecs(rows[:2]))
        self.write("groundtruth.ivecs", harness.ivecs(
            [sorted(range(20), key=lambda i: sum((a - b) ** 2 for a, b in zip(rows[i], rows[q])))
             for q in range(2)]))
        self.write("more.csv", "id,title,body,lang,year\nn4,Macros,text that writes code,c,1975\n")
        self.write("query.json", "[1, 7, 3]")
        self.ok("add", "images", "base.bvecs", "--meta", "base_meta.jsonl")
        self.ok("export", "--all", "-o", "saved")

    def test_examples_of_every_verb_run(self):
        folder = os.path.dirname(os.path.abspath(harness.PROGRAM))
        env = dict(os.environ, PATH=folder + os.pathsep + os.environ["PATH"])
        env.pop("LOCI_DB", None)
        for verb in self.verbs():
            with self.subTest(verb=verb):
                self.setUp()
                self.prepare()
                if verb == "create":
                    os.remove(self.path("loci.db"))
                if verb == "history":
                    self.ok("alter", "notes", "--history")
                text = self.ok(verb, "--help").out
                examples = [line.strip() for line in text[text.index("Examples:"):].splitlines()[1:]
                            if line.strip()]
                self.assertTrue(examples, verb)
                for line in examples:
                    if "[0.1, 0.2, 0.3]" in line:  # three components: for images, not for notes
                        line = line.replace("notes", "images")
                    done = subprocess.run(line, shell=True, cwd=self.folder, env=env, check=False,
                                          capture_output=True, timeout=240)
                    self.assertEqual(done.returncode, 0,
                                     f"{line}: {done.stderr.decode('utf-8', 'replace')}")


if __name__ == "__main__":
    harness.main()
