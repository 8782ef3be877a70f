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

std::string compare_vectors(Collection& collection, const VectorColumn& column,
                            const std::vector<Record>& rows) {
  const std::vector<float> query = sine_vector(column.dim, 0.77);
  std::map<int64_t, double> expected;
  for (const Record& row : rows) {
    for (const auto& [name, vector] : row.vectors) {
      if (name != column.name || vector.empty()) continue;
      expected[to_int(*row.rowid)] = oracle_distance(column.metric, query, vector);
    }
  }
  SearchRequest request;
  request.mode = SearchMode::kVector;
  request.column = column.name;
  request.vector = query;
  request.k = 100000;
  const auto found = collection.search(request);
  if (!found.ok()) return found.error().to_string();
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
  if (expected.empty()) return "";
  return column.name + ": row " + std::to_string(expected.begin()->first) + " was not found";
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
