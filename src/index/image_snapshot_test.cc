// SPDX-License-Identifier: Apache-2.0
//
// An image that went through a snapshot against the one it was made of: the same answers, before
// and after more rows come and go; and of damage, never a wrong answer.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <random>

#include "base/temp_dir.h"
#include "index/image_oracle.h"
#include "index/snapshot_file.h"

namespace loci::index {
namespace {

using Access = SnapshotFile::Access;

double taxicab(VectorView a, VectorView b) {
  double sum = 0;
  for (size_t j = 0; j < a.size(); ++j) sum += std::abs(double{a[j]} - double{b[j]});
  return sum;
}

ImageLayout every_metric() {
  ImageLayout layout;
  for (const Metric metric : {Metric::kL2, Metric::kCosine, Metric::kDot, Metric::kAngular,
                              Metric::kL1, Metric::kHamming, Metric::kCustom}) {
    layout.columns.push_back({.dim = 24, .metric = metric, .custom = {}});
    if (metric == Metric::kCustom) layout.columns.back().custom = taxicab;
  }
  for (const Element element : {Element::kF16, Element::kBf16, Element::kI8}) {
    layout.columns.push_back({.dim = 24, .metric = Metric::kL2, .element = element, .custom = {}});
  }
  layout.filters = {FieldType::kText, FieldType::kInt, FieldType::kFloat, FieldType::kBool};
  return layout;
}

OracleRow random_row(const ImageLayout& layout, std::mt19937_64& random) {
  std::normal_distribution<float> normal;
  OracleRow row;
  row.archived = random() % 9 == 0;
  for (const ColumnLayout& column : layout.columns) {
    std::vector<float> vector;
    if (random() % 8 != 0) {
      for (size_t j = 0; j < column.dim; ++j) vector.push_back(normal(random));
    }
    row.vectors.push_back(as_stored(column, std::move(vector)));
  }
  const auto null_or = [&random](Value value) {
    return random() % 6 == 0 ? Value(std::monostate{}) : std::move(value);
  };
  row.filters = {null_or("lang" + std::to_string(random() % 40)),
                 null_or(static_cast<int64_t>(random() % 100)),
                 null_or(static_cast<double>(random() % 100) / 8), null_or(random() % 2 == 0)};
  return row;
}

class ImageSnapshotTest : public ::testing::Test {
 protected:
  void fill(Image& image, size_t rows) {
    for (size_t i = 0; i < rows; ++i) change(image, nullptr);
    for (size_t i = 0; i < rows / 10; ++i) erase(image, nullptr);
  }
  void change(Image& a, Image* b) {
    const RowId row{static_cast<int64_t>(random_() % 20000)};
    const OracleRow content = random_row(layout_, random_);
    ASSERT_TRUE(put_row(a, layout_, row, content).ok());
    if (b != nullptr) {
      ASSERT_TRUE(put_row(*b, layout_, row, content).ok());
    }
    rows_[row] = content;
  }
  void erase(Image& a, Image* b) {
    if (rows_.empty()) return;
    const auto found = std::next(rows_.begin(), static_cast<ptrdiff_t>(random_() % rows_.size()));
    a.erase(found->first);
    if (b != nullptr) b->erase(found->first);
    rows_.erase(found);
  }
  void save(const Image& image) {
    auto file = base::real_file_system().open(path_, base::OpenMode::kCreateReplace);
    ASSERT_TRUE(file.has_value());
    root_.layout = Image::layout_hash(layout_);
    SnapshotWriter writer(**file, root_);
    const Status saved = image.save(writer);
    ASSERT_TRUE(saved.ok()) << saved.to_string();
    checksum_ = writer.finish().value();
  }
  Result<Image> load(Access access) {
    LOCI_ASSIGN_OR_RETURN(
        const std::shared_ptr<SnapshotFile> file,
        SnapshotFile::open(base::real_file_system(), path_, root_, checksum_, access));
    return Image::load(layout_, file);
  }
  std::vector<ScanQuery> queries() {
    std::vector<ScanQuery> out;
    vectors_.clear();
    vectors_.reserve(layout_.columns.size());
    for (size_t c = 0; c < layout_.columns.size(); ++c) {
      vectors_.push_back(VectorMaker(DataKind::kNormal, 24, random_()).next());
      if (layout_.columns[c].metric == Metric::kHamming) {
        for (float& x : vectors_.back()) x = x > 0 ? 1 : 0;
      }
      ScanQuery query;
      query.column = c;
      query.vector = vectors_.back();
      query.k = 20;
      out.push_back(query);
    }
    return out;
  }
  void expect_same(const Image& a, const Image& b) {
    ASSERT_EQ(a.rowids(), b.rowids());
    Predicate filter;
    filter.kind = Predicate::Kind::kCompare;
    filter.op = Predicate::Op::kEq;
    filter.column = 0;
    filter.values = {std::string("lang7")};
    for (ScanQuery query : queries()) {
      for (const bool filtered : {false, true}) {
        if (filtered) query.filter = &filter;
        const auto x = a.search(query);
        const auto y = b.search(query);
        ASSERT_TRUE(x.has_value()) << x.error().to_string();
        ASSERT_TRUE(y.has_value()) << y.error().to_string();
        ASSERT_EQ(x->neighbors.size(), y->neighbors.size());
        EXPECT_EQ(x->passed_filter, y->passed_filter);
        for (size_t i = 0; i < x->neighbors.size(); ++i) {
          EXPECT_EQ(x->neighbors[i].rowid, y->neighbors[i].rowid);
          EXPECT_EQ(x->neighbors[i].distance, y->neighbors[i].distance);
        }
      }
    }
  }
  std::string bytes() const {
    std::ifstream in(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  base::TempDir folder_;
  std::string path_ = folder_.file("image");
  SnapshotRoot root_;
  uint64_t checksum_ = 0;
  ImageLayout layout_ = every_metric();
  std::mt19937_64 random_{20240};
  OracleRows rows_;
  std::vector<std::vector<float>> vectors_;
};

TEST_F(ImageSnapshotTest, AnswersAsTheImageItWasMadeOf) {
  for (const size_t rows : {0, 1, 63, 64, 65, 1000, 1024, 1100, 3000}) {
    for (const Access access : {Access::kMap, Access::kRead}) {
      SCOPED_TRACE(std::to_string(rows) + (access == Access::kMap ? " mapped" : " read"));
      rows_.clear();
      Image made = Image::create(layout_).value();
      fill(made, rows);
      save(made);
      const std::string before = bytes();
      Result<Image> loaded = load(access);
      ASSERT_TRUE(loaded.has_value()) << loaded.error().to_string();
      expect_same(made, *loaded);
      for (int i = 0; i < 200; ++i) {
        change(made, &*loaded);
        if (i % 3 == 0) erase(made, &*loaded);
      }
      expect_same(made, *loaded);
      const Status sound = loaded->check_invariants();
      EXPECT_TRUE(sound.ok()) << sound.to_string();
      EXPECT_EQ(bytes(), before) << "the file was written to";
      // What was loaded and changed can be saved and loaded again.
      const std::string first_path = std::exchange(path_, folder_.file("again"));
      save(*loaded);
      Result<Image> again = load(access);
      ASSERT_TRUE(again.has_value()) << again.error().to_string();
      expect_same(made, *again);
      path_ = first_path;
    }
  }
}

TEST_F(ImageSnapshotTest, OfDamageNeverAWrongAnswer) {
  Image made = Image::create(layout_).value();
  fill(made, 1500);
  save(made);
  const std::string whole = bytes();
  size_t found = 0;
  const size_t step = whole.size() / 300;
  for (size_t at = 8192; at < whole.size(); at += step) {
    SCOPED_TRACE(at);
    std::string flipped = whole;
    flipped[at] = static_cast<char>(flipped[at] ^ 4);
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << flipped;
    const Result<Image> loaded = load(at % 2 == 0 ? Access::kMap : Access::kRead);
    if (!loaded.has_value()) {
      EXPECT_EQ(loaded.error().code(), StatusCode::kCorruption);
      ++found;
      continue;
    }
    for (const ScanQuery& query : queries()) {
      const auto expected = made.search(query);
      const auto got = loaded->search(query);
      if (!got.has_value()) {
        EXPECT_EQ(got.error().code(), StatusCode::kCorruption);
        ++found;
        continue;
      }
      ASSERT_EQ(got->neighbors.size(), expected->neighbors.size());
      for (size_t i = 0; i < got->neighbors.size(); ++i) {
        ASSERT_EQ(got->neighbors[i].rowid, expected->neighbors[i].rowid);
      }
    }
  }
  EXPECT_GT(found, 100U) << "the flips hardly met anything";
}

TEST_F(ImageSnapshotTest, WritesToADamagedChunkAreRefusedOrRemembered) {
  ImageLayout layout;
  layout.columns = {{.dim = 24, .metric = Metric::kL2, .custom = {}}};
  layout_ = layout;
  Image made = Image::create(layout_).value();
  for (int64_t i = 0; i < 300; ++i) {
    OracleRow row;
    row.vectors = {VectorMaker(DataKind::kNormal, 24, static_cast<uint64_t>(i)).next()};
    ASSERT_TRUE(put_row(made, layout_, RowId{i}, row).ok());
  }
  save(made);
  std::string flipped = bytes();
  // Rows, archived rows, rows with a vector, codes: a page or more each. The last but one page of
  // the segments belongs to the vectors.
  const size_t at = flipped.size() - 3 * 4096;
  flipped[at] = static_cast<char>(flipped[at] ^ 1);
  std::ofstream(path_, std::ios::binary | std::ios::trunc) << flipped;
  Result<Image> loaded = load(Access::kMap);
  ASSERT_TRUE(loaded.has_value()) << loaded.error().to_string();
  OracleRow row;
  row.vectors = {VectorMaker(DataKind::kNormal, 24, 1).next()};
  EXPECT_EQ(put_row(*loaded, layout_, RowId{5}, row).code(), StatusCode::kCorruption);
  loaded->erase(RowId{0});  // cannot fail, so it is told by the next search
  EXPECT_EQ(loaded->search(queries()[0]).error().code(), StatusCode::kCorruption);
}

TEST_F(ImageSnapshotTest, AnotherLayoutIsRefused) {
  Image made = Image::create(layout_).value();
  fill(made, 100);
  save(made);
  ImageLayout other = layout_;
  other.columns[0].dim = 23;
  EXPECT_NE(Image::layout_hash(other), Image::layout_hash(layout_));
  std::swap(layout_, other);
  EXPECT_EQ(load(Access::kMap).error().code(), StatusCode::kCorruption);
  std::swap(layout_, other);
  layout_.columns[0].element = Element::kF16;
  EXPECT_EQ(load(Access::kMap).error().code(), StatusCode::kCorruption);
}

}  // namespace
}  // namespace loci::index
