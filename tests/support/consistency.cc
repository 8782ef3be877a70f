// SPDX-License-Identifier: Apache-2.0
#include "support/consistency.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <sstream>
#include <vector>

#include "support/fixture.h"
#include "support/process.h"

namespace loci::testing {
namespace {

std::set<std::string> words_of(const Record& record, const CollectionSpec& spec) {
  std::set<std::string> words;
  for (const std::string& column : spec.text) {
    const Value value = field(record, column);
    const auto* text = std::get_if<std::string>(&value);
    if (text == nullptr) continue;
    std::string spaced = *text;
    std::replace(spaced.begin(), spaced.end(), ',', ' ');
    std::istringstream in(spaced);
    for (std::string word; in >> word;) words.insert(word);
  }
  return words;
}

/// What is wrong with a search for `k` rows: each must be one of `expected`, at its distance and in
/// order. Takes those that were found out of `expected`.
std::string compare_nearest(Collection& collection, const VectorColumn& column, VectorView query,
                            size_t k, std::map<int64_t, double>& expected) {
  SearchRequest request;
  request.mode = SearchMode::kVector;
  request.column = column.name;
  request.vector = query;
  request.k = k;
  const auto found = collection.search(request);
  if (!found.ok()) return found.error().to_string();
  if (found->hits.size() != std::min(k, expected.size())) {
    return column.name + ": " + std::to_string(found->hits.size()) + " hits of " +
           std::to_string(expected.size()) + " rows, asked for " + std::to_string(k);
  }
  double last = -2;
  for (const Hit& hit : found->hits) {
    const auto row = expected.find(to_int(hit.rowid));
    const std::string where = column.name + ": row " + std::to_string(to_int(hit.rowid));
    if (row == expected.end()) return where + " was found and is not there";
    if (!(std::fabs(*hit.distance - row->second) <= 1e-6)) return where + " has another vector";
    if (*hit.distance < last) return where + " is out of order";
    last = *hit.distance;
    expected.erase(row);
  }
  return "";
}

/// All rows, by a scan, and the nearest few, by the graph if there is one.
std::string compare_vectors(Collection& collection, const VectorColumn& column,
                            const std::vector<Record>& rows) {
  const std::vector<float> query = sine_vector(column.dim, 0.77);
  std::map<int64_t, double> all;
  for (const Record& row : rows) {
    for (const auto& [name, vector] : row.vectors) {
      if (name != column.name || vector.empty()) continue;
      all[to_int(*row.rowid)] = oracle_distance(column.metric, query, vector);
    }
  }
  for (const size_t k : {size_t{10}, size_t{100000}}) {
    std::map<int64_t, double> expected = all;
    std::string difference = compare_nearest(collection, column, query, k, expected);
    if (!difference.empty()) return difference;
  }
  return "";
}

std::string compare_words(Collection& collection, const CollectionSpec& spec,
                          const std::vector<Record>& rows) {
  std::map<std::string, std::vector<int64_t>> expected;
  for (const Record& row : rows) {
    for (const std::string& word : words_of(row, spec)) {
      expected[word].push_back(to_int(*row.rowid));
    }
  }
  for (const auto& [word, holders] : expected) {
    SearchRequest request;
    request.mode = SearchMode::kText;
    request.text = word;
    request.k = 100000;
    const auto found = collection.search(request);
    if (!found.ok()) return found.error().to_string();
    std::vector<int64_t> got = rowids(found->hits);
    std::sort(got.begin(), got.end());
    if (got != holders) {
      return "'" + word + "' is in " + std::to_string(holders.size()) + " rows, found in " +
             std::to_string(got.size());
    }
  }
  return "";
}

}  // namespace

std::string search_differs_from_rows(Collection& collection) {
  const CollectionSpec spec = collection.spec();
  std::vector<Record> rows;
  const Status status = collection.scan({}, false, true, -1, 0, [&](const Record& record) {
    rows.push_back(record);
    return Status();
  });
  if (!status.ok()) return status.to_string();
  for (const VectorColumn& column : spec.vectors) {
    std::string difference = compare_vectors(collection, column, rows);
    if (!difference.empty()) return difference;
  }
  return spec.text.empty() ? "" : compare_words(collection, spec, rows);
}

std::string file_is_damaged(Database& database, const std::string& fts_table) {
  for (const char* rank : {"0", "1"}) {  // 1 compares the index with the table's text too
    const ProcessResult shell =
        sqlite_shell(database.path(), "INSERT INTO " + fts_table + "(" + fts_table +
                                          ", rank) VALUES('integrity-check', " + rank + ");");
    if (shell.exit_code != 0) return "FTS5 integrity-check " + std::string(rank) + shell.error;
  }
  return check_report(database);
}

}  // namespace loci::testing
