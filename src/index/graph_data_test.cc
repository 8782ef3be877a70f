// SPDX-License-Identifier: Apache-2.0
//
// The graph on real embeddings: the recall that was asked for is met on queries that were held out.
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <vector>

#include "base/env.h"
#include "index/image_oracle.h"

namespace loci::index {
namespace {

constexpr size_t kDim = 384;

/// Every `step`-th row of an .fvecs file.
std::vector<std::vector<float>> read_fvecs(const std::filesystem::path& path, size_t step) {
  std::ifstream in(path, std::ios::binary);
  std::vector<std::vector<float>> rows;
  std::vector<char> record(sizeof(int32_t) + kDim * sizeof(float));
  for (size_t i = 0; in.read(record.data(), static_cast<std::streamsize>(record.size())); ++i) {
    if (i % step != 0) continue;
    std::vector<float> row(kDim);
    std::memcpy(row.data(), record.data() + sizeof(int32_t), kDim * sizeof(float));
    rows.push_back(std::move(row));
  }
  return rows;
}

TEST(GraphDataTest, AskedRecallIsMetOnHeldOutQueries) {
  const std::filesystem::path data =
      std::filesystem::path(base::env("LOCI_DATA").value_or(LOCI_DEFAULT_DATA)) / "notes384";
  if (!std::filesystem::exists(data / "base.fvecs")) {
    GTEST_SKIP() << "no embeddings: set LOCI_DATA to the folder that holds notes384/";
  }
  ImageLayout layout;
  layout.columns = {{.dim = kDim, .metric = Metric::kCosine, .custom = {}}};
  Image image = Image::create(layout).value();
  // Rows of all vaults, as the queries are. Of the first 20,000 rows, which are of some vaults
  // alone, they find 0.938 and 0.980 where 0.95 and 0.99 is asked.
  const auto rows = read_fvecs(data / "base.fvecs", 3);
  for (size_t row = 0; row < rows.size(); ++row) {
    OracleRow content;
    content.vectors = {rows[row]};
    ASSERT_TRUE(put_row(image, layout, RowId{static_cast<int64_t>(row)}, content).ok());
  }
  ASSERT_TRUE(image.build_graph(0, {}).ok());
  const auto queries = read_fvecs(data / "query.fvecs", 2);
  for (const double asked : {0.9, 0.95, 0.99}) {
    size_t found = 0;
    for (const std::vector<float>& vector : queries) {
      ScanQuery query;
      query.vector = vector;
      const double limit = image.search(query)->neighbors.back().distance;
      query.recall = asked;
      const ScanOutcome outcome = image.search(query).value();
      for (const Neighbor& neighbor : outcome.neighbors) {
        found += neighbor.distance <= limit ? 1 : 0;
      }
    }
    const double recall = static_cast<double>(found) / static_cast<double>(10 * queries.size());
    EXPECT_GE(recall, asked - 0.01) << "asked " << asked;
  }
}

}  // namespace
}  // namespace loci::index
