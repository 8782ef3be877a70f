// SPDX-License-Identifier: Apache-2.0
//
// Which rows can a write displace?
//
// Idea. INSERT OR REPLACE and UPDATE OR REPLACE remove rows without firing delete triggers. A
// BEFORE trigger can still see them: they are the rows that agree with NEW on all terms of some
// unique index. Each unique index becomes one condition that the same index answers.
//
// Invariants.
//  1. Columns are compared under the collation of the index, not of the column.
//  2. A term that is an expression is evaluated over NEW by selecting it from a row that is made of
//     NEW's columns and bears the table's name, so that qualified names resolve too.
//  3. The WHERE of a partial index is asked of the row in the table only: NEW may be let in by it
//     or not; naming a row too many is harmless, as the AFTER trigger looks which rows are gone.
//  4. NULL in a NOT NULL column with a default becomes the default under OR REPLACE, after the
//     BEFORE trigger has run: such columns are compared as ifnull(NEW.x, default).
//
// Cost. One lookup in an index per unique index and written row.
//
// Tested by unique_keys_test.cc and conflicts_test.cc.
#include "store/unique_keys.h"

#include <algorithm>
#include <cstdint>
#include <optional>

#include "base/strings.h"
#include "sqlite/query.h"

namespace loci::store {
namespace {

using base::str_append;
using base::str_cat;
using sqlite::quote_identifier;
using sqlite::quote_text;

struct Column {
  std::string name;
  std::string not_null_default;  // SQL of the default, only when the column is NOT NULL
};

struct KeyTerm {
  std::string column;  // empty: an expression
  std::string collation;
};

struct UniqueIndex {
  std::string name;
  std::string sql;  // empty for the index of a constraint
  std::vector<KeyTerm> terms;
};

/// The end of the quoted text, comment or single character that starts at `position`.
size_t token_end(std::string_view sql, size_t position) {
  const char c = sql[position];
  if (c == '\'' || c == '"' || c == '`' || c == '[') {
    // A doubled quote ends here and opens again at once, which comes to the same.
    const size_t end = sql.find(c == '[' ? ']' : c, position + 1);
    return end == std::string_view::npos ? sql.size() : end + 1;
  }
  if (sql.substr(position, 2) == "--") return std::min(sql.find('\n', position), sql.size());
  if (sql.substr(position, 2) == "/*") {
    const size_t end = sql.find("*/", position + 2);
    return end == std::string_view::npos ? sql.size() : end + 2;
  }
  return position + 1;
}

bool is_comment(std::string_view token) {
  return token.size() >= 2 && (token.substr(0, 2) == "--" || token.substr(0, 2) == "/*");
}

bool is_word_char(char c) {
  return base::is_ascii_alpha(c) || base::is_ascii_digit(c) || c == '_' || c == '$' ||
         (static_cast<uint8_t>(c) & 0x80U) != 0;
}

/// `term` without a trailing ASC or DESC.
std::string without_order(std::string_view term) {
  term = base::trim(term);
  for (const std::string_view word : {std::string_view("asc"), std::string_view("desc")}) {
    if (term.size() <= word.size()) continue;
    const std::string_view tail = term.substr(term.size() - word.size());
    if (base::ascii_equal_fold(tail, word) && !is_word_char(term[term.size() - word.size() - 1])) {
      return std::string(base::trim(term.substr(0, term.size() - word.size())));
    }
  }
  return std::string(term);
}

Result<std::vector<Column>> read_columns(sqlite::Connection& connection, std::string_view table) {
  LOCI_ASSIGN_OR_RETURN(
      sqlite::Statement select,
      connection.prepare(str_cat("SELECT name, CASE WHEN \"notnull\" THEN dflt_value END FROM ",
                                 "pragma_table_xinfo(", quote_text(table), ") WHERE hidden <> 1")));
  std::vector<Column> columns;
  LOCI_RETURN_IF_ERROR(sqlite::for_each_row(select, [&](sqlite::Statement& row) -> Status {
    columns.push_back({.name = std::string(row.column_text(0)),
                       .not_null_default = std::string(row.column_text(1))});
    return {};
  }));
  return columns;
}

Result<std::vector<UniqueIndex>> read_indexes(sqlite::Connection& connection,
                                              std::string_view table) {
  LOCI_ASSIGN_OR_RETURN(
      sqlite::Statement select,
      connection.prepare(str_cat(
          "SELECT l.name, (SELECT sql FROM sqlite_schema WHERE type = 'index' AND name = l.name), ",
          "x.name, x.coll FROM pragma_index_list(", quote_text(table),
          ") l, pragma_index_xinfo(l.name) x WHERE l.\"unique\" AND x.key ",
          "ORDER BY l.name, x.seqno")));
  std::vector<UniqueIndex> indexes;
  LOCI_RETURN_IF_ERROR(sqlite::for_each_row(select, [&](sqlite::Statement& row) -> Status {
    const std::string name(row.column_text(0));
    if (indexes.empty() || indexes.back().name != name) {
      indexes.push_back({.name = name, .sql = std::string(row.column_text(1)), .terms = {}});
    }
    indexes.back().terms.push_back(
        {.column = std::string(row.column_text(2)), .collation = std::string(row.column_text(3))});
    return {};
  }));
  return indexes;
}

/// The value that NEW will have in a column.
std::string new_value(const Column& column) {
  std::string value = str_cat("NEW.", quote_identifier(column.name));
  if (column.not_null_default.empty()) return value;
  return str_cat("ifnull(", value, ", (", column.not_null_default, "))");
}

/// NEW as a table of one row that bears the table's name.
std::string new_as_table(std::string_view table, const std::vector<Column>& columns) {
  std::string out = "(SELECT ";
  for (const Column& column : columns) {
    if (&column != &columns.front()) out += ", ";
    str_append(out, new_value(column), " AS ", quote_identifier(column.name));
  }
  return out += str_cat(") AS ", quote_identifier(table));
}

Result<std::string> condition(const UniqueIndex& index, std::string_view table,
                              const std::vector<Column>& columns) {
  const IndexText text = parse_index_text(index.sql);
  const bool has_expression = std::any_of(index.terms.begin(), index.terms.end(),
                                          [](const KeyTerm& t) { return t.column.empty(); });
  if (has_expression && text.terms.size() != index.terms.size()) {
    return Status::unsupported(str_cat("table '", table, "', unique index '", index.name,
                                       "': its expressions cannot be read from '", index.sql, "'"));
  }
  std::string out;
  for (size_t i = 0; i < index.terms.size(); ++i) {
    const KeyTerm& term = index.terms[i];
    const std::string collate =
        term.collation.empty() ? "" : str_cat(" COLLATE ", quote_identifier(term.collation));
    if (i > 0) out += " AND ";
    if (!term.column.empty()) {
      const auto column = std::find_if(columns.begin(), columns.end(), [&](const Column& c) {
        return base::ascii_equal_fold(c.name, term.column);
      });
      const std::string value = column == columns.end()
                                    ? str_cat("NEW.", quote_identifier(term.column))
                                    : new_value(*column);
      str_append(out, quote_identifier(table), ".", quote_identifier(term.column), collate, " = ",
                 value);
    } else {
      str_append(out, "(", text.terms[i], ")", collate, " = (SELECT ", text.terms[i], " FROM ",
                 new_as_table(table, columns), ")");
    }
  }
  if (!text.where.empty()) str_append(out, " AND (", text.where, ")");
  return out;
}

}  // namespace

IndexText parse_index_text(std::string_view sql) {
  IndexText out;
  int depth = 0;
  bool closed = false;
  std::string piece;
  for (size_t at = 0; at < sql.size();) {
    const size_t end = token_end(sql, at);
    const std::string_view token = sql.substr(at, end - at);
    at = end;
    if (is_comment(token)) {
      piece += ' ';
      continue;
    }
    const bool opens_list = token == "(" && depth == 0 && !closed;
    const bool ends_term = depth == 1 && !closed && (token == "," || token == ")");
    if (token == "(") ++depth;
    if (token == ")") --depth;
    if (opens_list) {
      piece.clear();
    } else if (ends_term) {
      out.terms.push_back(without_order(piece));
      piece.clear();
      closed = token == ")";
    } else {
      piece += token;
    }
  }
  const std::string_view rest = base::trim(piece);
  constexpr std::string_view kWhere = "where";
  if (closed && base::ascii_equal_fold(rest.substr(0, kWhere.size()), kWhere)) {
    out.where = std::string(base::trim(rest.substr(kWhere.size())));
  }
  return out;
}

Result<std::vector<std::string>> displacing_conditions(sqlite::Connection& connection,
                                                       std::string_view table) {
  LOCI_ASSIGN_OR_RETURN(const std::vector<Column> columns, read_columns(connection, table));
  LOCI_ASSIGN_OR_RETURN(const std::vector<UniqueIndex> indexes, read_indexes(connection, table));
  std::vector<std::string> conditions;
  for (const UniqueIndex& index : indexes) {
    LOCI_ASSIGN_OR_RETURN(std::string text, condition(index, table, columns));
    conditions.push_back(std::move(text));
  }
  return conditions;
}

}  // namespace loci::store
