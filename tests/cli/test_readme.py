# SPDX-License-Identifier: Apache-2.0
"""The README says what the program does: its console blocks are run, its C++ is that of an example.

In a ```console block a line that begins with "$ " is run; the lines up to the next one are what it
must print. A time ("1.20 ms") and runs of blanks may differ; "..." stands for any text.
"""

import os
import re
import subprocess

import harness
from harness import CliTest


def read(*parts):
    with open(os.path.join(harness.SOURCE, *parts), encoding="utf-8") as file:
        return file.read()


def blocks(text, language):
    return re.findall(rf"(?ms)^```{language}\n(.*?)^```", text)


def pattern(expected):
    expected = re.sub(r"[ \t]+", " ", expected.strip())
    out = re.escape(expected).replace(r"\.\.\.", ".*").replace(r"\ ", " +")
    return re.sub(r"\d+(\\\.\d+)? \+(us|ms|s)\b", "[0-9.]+ +(us|ms|s)", out)


class ReadmeTest(CliTest):
    def test_console_blocks_print_what_they_show(self):
        folder = os.path.dirname(os.path.abspath(harness.PROGRAM))
        env = dict(os.environ, PATH=folder + os.pathsep + os.environ["PATH"], COLUMNS="100")
        env.pop("LOCI_DB", None)
        found = blocks(read("README.md"), "console")
        self.assertTrue(found)
        for block in found:
            for step in re.split(r"(?m)^\$ ", block)[1:]:
                command, _, expected = step.partition("\n")
                while command.endswith("\\"):
                    more, _, expected = expected.partition("\n")
                    command = command[:-1] + more
                if "<<" in command:  # a here document belongs to the command
                    end = re.search(r"<<\s*'?(\w+)'?", command).group(1)
                    body, _, expected = expected.partition(f"\n{end}\n")
                    command += f"\n{body}\n{end}"
                done = subprocess.run(["bash", "-c", command], cwd=self.folder, env=env,
                                      capture_output=True, timeout=240, check=False)
                self.assertEqual(done.returncode, 0, command + done.stderr.decode())
                shown = re.sub(r"[ \t]+", " ", (done.stderr + done.stdout).decode().strip())
                self.assertRegex(shown, re.compile("^" + pattern(expected) + "$", re.DOTALL),
                                 command)

    def test_cpp_block_is_part_of_the_quickstart(self):
        example = re.sub(r"\s+", " ", read("examples", "quickstart.cc"))
        found = blocks(read("README.md"), "cpp")
        self.assertTrue(found)
        for block in found:
            self.assertIn(re.sub(r"\s+", " ", block).strip(), example)

    def test_links_lead_somewhere(self):
        for target in re.findall(r"\]\(([^)#]+)\)", read("README.md")):
            if not target.startswith("http"):
                self.assertTrue(os.path.exists(os.path.join(harness.SOURCE, target)), target)


if __name__ == "__main__":
    harness.main()
