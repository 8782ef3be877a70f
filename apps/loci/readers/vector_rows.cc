// SPDX-License-Identifier: Apache-2.0
//
// Files of vectors by position.
//   .fvecs .bvecs .ivecs  each row: int32 dimension, then that many float32 / uint8 / int32
//   .fbin                 uint32 rows, uint32 dimension, then the rows as float32
//   .npy                  see npy_header.cc
// All little-endian but .npy, which says. Sizes come from the file and are checked before use: a
// dimension against 1..8192, the rows against the length of the file where that is known, so that
// no header can make us allocate more than the file holds.
#include <algorithm>
#include <string>
#include <utility>

#include "readers/elements.h"
#include "readers/row_reader.h"

namespace loci::cli {
namespace {

constexpr int64_t kMaxDim = 8192;

/// The first four bytes of `in`.
int32_t read_i32(std::span<const char> in) {
  uint32_t bits = 0;
  for (size_t i = 4; i-- > 0;) bits = bits << 8U | static_cast<unsigned char>(in[i]);
  return static_cast<int32_t>(bits);
}

Status bad_dim(const Input& input, int64_t dim, uint64_t offset) {
  return Status::corruption("'" + input.name() + "': dim " + std::to_string(dim) + " at offset " +
                            std::to_string(offset) + ", allowed 1 to " + std::to_string(kMaxDim));
}

Status truncated(const Input& input, uint64_t offset, int64_t row, uint64_t needs, uint64_t has) {
  return Status::corruption("'" + input.name() + "': truncated at offset " +
                            std::to_string(offset) + ": row " + std::to_string(row) + " needs " +
                            std::to_string(needs) + " bytes, " + std::to_string(has) + " are left");
}

/// What the readers of vectors share: place, progress, decoding.
class VectorReader : public RowReader {
 public:
  VectorReader(Input input, std::string_view format, FileElement element)
      : input_(std::move(input)), format_(format), element_(element) {}

  [[nodiscard]] double fraction() const override { return input_.fraction(); }
  [[nodiscard]] size_t vector_dim() const override { return dim_; }
  [[nodiscard]] std::string_view format() const override { return format_; }
  [[nodiscard]] std::string where(const InputRow& row) const override {
    return input_.name() + ": row " + std::to_string(row.line);
  }

 protected:
  [[nodiscard]] size_t row_bytes() const { return dim_ * element_bytes(element_.type); }
  Input& input() { return input_; }
  [[nodiscard]] const FileElement& element() const { return element_; }
  void set_element(const FileElement& element) { element_ = element; }
  void set_dim(size_t dim) { dim_ = dim; }

  /// Reads the components of the next row.
  Result<Read> read_components(InputRow& row) {
    const uint64_t begin = input_.offset();
    bytes_.resize(row_bytes());
    LOCI_ASSIGN_OR_RETURN(const size_t got, input_.read(bytes_));
    if (got < bytes_.size()) return truncated(input_, begin, rows_ + 1, bytes_.size(), got);
    row.line = ++rows_;
    row.vector.resize(dim_);
    decode_elements(bytes_, element_, row.vector);
    return Read::kRow;
  }
  [[nodiscard]] int64_t rows() const { return rows_; }
  int64_t next_row() { return ++rows_; }

 private:
  Input input_;
  std::string_view format_;
  FileElement element_;
  size_t dim_ = 0;
  std::vector<char> bytes_;
  int64_t rows_ = 0;
};

/// .fvecs and .bvecs: every row begins with its dimension, which must be that of the first.
class VecsReader final : public VectorReader {
 public:
  using VectorReader::VectorReader;

  Status read_first() {
    LOCI_ASSIGN_OR_RETURN(const std::string_view ahead, input().peek(4));
    if (ahead.empty()) return Status::corruption("'" + input().name() + "': empty");
    if (ahead.size() < 4) return truncated(input(), 0, 1, 4, ahead.size());
    const int32_t dim = read_i32(ahead);
    if (dim < 1 || dim > kMaxDim) return bad_dim(input(), dim, 0);
    set_dim(static_cast<size_t>(dim));
    const std::optional<uint64_t> size = input().size();
    const uint64_t row = 4 + row_bytes();
    if (size.has_value() && *size % row != 0) {
      const uint64_t whole = *size / row;
      return truncated(input(), whole * row, static_cast<int64_t>(whole) + 1, row, *size % row);
    }
    return {};
  }

  Result<Read> next(InputRow& row) override {
    const uint64_t begin = input().offset();
    std::array<char, 4> head{};
    LOCI_ASSIGN_OR_RETURN(const size_t got, input().read(head));
    if (got == 0) return Read::kEnd;
    if (got < head.size()) return truncated(input(), begin, rows() + 1, 4, got);
    const int32_t dim = read_i32(head);
    if (dim < 1 || dim > kMaxDim) return bad_dim(input(), dim, begin);
    if (static_cast<size_t>(dim) != vector_dim()) {
      return Status::corruption("'" + input().name() + "': dim " + std::to_string(dim) +
                                " at offset " + std::to_string(begin) + " (row " +
                                std::to_string(rows() + 1) + "), expected " +
                                std::to_string(vector_dim()) + " as in row 1");
    }
    return read_components(row);
  }
};

/// A table of `rows` x `dim` components after a header: .fbin, .npy.
class MatrixReader final : public VectorReader {
 public:
  using VectorReader::VectorReader;

  Status read_fbin_header() {
    std::array<char, 8> head{};
    LOCI_ASSIGN_OR_RETURN(const size_t got, input().read(head));
    if (got < head.size()) return truncated(input(), 0, 1, head.size(), got);
    const auto rows = static_cast<uint32_t>(read_i32(head));
    const auto dim = static_cast<uint32_t>(read_i32(std::span(head).subspan(4)));
    if (dim < 1 || dim > kMaxDim) return bad_dim(input(), dim, 4);
    set_dim(dim);
    count_ = rows;
    return check_size();
  }

  Status read_npy_header() {
    LOCI_ASSIGN_OR_RETURN(const std::string_view prefix, input().peek(kNpyPrefixBytes));
    const Result<uint64_t> length = npy_header_bytes(prefix);
    LOCI_RETURN_IF_ERROR(length.status().with_context("'" + input().name() + "'"));
    std::string header(*length, '\0');
    LOCI_ASSIGN_OR_RETURN(const size_t got, input().read(header));
    if (got < header.size()) return truncated(input(), 0, 1, header.size(), got);
    const Result<NpyHeader> parsed = parse_npy_header(header);
    LOCI_RETURN_IF_ERROR(parsed.status().with_context("'" + input().name() + "'"));
    set_element(parsed->element);
    set_dim(parsed->dim);
    count_ = parsed->rows;
    LOCI_RETURN_IF_ERROR(check_size());
    return parsed->fortran_order ? read_columns() : Status{};
  }

  Result<Read> next(InputRow& row) override {
    if (static_cast<uint64_t>(rows()) == count_) return Read::kEnd;
    if (columns_.empty()) return read_components(row);
    // Fortran order: component c of row r lies at c * count_ + r.
    const size_t bytes = element_bytes(element().type);
    row.line = next_row();
    const auto r = static_cast<size_t>(row.line - 1);
    row.vector.resize(vector_dim());
    for (size_t c = 0; c < vector_dim(); ++c) {
      const size_t at = (c * static_cast<size_t>(count_) + r) * bytes;
      decode_elements(std::span(columns_).subspan(at, bytes), element(),
                      std::span(row.vector).subspan(c, 1));
    }
    return Read::kRow;
  }

 private:
  /// The file must hold exactly what its header says.
  Status check_size() {
    const std::optional<uint64_t> size = input().size();
    if (!size.has_value()) return {};
    const uint64_t has = *size - std::min(*size, input().offset());
    const uint64_t whole_rows = has / row_bytes();
    if (whole_rows < count_) {
      return truncated(input(), input().offset() + whole_rows * row_bytes(),
                       static_cast<int64_t>(whole_rows) + 1, row_bytes(), has % row_bytes())
          .with_context("the header promises " + std::to_string(count_) + " rows of dim " +
                        std::to_string(vector_dim()));
    }
    if (has != count_ * row_bytes()) {
      return Status::corruption("'" + input().name() +
                                "': " + std::to_string(has - count_ * row_bytes()) +
                                " bytes too many behind the " + std::to_string(count_) +
                                " rows that the header promises");
    }
    return {};
  }

  Status read_columns() {
    if (!input().size().has_value()) {
      return Status::invalid_argument("'" + input().name() + "': Fortran order needs a file: " +
                                      "save it, or save the array in C order");
    }
    columns_.resize(static_cast<size_t>(count_) *
                    row_bytes());  // check_size: no more than is there
    LOCI_ASSIGN_OR_RETURN(const size_t got, input().read(columns_));
    if (got < columns_.size()) return truncated(input(), got, 1, columns_.size(), got);
    return {};
  }

  uint64_t count_ = 0;
  std::vector<char> columns_;  // the whole array when it is stored by columns
};

template <typename Reader>
Result<std::unique_ptr<RowReader>> started(std::unique_ptr<Reader> reader,
                                           Status (Reader::*start)()) {
  LOCI_RETURN_IF_ERROR((*reader.*start)());
  return std::unique_ptr<RowReader>(std::move(reader));
}

}  // namespace

Result<std::unique_ptr<RowReader>> make_fvecs_reader(Input input) {
  return started(std::make_unique<VecsReader>(std::move(input), "fvecs",
                                              FileElement{ElementType::kF32, false}),
                 &VecsReader::read_first);
}

Result<std::unique_ptr<RowReader>> make_bvecs_reader(Input input) {
  return started(
      std::make_unique<VecsReader>(std::move(input), "bvecs", FileElement{ElementType::kU8, false}),
      &VecsReader::read_first);
}

Result<std::unique_ptr<RowReader>> make_fbin_reader(Input input) {
  return started(std::make_unique<MatrixReader>(std::move(input), "fbin",
                                                FileElement{ElementType::kF32, false}),
                 &MatrixReader::read_fbin_header);
}

Result<std::unique_ptr<RowReader>> make_npy_reader(Input input) {
  return started(std::make_unique<MatrixReader>(std::move(input), "npy",
                                                FileElement{ElementType::kF32, false}),
                 &MatrixReader::read_npy_header);
}

Result<VectorTable> read_vectors(const std::string& path, size_t limit) {
  LOCI_ASSIGN_OR_RETURN(const std::unique_ptr<RowReader> reader, open_rows(path, {}));
  VectorTable table;
  table.dim = reader->vector_dim();
  if (table.dim == 0) {
    return Status::invalid_argument("'" + path + "': " + std::string(reader->format()) +
                                    ", expected vectors: .fvecs, .bvecs, .npy, .npz or .fbin");
  }
  InputRow row;
  while (limit == 0 || table.rows() < limit) {
    LOCI_ASSIGN_OR_RETURN(const Read read, reader->next(row));
    if (read == Read::kEnd) break;
    table.values.insert(table.values.end(), row.vector.begin(), row.vector.end());
  }
  return table;
}

Result<std::vector<std::vector<int32_t>>> read_ivecs(const std::string& path, size_t limit) {
  LOCI_ASSIGN_OR_RETURN(std::unique_ptr<ByteSource> source, open_source(path));
  Input input(std::move(source));
  std::vector<std::vector<int32_t>> rows;
  std::vector<char> bytes;
  while (limit == 0 || rows.size() < limit) {
    const uint64_t begin = input.offset();
    const auto row = static_cast<int64_t>(rows.size()) + 1;
    std::array<char, 4> head{};
    LOCI_ASSIGN_OR_RETURN(const size_t got, input.read(head));
    if (got == 0) break;
    if (got < head.size()) return truncated(input, begin, row, head.size(), got);
    const int32_t dim = read_i32(head);
    if (dim < 1 || dim > kMaxDim) return bad_dim(input, dim, begin);
    bytes.resize(static_cast<size_t>(dim) * 4);
    LOCI_ASSIGN_OR_RETURN(const size_t body, input.read(bytes));
    if (body < bytes.size()) return truncated(input, begin + 4, row, bytes.size(), body);
    std::vector<int32_t>& ids = rows.emplace_back(static_cast<size_t>(dim));
    for (size_t i = 0; i < ids.size(); ++i) ids[i] = read_i32(std::span(bytes).subspan(4 * i));
  }
  return rows;
}

}  // namespace loci::cli
