// SPDX-License-Identifier: Apache-2.0
//
// Text -> FilterExpr: a tokenizer with one token of look-ahead under a recursive descent parser,
// one function per rule of the grammar in filter.h.
//
// Invariants: (1) every error names the position of the token that did not fit, counted in bytes
// from 1; (2) recursion is bounded by kMaxWhereDepth, so no input exhausts the stack; (3) BETWEEN
// and the negated tests are rewritten into kAnd, kCompare and kNot, which keeps SQL's three-valued
// logic (x NOT BETWEEN a AND b is NOT (x >= a AND x <= b)) and spares every reader those cases.
// Cost: O(text). Tested by filter_test.cc, filter_oracle_test.cc.
#include <optional>
#include <utility>

#include "base/limits.h"
#include "base/strings.h"
#include "query/filter.h"

namespace loci::query {
namespace {

using Kind = FilterExpr::Kind;
using Op = index::Predicate::Op;

/// Values that one statement binds: SQLite's default limit is 32,766.
constexpr size_t kMaxValues = 30000;
constexpr size_t kMaxQuotedInMessage = 40;

enum class TokenKind : uint8_t { kEnd, kName, kNumber, kText, kSymbol };

struct Token {
  TokenKind kind = TokenKind::kEnd;
  size_t position = 0;
  std::string_view raw;
  Value value;  ///< of a number or a text
};

bool starts_name(char c) noexcept { return base::is_ascii_alpha(c) || c == '_'; }
bool continues_name(char c) noexcept { return starts_name(c) || base::is_ascii_digit(c); }

Status error_at(size_t position, std::string_view what) {
  return Status::invalid_argument(base::str_cat("filter, position ", position + 1, ": ", what));
}

std::string describe(const Token& token) {
  if (token.kind == TokenKind::kEnd) return "the end";
  const std::string_view shown = base::utf8_prefix(token.raw, kMaxQuotedInMessage);
  return base::str_cat("`", shown, shown.size() < token.raw.size() ? "..." : "", "`");
}

/// Cuts the text into tokens.
class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}  // text must outlive this

  Result<Token> next() {
    while (position_ < text_.size() && base::is_ascii_space(text_[position_])) ++position_;
    Token token;
    token.position = position_;
    if (position_ == text_.size()) return token;
    const char c = text_[position_];
    if (starts_name(c)) return name(token);
    if (c == '\'' || c == '"') return quoted(token, c);
    if (starts_number()) return number(token);
    return symbol(token);
  }

 private:
  [[nodiscard]] char at(size_t position) const noexcept {
    return position < text_.size() ? text_[position] : '\0';
  }
  [[nodiscard]] bool starts_number() const noexcept {
    size_t i = position_;
    if (at(i) == '+' || at(i) == '-') ++i;
    if (at(i) == '.') ++i;
    return base::is_ascii_digit(at(i));
  }

  Token finish(Token token, TokenKind kind) const {
    token.kind = kind;
    token.raw = text_.substr(token.position, position_ - token.position);
    return token;
  }

  Token name(const Token& token) {
    while (continues_name(at(position_)) ||
           (at(position_) == '.' && starts_name(at(position_ + 1)))) {
      ++position_;
    }
    return finish(token, TokenKind::kName);
  }

  void skip_digits() noexcept {
    while (base::is_ascii_digit(at(position_))) ++position_;
  }

  Result<Token> number(Token token) {
    if (at(position_) == '+' || at(position_) == '-') ++position_;
    skip_digits();
    if (at(position_) == '.') {
      ++position_;
      skip_digits();
    }
    if (at(position_) == 'e' || at(position_) == 'E') {
      ++position_;
      if (at(position_) == '+' || at(position_) == '-') ++position_;
      skip_digits();
    }
    if (continues_name(at(position_)) || at(position_) == '.') {
      ++position_;
      token = finish(token, TokenKind::kNumber);
      return error_at(token.position, base::str_cat(describe(token), " is not a number; texts are ",
                                                    "written between ' and '"));
    }
    token = finish(token, TokenKind::kNumber);
    if (const std::optional<int64_t> integer = base::parse_int(token.raw)) {
      token.value = *integer;
      return token;
    }
    const std::optional<double> real = base::parse_double(token.raw);
    // Infinity is what parse_double makes of a number too large.
    if (!real.has_value() ||
        !(*real <= 1.7976931348623157e308 && *real >= -1.7976931348623157e308)) {
      return error_at(token.position,
                      base::str_cat(describe(token), " is not a number that fits a double"));
    }
    token.value = *real;
    return token;
  }

  Result<Token> quoted(Token token, char quote) {
    std::string decoded;
    ++position_;
    while (true) {
      if (position_ == text_.size()) {
        return error_at(token.position, base::str_cat("text is not closed: expected ", quote));
      }
      const char c = text_[position_++];
      if (c == quote) {
        if (at(position_) != quote) break;
        ++position_;  // doubled: the quote itself
      }
      decoded += c;
    }
    token = finish(token, TokenKind::kText);
    token.value = std::move(decoded);
    return token;
  }

  Result<Token> symbol(const Token& token) {
    const std::string_view two = text_.substr(position_, 2);
    if (two == "&&") return error_at(position_, "found `&&`, expected AND");
    if (two == "||") return error_at(position_, "found `||`, expected OR");
    for (const std::string_view known : {"==", "!=", "<>", "<=", ">="}) {
      if (two != known) continue;
      position_ += 2;
      return finish(token, TokenKind::kSymbol);
    }
    const char c = text_[position_];
    if (c == '(' || c == ')' || c == ',' || c == '=' || c == '<' || c == '>') {
      ++position_;
      return finish(token, TokenKind::kSymbol);
    }
    size_t end = position_;
    static_cast<void>(base::next_codepoint(text_, &end));
    return error_at(position_, base::str_cat("`", text_.substr(position_, end - position_),
                                             "` is not part ", "of the filter language"));
  }

  std::string_view text_;
  size_t position_ = 0;
};

class Parser {
 public:
  explicit Parser(std::string_view text) : lexer_(text) {}

  Result<FilterExpr> parse() {
    LOCI_RETURN_IF_ERROR(advance());
    LOCI_ASSIGN_OR_RETURN(FilterExpr expr, parse_or());
    if (token_.kind != TokenKind::kEnd) return unexpected("AND, OR or the end");
    return expr;
  }

 private:
  Status advance() {
    LOCI_ASSIGN_OR_RETURN(token_, lexer_.next());
    return {};
  }
  [[nodiscard]] bool at_keyword(std::string_view keyword) const noexcept {
    return token_.kind == TokenKind::kName && base::ascii_equal_fold(token_.raw, keyword);
  }
  [[nodiscard]] bool at_symbol(std::string_view symbol) const noexcept {
    return token_.kind == TokenKind::kSymbol && token_.raw == symbol;
  }
  [[nodiscard]] Status unexpected(std::string_view expected) const {
    return error_at(token_.position,
                    base::str_cat("found ", describe(token_), ", expected ", expected));
  }
  Status take_symbol(std::string_view symbol) {
    if (!at_symbol(symbol)) return unexpected(base::str_cat("`", symbol, "`"));
    return advance();
  }
  Status take_keyword(std::string_view keyword) {
    if (!at_keyword(keyword)) return unexpected(keyword);
    return advance();
  }
  [[nodiscard]] bool at_reserved() const noexcept {
    for (const std::string_view word :
         {"and", "or", "not", "in", "like", "is", "between", "null", "true", "false"}) {
      if (at_keyword(word)) return true;
    }
    return false;
  }

  static FilterExpr negated(FilterExpr inner, bool negate) {
    if (!negate) return inner;
    FilterExpr expr;
    expr.kind = Kind::kNot;
    expr.children.push_back(std::move(inner));
    return expr;
  }

  Result<FilterExpr> parse_or() {
    LOCI_ASSIGN_OR_RETURN(FilterExpr first, parse_and());
    if (!at_keyword("or")) return first;
    FilterExpr expr;
    expr.kind = Kind::kOr;
    expr.children.push_back(std::move(first));
    while (at_keyword("or")) {
      LOCI_RETURN_IF_ERROR(advance());
      LOCI_ASSIGN_OR_RETURN(FilterExpr child, parse_and());
      expr.children.push_back(std::move(child));
    }
    return expr;
  }

  Result<FilterExpr> parse_and() {
    LOCI_ASSIGN_OR_RETURN(FilterExpr first, parse_not());
    if (!at_keyword("and")) return first;
    FilterExpr expr;
    expr.kind = Kind::kAnd;
    expr.children.push_back(std::move(first));
    while (at_keyword("and")) {
      LOCI_RETURN_IF_ERROR(advance());
      LOCI_ASSIGN_OR_RETURN(FilterExpr child, parse_not());
      expr.children.push_back(std::move(child));
    }
    return expr;
  }

  Status enter() {
    if (depth_ == base::kMaxWhereDepth) {
      return error_at(token_.position,
                      base::str_cat("nested deeper than ", base::kMaxWhereDepth, " levels"));
    }
    ++depth_;
    return {};
  }

  Result<FilterExpr> parse_not() {
    if (!at_keyword("not")) return parse_test();
    LOCI_RETURN_IF_ERROR(enter());
    LOCI_RETURN_IF_ERROR(advance());
    LOCI_ASSIGN_OR_RETURN(FilterExpr inner, parse_not());
    --depth_;
    return negated(std::move(inner), true);
  }

  Result<FilterExpr> parse_test() {
    if (at_symbol("(")) {
      LOCI_RETURN_IF_ERROR(enter());
      LOCI_RETURN_IF_ERROR(advance());
      LOCI_ASSIGN_OR_RETURN(FilterExpr expr, parse_or());
      LOCI_RETURN_IF_ERROR(take_symbol(")"));
      --depth_;
      return expr;
    }
    if (token_.kind == TokenKind::kText) {
      return unexpected("a column name (names are written without quotes)");
    }
    if (token_.kind != TokenKind::kName || at_reserved()) return unexpected("a column name or `(`");
    if (++terms_ > base::kMaxWhereTerms) {
      return error_at(token_.position,
                      base::str_cat("more than ", base::kMaxWhereTerms, " comparisons"));
    }
    const std::string name(token_.raw);
    LOCI_RETURN_IF_ERROR(advance());
    return parse_comparison(name);
  }

  Result<FilterExpr> parse_comparison(const std::string& name) {
    if (token_.kind == TokenKind::kSymbol) {
      if (const std::optional<Op> op = comparison_op()) {
        LOCI_RETURN_IF_ERROR(advance());
        return compare(name, *op);
      }
    }
    if (at_keyword("is")) return parse_is_null(name);
    const bool negate = at_keyword("not");
    if (negate) LOCI_RETURN_IF_ERROR(advance());
    if (at_keyword("in")) return parse_in(name, negate);
    if (at_keyword("like")) return parse_like(name, negate);
    if (at_keyword("between")) return parse_between(name, negate);
    return unexpected(negate ? "IN, LIKE or BETWEEN"
                             : "a comparison (= != < <= > >=), IN, LIKE, BETWEEN or IS");
  }

  [[nodiscard]] std::optional<Op> comparison_op() const noexcept {
    const std::string_view raw = token_.raw;
    if (raw == "=" || raw == "==") return Op::kEq;
    if (raw == "!=" || raw == "<>") return Op::kNe;
    if (raw == "<") return Op::kLt;
    if (raw == "<=") return Op::kLe;
    if (raw == ">") return Op::kGt;
    if (raw == ">=") return Op::kGe;
    return std::nullopt;
  }

  Result<FilterExpr> compare(const std::string& name, Op op) {
    FilterExpr expr;
    expr.kind = Kind::kCompare;
    expr.op = op;
    expr.name = name;
    LOCI_ASSIGN_OR_RETURN(Value value, parse_value(name));
    expr.values.push_back(std::move(value));
    return expr;
  }

  Result<FilterExpr> parse_is_null(const std::string& name) {
    LOCI_RETURN_IF_ERROR(advance());
    const bool negate = at_keyword("not");
    if (negate) LOCI_RETURN_IF_ERROR(advance());
    LOCI_RETURN_IF_ERROR(take_keyword("NULL"));
    FilterExpr expr;
    expr.kind = Kind::kIsNull;
    expr.name = name;
    return negated(std::move(expr), negate);
  }

  Result<FilterExpr> parse_in(const std::string& name, bool negate) {
    LOCI_RETURN_IF_ERROR(advance());
    LOCI_RETURN_IF_ERROR(take_symbol("("));
    FilterExpr expr;
    expr.kind = Kind::kIn;
    expr.name = name;
    while (true) {
      LOCI_ASSIGN_OR_RETURN(Value value, parse_value(name));
      expr.values.push_back(std::move(value));
      if (!at_symbol(",")) break;
      LOCI_RETURN_IF_ERROR(advance());
    }
    if (!at_symbol(")")) return unexpected("`,` or `)`");
    LOCI_RETURN_IF_ERROR(advance());
    return negated(std::move(expr), negate);
  }

  Result<FilterExpr> parse_like(const std::string& name, bool negate) {
    LOCI_RETURN_IF_ERROR(advance());
    if (token_.kind != TokenKind::kText) return unexpected("a pattern between ' and '");
    FilterExpr expr;
    expr.kind = Kind::kLike;
    expr.name = name;
    LOCI_ASSIGN_OR_RETURN(Value value, parse_value(name));
    expr.values.push_back(std::move(value));
    return negated(std::move(expr), negate);
  }

  Result<FilterExpr> parse_between(const std::string& name, bool negate) {
    LOCI_RETURN_IF_ERROR(advance());
    FilterExpr expr;
    expr.kind = Kind::kAnd;
    LOCI_ASSIGN_OR_RETURN(FilterExpr low, compare(name, Op::kGe));
    LOCI_RETURN_IF_ERROR(take_keyword("AND"));
    LOCI_ASSIGN_OR_RETURN(FilterExpr high, compare(name, Op::kLe));
    expr.children.push_back(std::move(low));
    expr.children.push_back(std::move(high));
    return negated(std::move(expr), negate);
  }

  Result<Value> parse_value(const std::string& name) {
    Value value;
    if (token_.kind == TokenKind::kNumber || token_.kind == TokenKind::kText) {
      value = std::move(token_.value);
    } else if (at_keyword("true") || at_keyword("false")) {
      value = at_keyword("true");
    } else if (at_keyword("null")) {
      return error_at(token_.position, base::str_cat("nothing compares with NULL: write `", name,
                                                     " IS NULL` or `", name, " IS NOT NULL`"));
    } else if (token_.kind == TokenKind::kName) {
      return unexpected("a value (texts are written between ' and ')");
    } else {
      return unexpected("a value");
    }
    if (++values_ > kMaxValues) {
      return error_at(token_.position, base::str_cat("more than ", kMaxValues, " values"));
    }
    LOCI_RETURN_IF_ERROR(advance());
    return value;
  }

  Lexer lexer_;
  Token token_;
  size_t depth_ = 0;
  size_t terms_ = 0;
  size_t values_ = 0;
};

/// Position of the first byte that is NUL or begins malformed UTF-8; nullopt when there is none.
std::optional<size_t> first_bad_byte(std::string_view text) noexcept {
  for (size_t i = 0; i < text.size();) {
    const size_t begin = i;
    const char32_t codepoint = base::next_codepoint(text, &i);
    const bool malformed = codepoint == base::kReplacementCharacter && i == begin + 1;
    if (codepoint == 0 || malformed) return begin;
  }
  return std::nullopt;
}

}  // namespace

Result<FilterExpr> parse_filter(std::string_view text) {
  if (text.size() > base::kMaxWhereBytes) {
    return error_at(base::kMaxWhereBytes,
                    base::str_cat("the filter is ", text.size(), " bytes long, at most ",
                                  base::kMaxWhereBytes, " are allowed"));
  }
  if (const std::optional<size_t> bad = first_bad_byte(text)) {
    return error_at(*bad, "a NUL or a byte that is not UTF-8");
  }
  return Parser(text).parse();
}

}  // namespace loci::query
