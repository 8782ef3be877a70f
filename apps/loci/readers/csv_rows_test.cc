// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "readers/row_reader.h"
#include "testing/temp_file.h"

namespace loci::cli {
namespace {

using testing::TempFiles;

std::vector<std::string> read_all(const std::string& path) {
  std::vector<std::string> out;
  const auto reader = open_rows(path, {});
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

TEST(CsvRowsTest, QuotesFollowRfc4180) {
  const TempFiles files;
  const std::string text = "id,text,n\r\na,\"x, \"\"y\"\"\nz\",1\r\nb,,\"\"\r\nc,\"last\r\n\",2";
  EXPECT_EQ(read_all(files.write("a.csv", text)),
            (std::vector<std::string>{R"(2 {"id":"a","text":"x, \"y\"\nz","n":"1"})",
                                      R"(4 {"id":"b","n":""})",
                                      R"(5 {"id":"c","text":"last\r\n","n":"2"})"}));
}

TEST(CsvRowsTest, TabsSeparateTsv) {
  const TempFiles files;
  EXPECT_EQ(read_all(files.write("a.tsv", "a\tb\n1,5\tx\n")),
            (std::vector<std::string>{R"(2 {"a":"1,5","b":"x"})"}));
}

TEST(CsvRowsTest, BadRecordsAreNamedAndTheNextIsRead) {
  const TempFiles files;
  EXPECT_EQ(
      read_all(files.write("a.csv", "a,b\n1\n1,2,3\n\"x\"y,2\n\n5,6\n")),
      (std::vector<std::string>{"2 ! 1 fields, the header has 2", "3 ! 3 fields, the header has 2",
                                "4 ! text after a closing quote (a quote inside is doubled)",
                                R"(6 {"a":"5","b":"6"})"}));
}

TEST(CsvRowsTest, BrokenFilesFail) {
  const TempFiles files;
  EXPECT_NE(read_all(files.write("a.csv", "")).at(0).find("a header line is needed"),
            std::string::npos);
  EXPECT_NE(read_all(files.write("b.csv", "a,a\n")).at(0).find("two columns named 'a'"),
            std::string::npos);
  EXPECT_NE(read_all(files.write("c.csv", "a,b\n1,\"x\n")).at(0).find("inside a quoted field"),
            std::string::npos);
}

}  // namespace
}  // namespace loci::cli
