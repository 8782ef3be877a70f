// SPDX-License-Identifier: Apache-2.0
#include "readers/json_parse.h"

#include <cctype>
#include <string>

namespace loci::cli {
namespace {

constexpr int kMaxDepth = 256;  // the same as for metadata: see docs/limits.md

/// Keeps the position and the reason of the first error; builds nothing.
class ErrorOnly final : public nlohmann::json_sax<Json> {
 public:
  size_t position = 0;
  std::string reason;

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_object(std::size_t) override { return true; }
  bool key(string_t&) override { return true; }
  bool end_object() override { return true; }
  bool start_array(std::size_t) override { return true; }
  bool end_array() override { return true; }
  bool parse_error(std::size_t at, const std::string&,
                   const nlohmann::detail::exception& error) override {
    position = at;
    reason = error.what();
    // "[json.exception.parse_error.101] parse error at line 1, column 9: syntax error ...": what
    // comes after the place.
    if (const size_t colon = reason.find(": "); colon != std::string::npos) {
      reason.erase(0, colon + 2);
    }
    return false;
  }
};

/// Whether brackets nest deeper than kMaxDepth. Asked before parsing: what is parsed is freed and
/// written by recursion.
bool too_deep(std::string_view text) {
  int depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') {
        ++i;
      } else if (c == '"') {
        in_string = false;
      }
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > kMaxDepth) return true;
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return false;
}

/// Walks over valid JSON.
class Walker {
 public:
  explicit Walker(std::string_view text) : text_(text) {}

  void blanks() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_])) != 0) ++at_;
  }
  [[nodiscard]] char here() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  void step() { ++at_; }
  /// The string at the current place, quotes included.
  std::string_view string() {
    const size_t begin = at_++;
    while (at_ < text_.size() && text_[at_] != '"') at_ += text_[at_] == '\\' ? 2 : 1;
    ++at_;
    return slice(begin);
  }
  /// The value at the current place.
  std::string_view value() {
    if (here() == '"') return string();
    const size_t begin = at_;
    int depth = 0;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '"') {
        string();
        continue;
      }
      if (c == '[' || c == '{') ++depth;
      if (c == ']' || c == '}') {
        if (depth == 0) break;
        --depth;
      }
      if (c == ',' && depth == 0) break;
      ++at_;
    }
    std::string_view found = slice(begin);
    while (!found.empty() && std::isspace(static_cast<unsigned char>(found.back())) != 0) {
      found.remove_suffix(1);
    }
    return found;
  }

 private:
  std::string_view slice(size_t begin) {
    at_ = std::min(at_, text_.size());
    return text_.substr(begin, at_ - begin);
  }

  std::string_view text_;
  size_t at_ = 0;
};

}  // namespace

Result<Json> parse_json(std::string_view text) {
  if (too_deep(text)) {
    return Status::invalid_argument("JSON nested deeper than " + std::to_string(kMaxDepth));
  }
  Json value = Json::parse(text, nullptr, false);
  if (!value.is_discarded()) return value;
  ErrorOnly error;
  Json::sax_parse(text, &error);
  return Status::invalid_argument("broken JSON at byte " + std::to_string(error.position) + ": " +
                                  error.reason);
}

Status parse_row(std::string_view text, InputRow& row) {
  row.metadata.clear();
  LOCI_ASSIGN_OR_RETURN(row.object, parse_json(text));
  if (!row.object.is_object()) {
    return Status::invalid_argument(std::string("a JSON ") + row.object.type_name() +
                                    ", expected an object such as {\"id\": \"a\", ...}");
  }
  if (const auto found = row.object.find("metadata");
      found != row.object.end() && found->is_object()) {
    row.metadata = raw_member(text, "metadata");
  }
  return {};
}

std::string_view raw_member(std::string_view object, std::string_view name) {
  Walker walker(object);
  std::string_view found;
  walker.blanks();
  if (walker.here() != '{') return found;
  walker.step();
  walker.blanks();
  while (walker.here() == '"') {
    std::string_view key = walker.string();
    key = key.substr(1, key.size() - 2);
    walker.blanks();
    walker.step();  // the colon
    walker.blanks();
    const std::string_view value = walker.value();
    if (key == name) found = value;  // of several the last counts, as in the parser
    walker.blanks();
    if (walker.here() == ',') walker.step();
    walker.blanks();
  }
  return found;
}

}  // namespace loci::cli
