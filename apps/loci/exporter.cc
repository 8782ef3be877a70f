// SPDX-License-Identifier: Apache-2.0
//
// Formats of `export`. JSON lines and CSV hold whole rows and are read back by `add`; .npy, .fvecs
// and .fbin hold the vectors of one column, by rowid.
#include "exporter.h"

#include <cstring>
#include <string_view>
#include <utility>

#include "output/json_text.h"

namespace loci::cli {
namespace {

class JsonLinesExporter final : public Exporter {
 public:
  explicit JsonLinesExporter(FileSink& sink) : sink_(sink) {}
  Status add(const Record& record) override {
    return sink_.write(record_line(record, {.vectors = true, .flat = true}));
  }

 private:
  FileSink& sink_;  // must outlive this: the command's
};

/// RFC 4180; NULL is an empty field, an empty text is "".
class CsvExporter final : public Exporter {
 public:
  CsvExporter(FileSink& sink, const CollectionSpec& spec, char delimiter)
      : sink_(sink), spec_(spec), delimiter_(delimiter) {}

  Status begin() override {
    std::string line = spec_.text_ids ? "id" : "rowid";
    for (const std::string& name : spec_.text) append(line, name);
    for (const FilterColumn& column : spec_.filters) append(line, column.name);
    append(line, "metadata");
    for (const VectorColumn& column : spec_.vectors) append(line, column.name);
    return sink_.write(line + "\r\n");
  }
  Status add(const Record& record) override {
    std::string line;
    if (spec_.text_ids) {
      append_quoted(line, record.id.value_or(""));
    } else {
      line += std::to_string(to_int(record.rowid.value_or(kNoRow)));
    }
    for (const std::string& name : spec_.text) append_field(line, record, name);
    for (const FilterColumn& column : spec_.filters) append_field(line, record, column.name);
    line += delimiter_;
    if (record.metadata.has_value()) append_quoted(line, *record.metadata);
    for (const VectorColumn& column : spec_.vectors) {
      line += delimiter_;
      for (const auto& [name, vector] : record.vectors) {
        if (name != column.name || vector.empty()) continue;
        std::string text;
        append_json_vector(text, vector);
        append_quoted(line, text);
      }
    }
    return sink_.write(line + "\r\n");
  }

 private:
  void append(std::string& line, std::string_view name) const {
    line += delimiter_;
    line += name;
  }
  static void append_quoted(std::string& line, std::string_view text) {
    line += '"';
    for (const char c : text) {
      if (c == '"') line += '"';
      line += c;
    }
    line += '"';
  }
  void append_field(std::string& line, const Record& record, std::string_view name) const {
    line += delimiter_;
    for (const auto& [field, value] : record.fields) {
      if (field != name || std::holds_alternative<std::monostate>(value)) continue;
      if (std::holds_alternative<std::string>(value)) {
        append_quoted(line, std::get<std::string>(value));
      } else {
        line += cell_text(value);
      }
    }
  }

  FileSink& sink_;  // must outlive this: the command's
  CollectionSpec spec_;
  char delimiter_;
};

void append_le(std::string& out, uint64_t value, size_t bytes) {
  for (size_t i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 0xFFU);
}

/// The vectors of one column.
class VectorExporter final : public Exporter {
 public:
  enum class Format { kFvecs, kNpy, kFbin };

  VectorExporter(Format format, FileSink& sink, VectorColumn column)
      : format_(format), sink_(sink), column_(std::move(column)) {}

  Status begin() override { return sink_.write(header()); }
  Status add(const Record& record) override {
    for (const auto& [name, vector] : record.vectors) {
      if (name != column_.name || vector.empty()) continue;
      std::string bytes;
      bytes.reserve(4 + 4 * vector.size());
      if (format_ == Format::kFvecs) append_le(bytes, vector.size(), 4);
      for (const float x : vector) {
        uint32_t bits = 0;
        std::memcpy(&bits, &x, sizeof bits);
        append_le(bytes, bits, 4);
      }
      ++rows_;
      return sink_.write(bytes);
    }
    ++left_out_;
    return {};
  }
  Status end() override {
    return format_ == Format::kFvecs ? Status{} : sink_.rewrite_begin(header());
  }
  [[nodiscard]] int64_t left_out() const override { return left_out_; }

 private:
  /// As long before the rows are counted as afterwards.
  [[nodiscard]] std::string header() const {
    std::string out;
    if (format_ == Format::kFbin) {
      append_le(out, static_cast<uint64_t>(rows_), 4);
      append_le(out, column_.dim, 4);
    } else if (format_ == Format::kNpy) {
      constexpr size_t kBytes = 128;  // a multiple of 64, as the format asks for
      out = "\x93NUMPY";
      out += '\x01';
      out += '\0';
      append_le(out, kBytes - 10, 2);
      out += "{'descr': '<f4', 'fortran_order': False, 'shape': (" + std::to_string(rows_) + ", " +
             std::to_string(column_.dim) + "), }";
      out.resize(kBytes - 1, ' ');
      out += '\n';
    }
    return out;
  }

  Format format_;
  FileSink& sink_;  // must outlive this: the command's
  VectorColumn column_;
  int64_t rows_ = 0;
  int64_t left_out_ = 0;
};

Result<VectorColumn> find_column(const CollectionSpec& spec, const std::string& name) {
  for (const VectorColumn& column : spec.vectors) {
    if (name.empty() || column.name == name) return column;
  }
  return Status::invalid_argument("collection '" + spec.name + "' has no vector column" +
                                  (name.empty() ? std::string() : " '" + name + "'"));
}

}  // namespace

Result<std::unique_ptr<Exporter>> make_exporter(const std::string& format, FileSink& sink,
                                                const CollectionSpec& spec,
                                                const std::string& column) {
  if (format == "jsonl") {
    return std::unique_ptr<Exporter>(std::make_unique<JsonLinesExporter>(sink));
  }
  if (format == "csv" || format == "tsv") {
    return std::unique_ptr<Exporter>(
        std::make_unique<CsvExporter>(sink, spec, format == "csv" ? ',' : '\t'));
  }
  VectorExporter::Format kind = VectorExporter::Format::kFvecs;
  if (format == "npy") {
    kind = VectorExporter::Format::kNpy;
  } else if (format == "fbin") {
    kind = VectorExporter::Format::kFbin;
  } else if (format != "fvecs") {
    return Status::invalid_argument("format '" + format +
                                    "', known: jsonl, csv, tsv, npy, fvecs, fbin");
  }
  if (sink.is_stdout() && format != "fvecs") {
    return Status::invalid_argument("format '" + format + "' begins with the number of rows and " +
                                    "needs a file: give -o FILE");
  }
  LOCI_ASSIGN_OR_RETURN(VectorColumn found, find_column(spec, column));
  return std::unique_ptr<Exporter>(std::make_unique<VectorExporter>(kind, sink, std::move(found)));
}

}  // namespace loci::cli
