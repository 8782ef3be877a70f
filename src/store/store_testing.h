// SPDX-License-Identifier: Apache-2.0
//
// For tests only: what a table holds, what the log says, and whether the two agree.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/strings.h"
#include "sqlite/query.h"
#include "store/history.h"
#include "store/log.h"
#include "store/maintenance.h"
#include "store/rows.h"
#include "store/source.h"

#define ASSERT_OK(expression)                         \
  do {                                                \
    const ::loci::Status status_ = (expression);      \
    ASSERT_TRUE(status_.ok()) << status_.to_string(); \
  } while (false)
#define EXPECT_OK(expression)                         \
  do {                                                \
    const ::loci::Status status_ = (expression);      \
    EXPECT_TRUE(status_.ok()) << status_.to_string(); \
  } while (false)

namespace loci::store::testing {

/// The value of a Result; a failure ends the test program with its message.
template <typename T>
T take(Result<T> result) {
  if (!result.has_value()) {
    ADD_FAILURE() << result.error().to_string();
    std::abort();
  }
  return *std::move(result);
}

inline std::unique_ptr<sqlite::Connection> open(const std::string& path) {
  return take(sqlite::Connection::open(path, {}));
}

/// Every row of a query, columns joined by '|', NULL as "NULL".
inline std::vector<std::string> query(sqlite::Connection& connection, std::string_view sql) {
  std::vector<std::string> rows;
  sqlite::Statement statement = take(connection.prepare(sql));
  const Status status = sqlite::for_each_row(statement, [&](sqlite::Statement& row) -> Status {
    std::string text;
    for (int i = 0; i < row.column_count(); ++i) {
      if (i > 0) text += '|';
      text += row.is_null(i) ? "NULL" : std::string(row.column_text(i));
    }
    rows.push_back(std::move(text));
    return {};
  });
  EXPECT_TRUE(status.ok()) << sql << ": " << status.to_string();
  return rows;
}

inline std::string query_one(sqlite::Connection& connection, std::string_view sql) {
  const std::vector<std::string> rows = query(connection, sql);
  return rows.empty() ? "" : rows.front();
}

/// Integer key -> everything that the row and its vectors hold.
using Contents = std::map<int64_t, std::string>;

inline std::string quoted_columns(sqlite::Connection& connection, const std::string& table) {
  return query_one(
      connection,
      base::str_cat("SELECT group_concat('quote(\"' || name || '\")', ' || '',''  || ') "
                    "FROM pragma_table_xinfo(",
                    sqlite::quote_text(table), ")"));
}

inline Contents read_contents(sqlite::Connection& connection, const Source& source) {
  Contents contents;
  const auto read = [&](const std::string& table, const std::string& key) {
    sqlite::Statement select = take(
        connection.prepare(base::str_cat("SELECT ", key, ", ", quoted_columns(connection, table),
                                         " FROM ", sqlite::quote_identifier(table), " AS t")));
    EXPECT_OK(sqlite::for_each_row(select, [&](sqlite::Statement& row) -> Status {
      // A row that the triggers gave no key would be lost to every follower.
      EXPECT_FALSE(row.is_null(0)) << "row without a key: " << row.column_text(1);
      base::str_append(contents[row.column_int(0)], row.column_text(1), ";");
      return {};
    }));
  };
  if (!source.key_columns.empty()) {
    std::string where = base::str_cat("k.source = ", source.id);
    for (size_t i = 0; i < source.key_columns.size(); ++i) {
      const bool dataset = source.key_columns.size() == 2 && i == 0;
      base::str_append(where, " AND t.", sqlite::quote_identifier(source.key_columns[i]), " = k.",
                       dataset ? "dataset_id" : "id");
    }
    read(source.table, base::str_cat("(SELECT k.rid FROM loci_keys AS k WHERE ", where, ")"));
    return contents;
  }
  read(source.table, base::str_cat("t.", sqlite::quote_identifier(source.key_column)));
  if (source.managed && !source.vector_table.empty()) read(source.vector_table, "t.rid");
  return contents;
}

inline std::set<int64_t> logged_since(sqlite::Connection& connection, const Source& source,
                                      int64_t scn) {
  std::set<int64_t> rows;
  sqlite::Statement select =
      take(connection.prepare("SELECT rid FROM loci_log WHERE scn > ?1 AND source = ?2"));
  EXPECT_OK(sqlite::bind_all(select, scn, source.id));
  EXPECT_OK(sqlite::for_each_row(select, [&](sqlite::Statement& row) -> Status {
    rows.insert(row.column_int(0));
    return {};
  }));
  return rows;
}

/// Each row that differs between the two must be in the log.
inline void expect_logged(const Contents& before, const Contents& after,
                          const std::set<int64_t>& logged) {
  for (const auto& [row, text] : before) {
    const auto found = after.find(row);
    if (found == after.end() || found->second != text) {
      EXPECT_TRUE(logged.count(row) == 1) << "row " << row << " changed or went unlogged";
    }
  }
  for (const auto& [row, text] : after) {
    if (before.count(row) == 0) {
      EXPECT_TRUE(logged.count(row) == 1) << "row " << row << " came unlogged";
    }
  }
}

inline std::string text_of(const Value& value) {
  if (std::holds_alternative<std::monostate>(value)) return "NULL";
  if (const auto* text = std::get_if<std::string>(&value)) return base::str_cat("'", *text, "'");
  if (const auto* integer = std::get_if<int64_t>(&value)) return base::str_cat(*integer);
  if (const auto* flag = std::get_if<bool>(&value)) return base::str_cat(*flag);
  return base::str_cat(std::get<double>(value));
}

/// A record as text, vectors and times too.
inline std::string text_of(const Record& record, bool times = true) {
  std::string out = base::str_cat("id ", record.id.value_or("-"));
  for (const auto& [name, value] : record.fields)
    base::str_append(out, " ", name, "=", text_of(value));
  base::str_append(out, " ", record.metadata.value_or("-"), record.archived ? " archived" : "");
  if (times) base::str_append(out, " ", record.created_at_us, " ", record.updated_at_us);
  return out;
}
inline std::string text_of(const std::vector<float>& vector) {
  std::string out;
  for (const float component : vector) base::str_append(out, component, ",");
  return out;
}

/// What a row holds: its columns, and the vectors that count.
struct RowState {
  std::string columns;
  std::map<std::string, std::string> vectors;
  friend bool operator==(const RowState&, const RowState&) = default;

  [[nodiscard]] std::string text() const {
    std::string out = columns;
    for (const auto& [name, vector] : vectors) base::str_append(out, " ", name, ":", vector);
    return out;
  }
  /// Nothing of it is lost when `later` takes its place.
  [[nodiscard]] bool only_filled_in(const RowState& later) const {
    return columns == later.columns &&
           std::all_of(vectors.begin(), vectors.end(), [&](const auto& vector) {
             const auto found = later.vectors.find(vector.first);
             return found != later.vectors.end() && found->second == vector.second;
           });
  }
};
inline RowState state_of(const Record& record, bool times = true) {
  RowState state{.columns = text_of(record, times), .vectors = {}};
  for (const auto& [name, vector] : record.vectors) state.vectors[name] = text_of(vector);
  return state;
}
using States = std::map<int64_t, RowState>;

inline States read_states(sqlite::Connection& connection, const Source& source) {
  States states;
  EXPECT_OK(scan_rows(connection, source, {}, {.with_archived = true, .with_vectors = true},
                      [&](const Record& record) -> Status {
                        states[to_int(*record.rowid)] = state_of(record);
                        return {};
                      }));
  return states;
}

/// Each row that is not what it was has a version later than `number` that says what it was; where
/// nothing was replaced, a row that is what it was has none.
inline void expect_kept(sqlite::Connection& connection, const Source& source, const States& before,
                        const States& after, int64_t number, bool replaces) {
  for (const auto& [row, state] : before) {
    std::vector<Version> versions = take(read_history(connection, source, RowId{row}, true, 0));
    std::erase_if(versions, [&](const Version& version) { return version.number <= number; });
    const auto now = after.find(row);
    const bool there = now != after.end();
    if (there && now->second == state) {
      EXPECT_TRUE(versions.empty() || replaces) << "row " << row << " was not changed";
      continue;
    }
    if (there && state.only_filled_in(now->second)) continue;
    if (versions.empty()) {
      ADD_FAILURE() << "row " << row << " left no version: " << state.text();
      continue;
    }
    EXPECT_EQ(state_of(versions.back().record).text(), state.text()) << "row " << row;
    EXPECT_TRUE(there || versions.front().change == ChangeKind::kDelete) << "row " << row;
  }
}

/// FTS5 agrees with the text, and no vector row is without its row.
inline void expect_consistent(sqlite::Connection& connection, const Source& source) {
  if (!source.fts_table.empty()) {
    const std::string fts = sqlite::quote_identifier(source.fts_table);
    EXPECT_OK(connection.exec(
        base::str_cat("INSERT INTO ", fts, "(", fts, ", rank) VALUES('integrity-check', 1)")));
  }
  if (source.managed && !source.vector_table.empty()) {
    EXPECT_EQ(query_one(connection, base::str_cat("SELECT count(*) FROM ",
                                                  sqlite::quote_identifier(source.vector_table),
                                                  " WHERE rid NOT IN (SELECT rid FROM ",
                                                  sqlite::quote_identifier(source.table), ")")),
              "0");
  }
}

inline void expect_check_clean(sqlite::Connection& connection) {
  const std::vector<CheckFinding> findings = take(check(connection, false));
  for (const CheckFinding& finding : findings) {
    ADD_FAILURE() << finding.object << " " << finding.kind << ": " << finding.message;
  }
}

}  // namespace loci::store::testing
