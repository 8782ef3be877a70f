// SPDX-License-Identifier: Apache-2.0
//
// insert: insert_many in transactions of 1,000 rows, and beside it the same tables, indexes and
// FTS5 filled by prepared SQL without Loci. Rows are made outside the clock; the two take turns
// batch by batch of whole files, and which one begins changes every round.
#include <algorithm>
#include <cstring>
#include <optional>

#include "base/clock.h"
#include "sqlite/connection.h"
#include "workloads.h"

namespace loci::bench {
namespace {

constexpr size_t kBatch = 1000;
constexpr size_t kWords = 30;
constexpr double kTargetUs = 25;  // issue 2, "Done when" 4
constexpr double kTargetTextUs = 70;
constexpr double kTargetRatio = 1.25;

struct Case {
  size_t rows;
  bool text;
  Durability durability;

  [[nodiscard]] std::string name() const {
    return std::to_string(rows) + " rows, " + (text ? "30 words, " : "no text, ") +
           (durability == Durability::kFull ? "FULL" : "NORMAL");
  }
};

CollectionSpec spec_of(const Case& test) {
  CollectionSpec spec;
  spec.name = "docs";
  spec.vectors.emplace_back();
  spec.vectors[0].dim = 384;
  spec.filters = {{"lang", FieldType::kText}, {"year", FieldType::kInt}};
  if (test.text) spec.text = {"body"};
  return spec;
}

/// Makes the rows of one round; both ways of inserting get the same ones.
class RowMaker {
 public:
  RowMaker(const Dataset& data, const Case& test, uint64_t seed)
      : data_(data), test_(test), text_(seed) {}

  std::vector<Record> batch() {
    constexpr const char* kLanguages[] = {"rust", "c++", "go", "python"};
    std::vector<Record> records(kBatch);
    for (Record& record : records) {
      const VectorView row = data_.row(next_ % data_.rows());
      record.id = text_.id();
      record.vectors.emplace_back("embedding", std::vector<float>(row.begin(), row.end()));
      if (test_.text) record.fields.emplace_back("body", text_.text(kWords));
      record.fields.emplace_back("lang", std::string(kLanguages[next_ % 4]));
      record.fields.emplace_back("year", static_cast<int64_t>(2000 + next_ % 25));
      ++next_;
    }
    return records;
  }

 private:
  const Dataset& data_;
  const Case& test_;
  TextMaker text_;
  size_t next_ = 0;
};

/// Per row: by the clock, and of the processor.
struct Cost {
  double us = 0;
  double cpu_us = 0;
};

/// Adds up the time of the batches, without that of making them.
class Meter {
 public:
  template <typename Body>
  Status run(const Body& body) {
    const double cpu = cpu_us();
    const Stopwatch watch;
    LOCI_RETURN_IF_ERROR(body());
    total_.us += watch.us();
    total_.cpu_us += cpu_us() - cpu;
    return {};
  }
  [[nodiscard]] Cost per_row(size_t rows) const {
    return {total_.us / static_cast<double>(rows), total_.cpu_us / static_cast<double>(rows)};
  }

 private:
  Cost total_;
};

Result<Cost> insert_with_loci(const std::string& path, const Dataset& data, const Case& test,
                              uint64_t seed) {
  remove_database(path);
  DatabaseOptions options;
  options.durability = test.durability;
  LOCI_ASSIGN_OR_RETURN(Database database, Database::open(path, options));
  LOCI_ASSIGN_OR_RETURN(Collection docs, database.create_collection(spec_of(test)));
  RowMaker rows(data, test, seed);
  Meter meter;
  for (size_t done = 0; done < test.rows; done += kBatch) {
    const std::vector<Record> records = rows.batch();
    LOCI_RETURN_IF_ERROR(meter.run([&] { return docs.insert_many(records).status(); }));
  }
  return meter.per_row(test.rows);
}

/// The DDL of the collection's tables and indexes, as Loci wrote it, without its triggers.
Result<std::vector<std::string>> plain_ddl(const std::string& path, const Case& test) {
  remove_database(path);
  LOCI_ASSIGN_OR_RETURN(Database database, Database::open(path));
  LOCI_RETURN_IF_ERROR(database.create_collection(spec_of(test)).status());
  std::vector<std::string> ddl;
  LOCI_RETURN_IF_ERROR(database.sql(
      "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND type IN ('table', 'index') AND "
      "tbl_name IN ('docs', 'docs_vectors', 'docs_fts') ORDER BY rowid",
      [&](std::span<const std::string>, std::span<const Value> values) {
        ddl.push_back(std::get<std::string>(values[0]));
        return Status();
      }));
  return ddl;
}

Status insert_row(sqlite::Connection& connection, const Record& record, bool text) {
  const int64_t now = base::now_us();
  {
    LOCI_ASSIGN_OR_RETURN(
        sqlite::Statement row,
        connection.cached(text ? "INSERT INTO docs(id, body, lang, year, created_at, updated_at) "
                                 "VALUES(?, ?, ?, ?, ?, ?)"
                               : "INSERT INTO docs(id, lang, year, created_at, updated_at) "
                                 "VALUES(?, ?, ?, ?, ?)"));
    int next = 1;
    LOCI_RETURN_IF_ERROR(row.bind(next++, std::string_view(*record.id)));
    for (const Field& field : record.fields) {
      LOCI_RETURN_IF_ERROR(row.bind(next++, field.second));
    }
    LOCI_RETURN_IF_ERROR(row.bind(next++, now));
    LOCI_RETURN_IF_ERROR(row.bind(next++, now));
    LOCI_RETURN_IF_ERROR(row.run());
  }
  const int64_t rowid = connection.last_insert_rowid();
  LOCI_ASSIGN_OR_RETURN(sqlite::Statement vector,
                        connection.cached("INSERT INTO docs_vectors(rid, embedding) VALUES(?, ?)"));
  const std::vector<float>& components = record.vectors[0].second;
  LOCI_RETURN_IF_ERROR(vector.bind(1, rowid));
  LOCI_RETURN_IF_ERROR(vector.bind(2, std::as_bytes(std::span(components))));
  LOCI_RETURN_IF_ERROR(vector.run());
  if (!text) return {};
  LOCI_ASSIGN_OR_RETURN(sqlite::Statement words,
                        connection.cached("INSERT INTO docs_fts(rowid, body) VALUES(?, ?)"));
  LOCI_RETURN_IF_ERROR(words.bind(1, rowid));
  LOCI_RETURN_IF_ERROR(words.bind(2, record.fields[0].second));
  return words.run();
}

Status insert_batch(sqlite::Connection& connection, const std::vector<Record>& records, bool text) {
  LOCI_ASSIGN_OR_RETURN(sqlite::Transaction transaction,
                        sqlite::Transaction::begin(connection, sqlite::Transaction::Kind::kWrite));
  for (const Record& record : records) {
    LOCI_RETURN_IF_ERROR(insert_row(connection, record, text));
  }
  return transaction.commit();
}

Result<Cost> insert_with_plain_sql(const std::string& path, const Dataset& data, const Case& test,
                                   uint64_t seed) {
  LOCI_ASSIGN_OR_RETURN(const std::vector<std::string> ddl, plain_ddl(path, test));
  remove_database(path);
  sqlite::OpenOptions options;
  options.full_sync = test.durability == Durability::kFull;
  LOCI_ASSIGN_OR_RETURN(const std::unique_ptr<sqlite::Connection> connection,
                        sqlite::Connection::open(path, options));
  for (const std::string& statement : ddl) {
    // FTS5 makes its own shadow tables; their DDL is in the list too and must not be run again.
    const bool shadow = statement.find("docs_fts_") != std::string::npos;
    if (!shadow) LOCI_RETURN_IF_ERROR(connection->exec(statement));
  }
  RowMaker rows(data, test, seed);
  Meter meter;
  for (size_t done = 0; done < test.rows; done += kBatch) {
    const std::vector<Record> records = rows.batch();
    LOCI_RETURN_IF_ERROR(meter.run([&] { return insert_batch(*connection, records, test.text); }));
  }
  return meter.per_row(test.rows);
}

Status measure_case(const Options& options, const Dataset& data, const Case& test, Report& report) {
  std::vector<double> times[4];  // Loci, plain; the same of the processor
  for (int round = 0; round < options.rounds; ++round) {
    const uint64_t seed = options.data.seed + static_cast<uint64_t>(round);
    for (int turn = 0; turn < 2; ++turn) {
      const bool loci_turn = (turn + round) % 2 == 0;
      const std::string path = options.folder + (loci_turn ? "/loci.db" : "/plain.db");
      LOCI_ASSIGN_OR_RETURN(const Cost cost, loci_turn
                                                 ? insert_with_loci(path, data, test, seed)
                                                 : insert_with_plain_sql(path, data, test, seed));
      times[loci_turn ? 0 : 1].push_back(cost.us);
      times[loci_turn ? 2 : 3].push_back(cost.cpu_us);
      remove_database(path);
    }
  }
  const double loci_us = median_of(times[0]);
  const double plain_us = median_of(times[1]);
  Numbers numbers = {{"us_per_row", loci_us},
                     {"plain_us_per_row", plain_us},
                     {"ratio", loci_us / plain_us},
                     {"cpu_us_per_row", median_of(times[2])},
                     {"plain_cpu_us_per_row", median_of(times[3])},
                     {"rounds", int64_t{options.rounds}}};
  if (test.durability == Durability::kNormal) {
    numbers.emplace_back("us_per_row_target", test.text ? kTargetTextUs : kTargetUs);
    if (test.text) numbers.emplace_back("ratio_target", kTargetRatio);
  }
  numbers.emplace_back("data", data.source);
  report.add("insert", test.name(), std::move(numbers));
  return {};
}

}  // namespace

Status run_insert(const Options& options, Report& report) {
  const Dataset data = notes(options.data, SIZE_MAX);
  for (const size_t rows : {size_t{10000}, size_t{100000}}) {
    for (const bool text : {false, true}) {
      for (const Durability durability : {Durability::kNormal, Durability::kFull}) {
        LOCI_RETURN_IF_ERROR(measure_case(options, data, {rows, text, durability}, report));
      }
    }
  }
  return {};
}

}  // namespace loci::bench
