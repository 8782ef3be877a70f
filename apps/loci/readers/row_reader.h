// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "loci/status.h"
#include "readers/byte_source.h"

namespace loci::cli {

using Json = nlohmann::ordered_json;

/// Bytes of one row of a text format.
inline constexpr size_t kMaxRowBytes = size_t{256} << 20;

/// One row as a file holds it, before it is fitted to a collection.
struct InputRow {
  int64_t line = 0;  ///< 1-based: line of a text file, row of a vector file
  Json object = Json::object();
  std::string metadata;       ///< the member "metadata" as it was written, when it is an object
  std::vector<float> vector;  ///< of a vector file
  std::string error;          ///< with Read::kBad: what is wrong
};

/// What RowReader::next found.
enum class Read {
  kRow,
  kBad,  ///< a row that cannot be used; the next one can be read
  kEnd,
};

/// Rows of one file, one after the other.
class RowReader {
 public:
  RowReader() = default;
  RowReader(const RowReader&) = delete;
  RowReader& operator=(const RowReader&) = delete;
  virtual ~RowReader() = default;

  /// An error is one that ends the file: I/O, a broken header, an end too early.
  virtual Result<Read> next(InputRow& row) = 0;
  /// How much of the file was read, in [0, 1]; negative when that is not known.
  [[nodiscard]] virtual double fraction() const = 0;
  /// Vectors by position: components of each. 0 for rows with names.
  [[nodiscard]] virtual size_t vector_dim() const { return 0; }
  /// Fields are text that stands for numbers and bools too (CSV).
  [[nodiscard]] virtual bool untyped() const { return false; }
  /// The format's name, such as "json lines" or "fvecs".
  [[nodiscard]] virtual std::string_view format() const = 0;
  /// "file:12" or "file: row 12", for messages.
  [[nodiscard]] virtual std::string where(const InputRow& row) const = 0;
};

/// Options of open_rows.
struct ReaderOptions {
  std::string format;  ///< empty: by extension, then by content
  std::string meta;    ///< JSON lines that belong to the vectors, line i to vector i
};

/// Opens a file of rows, or standard input for "-".
/// Errors: kNotFound, kInvalidArgument (directory, unknown format, broken header), kCorruption
/// (a vector file that is cut off), kIoError.
Result<std::unique_ptr<RowReader>> open_rows(const std::string& path, const ReaderOptions& options);

/// Every vector of a .fvecs, .bvecs, .npy, .npz or .fbin file, row-major.
struct VectorTable {
  size_t dim = 0;
  std::vector<float> values;
  [[nodiscard]] size_t rows() const { return dim == 0 ? 0 : values.size() / dim; }
};
/// limit  the most rows to read; 0: all
Result<VectorTable> read_vectors(const std::string& path, size_t limit);
/// Rows of an .ivecs file. limit as above.
Result<std::vector<std::vector<int32_t>>> read_ivecs(const std::string& path, size_t limit);

// The readers of one format each.
Result<std::unique_ptr<RowReader>> make_json_lines_reader(Input input);
/// A JSON array of objects, or objects one after the other over any number of lines.
Result<std::unique_ptr<RowReader>> make_json_stream_reader(Input input);
/// RFC 4180 with a header line.
Result<std::unique_ptr<RowReader>> make_csv_reader(Input input, char delimiter);
Result<std::unique_ptr<RowReader>> make_fvecs_reader(Input input);
Result<std::unique_ptr<RowReader>> make_bvecs_reader(Input input);
Result<std::unique_ptr<RowReader>> make_fbin_reader(Input input);
Result<std::unique_ptr<RowReader>> make_npy_reader(Input input);
/// The array `embeddings` or `vectors`, else the first of two dimensions, of a .npz archive.
Result<std::unique_ptr<RowReader>> make_npz_reader(const std::string& path);
/// `vectors` with the members of line i of `meta` added to row i.
Result<std::unique_ptr<RowReader>> make_meta_reader(std::unique_ptr<RowReader> vectors, Input meta);

}  // namespace loci::cli
