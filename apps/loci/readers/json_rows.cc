// SPDX-License-Identifier: Apache-2.0
//
// Rows of JSON: one object a line, or a stream of objects that may span lines (an array, or one
// after the other). A broken line of the first kind leaves the next line readable; so does an
// object of the second kind whose brackets match.
#include <cctype>
#include <string>
#include <utility>

#include "readers/json_parse.h"
#include "readers/row_reader.h"

namespace loci::cli {
namespace {

constexpr size_t kChunkBytes = size_t{1} << 16;
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

bool is_blank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n\v\f") == std::string_view::npos;
}

std::string line_place(const std::string& name, const InputRow& row) {
  return name + ":" + std::to_string(row.line);
}

class JsonLinesReader final : public RowReader {
 public:
  explicit JsonLinesReader(Input input) : input_(std::move(input)) {}

  Result<Read> next(InputRow& row) override {
    while (true) {
      row.line = ++line_;
      LOCI_ASSIGN_OR_RETURN(const bool more, input_.read_line(text_, kMaxRowBytes));
      if (!more) return Read::kEnd;
      std::string_view text = text_;
      if (line_ == 1 && text.substr(0, kByteOrderMark.size()) == kByteOrderMark) {
        text.remove_prefix(kByteOrderMark.size());
      }
      if (is_blank(text)) continue;
      const Status parsed = parse_row(text, row);
      if (parsed.ok()) return Read::kRow;
      row.error = parsed.message();
      return Read::kBad;
    }
  }
  [[nodiscard]] double fraction() const override { return input_.fraction(); }
  [[nodiscard]] std::string_view format() const override { return "JSON lines"; }
  [[nodiscard]] std::string where(const InputRow& row) const override {
    return line_place(input_.name(), row);
  }

 private:
  Input input_;
  std::string text_;
  int64_t line_ = 0;
};

class JsonStreamReader final : public RowReader {
 public:
  explicit JsonStreamReader(Input input) : input_(std::move(input)) {}

  Result<Read> next(InputRow& row) override {
    LOCI_ASSIGN_OR_RETURN(const bool more, next_value(row.line));
    if (!more) return Read::kEnd;
    const Status parsed = parse_row(text_, row);
    if (parsed.ok()) return Read::kRow;
    row.error = parsed.message();
    return Read::kBad;
  }
  [[nodiscard]] double fraction() const override { return input_.fraction(); }
  [[nodiscard]] std::string_view format() const override { return "JSON"; }
  [[nodiscard]] std::string where(const InputRow& row) const override {
    return line_place(input_.name(), row);
  }

 private:
  Status fail(const std::string& what) const {
    return Status::invalid_argument(input_.name() + ":" + std::to_string(line_) + ": " + what);
  }

  /// Takes blanks, commas and the brackets of the outer array; '\0' at the end.
  Result<char> skip_to_value() {
    while (true) {
      LOCI_ASSIGN_OR_RETURN(const std::string_view ahead, input_.peek(kChunkBytes));
      if (ahead.empty()) return '\0';
      size_t n = 0;
      for (; n < ahead.size(); ++n) {
        const char c = ahead[n];
        const bool outer = (c == '[' && !in_array_ && !began_) || (c == ']' && in_array_);
        if (c == '\n') ++line_;
        if (outer) in_array_ = c == '[';
        if (outer) began_ = true;
        const bool mark = !began_ && n < 3 && c == kByteOrderMark[n];
        if (!outer && !mark && c != ',' && std::isspace(static_cast<unsigned char>(c)) == 0) break;
      }
      const char found = n < ahead.size() ? ahead[n] : '\0';
      input_.skip(n);
      if (found != '\0') return found;
    }
  }

  /// Takes the text of the next value into text_, by matching brackets.
  Result<bool> next_value(int64_t& line) {
    LOCI_ASSIGN_OR_RETURN(const char first, skip_to_value());
    line = line_;
    if (first == '\0') {
      if (in_array_) return fail("the file ends inside the JSON array");
      return false;
    }
    if (first != '{') {
      return fail(std::string("'") + first + "' where an object { ... } is expected");
    }
    began_ = true;
    text_.clear();
    int depth = 0;
    bool in_string = false;
    bool escaped = false;
    while (true) {
      LOCI_ASSIGN_OR_RETURN(const std::string_view ahead, input_.peek(kChunkBytes));
      if (ahead.empty()) return fail("the file ends inside a JSON object");
      size_t n = 0;
      bool closed = false;
      while (n < ahead.size() && !closed) {
        const char c = ahead[n++];
        if (c == '\n') ++line_;
        if (escaped) {
          escaped = false;
        } else if (in_string) {
          escaped = c == '\\';
          in_string = c != '"';
        } else if (c == '"') {
          in_string = true;
        } else if (c == '{' || c == '[') {
          ++depth;
        } else if (c == '}' || c == ']') {
          closed = --depth == 0;
        }
      }
      text_.append(ahead.substr(0, n));
      input_.skip(n);
      if (text_.size() > kMaxRowBytes) {
        return fail("object longer than " + std::to_string(kMaxRowBytes) + " bytes");
      }
      if (closed) return true;
    }
  }

  Input input_;
  std::string text_;
  int64_t line_ = 1;
  bool in_array_ = false;
  bool began_ = false;
};

/// Adds the members of one line of JSON to each row of a vector file.
class MetaReader final : public RowReader {
 public:
  MetaReader(std::unique_ptr<RowReader> vectors, Input meta)
      : vectors_(std::move(vectors)), meta_(std::move(meta)) {}

  Result<Read> next(InputRow& row) override {
    LOCI_ASSIGN_OR_RETURN(const Read read, vectors_->next(row));
    LOCI_ASSIGN_OR_RETURN(const bool more, meta_.read_line(text_, kMaxRowBytes));
    if (read == Read::kEnd) return at_end(more);
    const int64_t position = row.line;
    if (!more) {
      return Status::invalid_argument("'" + meta_.name() + "' ends after line " +
                                      std::to_string(position - 1) +
                                      ": it needs one line for each vector");
    }
    if (read == Read::kBad) return read;
    row.object = Json::object();
    row.metadata.clear();
    if (is_blank(text_)) return Read::kRow;
    const Status parsed = parse_row(text_, row);
    if (parsed.ok()) return Read::kRow;
    row.error =
        meta_.name() + ":" + std::to_string(position) + ": " + std::string(parsed.message());
    return Read::kBad;
  }
  [[nodiscard]] double fraction() const override { return vectors_->fraction(); }
  [[nodiscard]] size_t vector_dim() const override { return vectors_->vector_dim(); }
  [[nodiscard]] std::string_view format() const override { return vectors_->format(); }
  [[nodiscard]] std::string where(const InputRow& row) const override {
    return vectors_->where(row);
  }

 private:
  Result<Read> at_end(bool more) {
    while (more) {
      if (!is_blank(text_)) {
        return Status::invalid_argument("'" + meta_.name() + "' has more lines than there are " +
                                        "vectors: it needs one line for each vector");
      }
      LOCI_ASSIGN_OR_RETURN(more, meta_.read_line(text_, kMaxRowBytes));
    }
    return Read::kEnd;
  }

  std::unique_ptr<RowReader> vectors_;
  Input meta_;
  std::string text_;
};

}  // namespace

Result<std::unique_ptr<RowReader>> make_json_lines_reader(Input input) {
  return std::unique_ptr<RowReader>(std::make_unique<JsonLinesReader>(std::move(input)));
}

Result<std::unique_ptr<RowReader>> make_json_stream_reader(Input input) {
  return std::unique_ptr<RowReader>(std::make_unique<JsonStreamReader>(std::move(input)));
}

Result<std::unique_ptr<RowReader>> make_meta_reader(std::unique_ptr<RowReader> vectors,
                                                    Input meta) {
  return std::unique_ptr<RowReader>(
      std::make_unique<MetaReader>(std::move(vectors), std::move(meta)));
}

}  // namespace loci::cli
