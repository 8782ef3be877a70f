// SPDX-License-Identifier: Apache-2.0
//
// Rows of CSV and TSV, RFC 4180: a header line names the columns; fields may be quoted, a quote
// inside is doubled, line breaks inside quotes belong to the field. An empty unquoted field is
// absent, "" is an empty text.
#include <string>
#include <utility>
#include <vector>

#include "readers/row_reader.h"

namespace loci::cli {
namespace {

constexpr size_t kChunkBytes = size_t{1} << 16;
constexpr size_t kMaxColumns = 4096;

struct CsvField {
  std::string text;
  bool quoted = false;
};

class CsvReader final : public RowReader {
 public:
  CsvReader(Input input, char delimiter) : input_(std::move(input)), delimiter_(delimiter) {}

  Status read_header() {
    LOCI_ASSIGN_OR_RETURN(const std::string_view ahead, input_.peek(3));
    if (ahead == "\xEF\xBB\xBF") input_.skip(3);
    int64_t line = 0;
    LOCI_ASSIGN_OR_RETURN(const bool more, read_record(line));
    if (!more) return Status::invalid_argument(input_.name() + ": empty: a header line is needed");
    for (const CsvField& field : record_) {
      for (const std::string& name : columns_) {
        if (name == field.text) {
          return Status::invalid_argument(input_.name() + ":1: two columns named '" + name + "'");
        }
      }
      columns_.push_back(field.text);
    }
    return {};
  }

  Result<Read> next(InputRow& row) override {
    while (true) {
      LOCI_ASSIGN_OR_RETURN(const bool more, read_record(row.line));
      if (!more) return Read::kEnd;
      const bool blank = record_.size() == 1 && record_[0].text.empty() && !record_[0].quoted;
      if (!blank || columns_.size() == 1) break;
    }
    if (!problem_.empty()) {
      row.error = problem_;
      return Read::kBad;
    }
    if (record_.size() != columns_.size()) {
      row.error = std::to_string(record_.size()) + " fields, the header has " +
                  std::to_string(columns_.size());
      return Read::kBad;
    }
    row.object = Json::object();
    row.metadata.clear();
    for (size_t i = 0; i < columns_.size(); ++i) {
      if (record_[i].text.empty() && !record_[i].quoted) continue;
      row.object[columns_[i]] = std::move(record_[i].text);
    }
    return Read::kRow;
  }
  [[nodiscard]] double fraction() const override { return input_.fraction(); }
  [[nodiscard]] bool untyped() const override { return true; }
  [[nodiscard]] std::string_view format() const override {
    return delimiter_ == '\t' ? "TSV" : "CSV";
  }
  [[nodiscard]] std::string where(const InputRow& row) const override {
    return input_.name() + ":" + std::to_string(row.line);
  }

 private:
  enum class State { kFieldStart, kPlain, kQuoted, kQuoteInQuoted };

  /// Reads one record into record_; false at the end. `line` is the line that it begins at.
  Result<bool> read_record(int64_t& line) {
    record_.clear();
    problem_.clear();
    line = line_;
    CsvField field;
    State state = State::kFieldStart;
    size_t bytes = 0;
    while (true) {
      LOCI_ASSIGN_OR_RETURN(const std::string_view ahead, input_.peek(kChunkBytes));
      if (ahead.empty()) return at_end(state, std::move(field), bytes != 0);
      size_t n = 0;
      bool complete = false;
      while (n < ahead.size() && !complete) {
        LOCI_ASSIGN_OR_RETURN(complete, take(ahead[n++], state, field));
      }
      input_.skip(n);
      bytes += n;
      if (bytes > kMaxRowBytes) return fail(line, "record longer than the limit of 256 MiB");
      if (complete) return true;
    }
  }

  /// One character; true when it ended the record.
  Result<bool> take(char c, State& state, CsvField& field) {
    if (c == '\n') ++line_;
    if (state == State::kQuoted) {
      if (c == '"') {
        state = State::kQuoteInQuoted;
      } else {
        field.text += c;
      }
      return false;
    }
    if (state == State::kQuoteInQuoted && c == '"') {
      field.text += '"';
      state = State::kQuoted;
      return false;
    }
    if (c == delimiter_ || c == '\n') {
      if (c == '\n' && !field.text.empty() && field.text.back() == '\r' && !field.quoted) {
        field.text.pop_back();
      }
      record_.push_back(std::exchange(field, {}));
      state = State::kFieldStart;
      if (record_.size() > kMaxColumns) return fail(line_, "more than 4096 columns");
      return c == '\n';
    }
    if (state == State::kQuoteInQuoted) {
      if (c != '\r') problem_ = "text after a closing quote (a quote inside is doubled)";
      return false;
    }
    if (c == '"' && state == State::kFieldStart) {
      field.quoted = true;
      state = State::kQuoted;
      return false;
    }
    field.text += c;
    state = State::kPlain;
    return false;
  }

  Result<bool> at_end(State state, CsvField field, bool any) {
    if (!any) return false;
    if (state == State::kQuoted) return fail(line_, "the file ends inside a quoted field");
    if (!field.quoted && !field.text.empty() && field.text.back() == '\r') field.text.pop_back();
    record_.push_back(std::move(field));
    return true;
  }

  Status fail(int64_t line, const std::string& what) const {
    return Status::invalid_argument(input_.name() + ":" + std::to_string(line) + ": " + what);
  }

  Input input_;
  char delimiter_;
  std::vector<std::string> columns_;
  std::vector<CsvField> record_;
  std::string problem_;
  int64_t line_ = 1;
};

}  // namespace

Result<std::unique_ptr<RowReader>> make_csv_reader(Input input, char delimiter) {
  auto reader = std::make_unique<CsvReader>(std::move(input), delimiter);
  LOCI_RETURN_IF_ERROR(reader->read_header());
  return std::unique_ptr<RowReader>(std::move(reader));
}

}  // namespace loci::cli
