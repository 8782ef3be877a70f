// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "readers/json_parse.h"
#include "readers/row_reader.h"
#include "testing/temp_file.h"

namespace loci::cli {
namespace {

using testing::TempFiles;

/// Each row as "place {json}", "place ! error", or "failed: error" at the end.
std::vector<std::string> read_all(const std::string& path, const std::string& format = {}) {
  std::vector<std::string> out;
  const auto reader = open_rows(path, {.format = format, .meta = {}});
  if (!reader.has_value()) return {"failed: " + std::string(reader.error().message())};
  InputRow row;
  while (true) {
    const Result<Read> read = (*reader)->next(row);
    if (!read.has_value()) {
      out.push_back("failed: " + std::string(read.error().message()));
      return out;
    }
    if (*read == Read::kEnd) return out;
    const std::string line = std::to_string(row.line);
    out.push_back(*read == Read::kBad ? line + " ! " + row.error : line + " " + row.object.dump());
  }
}

TEST(JsonRowsTest, LinesBlankLinesAndTheByteOrderMark) {
  const TempFiles files;
  EXPECT_EQ(read_all(files.write("a.jsonl", "\xEF\xBB\xBF{\"a\":1}\r\n\n  \n{\"b\":2}")),
            (std::vector<std::string>{"1 {\"a\":1}", "4 {\"b\":2}"}));
  EXPECT_TRUE(read_all(files.write("b.jsonl", "")).empty());
}

TEST(JsonRowsTest, ABrokenLineIsNamedAndTheNextIsRead) {
  const TempFiles files;
  const auto rows =
      read_all(files.write("a.jsonl", "{\"a\":1}\n{\"a\":\n[1]\n{\"x\":NaN}\n{\"b\":2}\n"));
  ASSERT_EQ(rows.size(), 5U);
  EXPECT_NE(rows[1].find("2 ! broken JSON at byte"), std::string::npos) << rows[1];
  EXPECT_NE(rows[2].find("3 ! a JSON array, expected an object"), std::string::npos) << rows[2];
  EXPECT_NE(rows[3].find("4 ! broken JSON"), std::string::npos) << rows[3];
  EXPECT_EQ(rows[4], "5 {\"b\":2}");
}

TEST(JsonRowsTest, ArraysAndObjectsOverSeveralLines) {
  const TempFiles files;
  const std::vector<std::string> wanted = {"1 {\"a\":\"}]\\\"\"}", "2 {\"b\":[{}]}"};
  EXPECT_EQ(read_all(files.write("a.json", "[{\"a\": \"}]\\\"\"},\n{\"b\":[{}\n]}]\n")), wanted);
  EXPECT_EQ(read_all(files.write("b.json", "{\"a\": \"}]\\\"\"}\n{\"b\":[{}\n]}\n")), wanted);
  EXPECT_EQ(read_all(files.write("c", "[{\"a\": \"}]\\\"\"},\n{\"b\":[{}\n]}]\n")), wanted);
  EXPECT_TRUE(read_all(files.write("d.json", " [ ] ")).empty());
}

TEST(JsonRowsTest, StreamsThatEndTooEarlyOrHoldOtherThingsFail) {
  const TempFiles files;
  EXPECT_NE(read_all(files.write("a.json", "[{\"a\":1},\n")).back().find(":2: the file ends"),
            std::string::npos);
  EXPECT_NE(read_all(files.write("b.json", "[{\"a\":1")).back().find("ends inside a JSON object"),
            std::string::npos);
  EXPECT_NE(read_all(files.write("c.json", "[1, 2]")).back().find("'1' where an object"),
            std::string::npos);
}

TEST(JsonRowsTest, DeepNestingIsRefused) {
  const TempFiles files;
  const std::string deep = "{\"a\":" + std::string(100000, '[') + std::string(100000, ']') + "}\n";
  EXPECT_NE(read_all(files.write("a.jsonl", deep)).at(0).find("nested deeper"), std::string::npos);
}

TEST(JsonRowsTest, OtherFilesAreNamedForWhatTheyAre) {
  const TempFiles files;
  EXPECT_NE(read_all(files.write("a", "SQLite format 3")).at(0).find("is an SQLite database"),
            std::string::npos);
  EXPECT_NE(read_all(files.write("b.gz", "\x1F\x8B\x08")).at(0).find("gzip"), std::string::npos);
  EXPECT_NE(read_all(files.write("c.txt", "hello")).at(0).find("--format"), std::string::npos);
  EXPECT_NE(read_all(files.path("none")).at(0).find("no file"), std::string::npos);
  EXPECT_NE(read_all(files.path("")).at(0).find("is a directory"), std::string::npos);
  EXPECT_NE(read_all(files.write("d", "{}"), "xml").at(0).find("known: jsonl"), std::string::npos);
}

TEST(JsonRowsTest, RawMemberKeepsTheTextOfTheTopLevelOnly) {
  EXPECT_EQ(raw_member(R"({"x": {"metadata": 1}, "metadata" : {"n": 1.50, "s": "a}b"} , "y":2})",
                       "metadata"),
            R"({"n": 1.50, "s": "a}b"})");
  EXPECT_EQ(raw_member(R"({"a":"metadata"})", "metadata"), "");
  EXPECT_EQ(raw_member(R"({"a":[1,[2]],"m":3})", "m"), "3");
  EXPECT_EQ(raw_member("{}", "m"), "");
}

}  // namespace
}  // namespace loci::cli
