// SPDX-License-Identifier: Apache-2.0
//
// fresh: what it costs to know that the image is the one that a search must see, and what two
// threads find together.
#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "db/database_impl.h"
#include "db/freshness.h"
#include "memory_read.h"
#include "sqlite/query.h"
#include "store/log.h"
#include "workloads.h"

namespace loci::bench {
namespace {

constexpr int kChecks = 200000;
constexpr int kForeignCommits = 2000;
constexpr int kThreadRounds = 15;
constexpr std::chrono::milliseconds kThreadTime(400);
constexpr std::chrono::milliseconds kWarmUp(3000);  // a graph of 10,000 rows is built meanwhile

/// Microseconds per call of `check`, which tells whether it found what it should.
template <typename Check>
Result<double> per_call(int calls, const Check& check) {
  int found = 0;
  const Stopwatch watch;
  for (int i = 0; i < calls; ++i) found += check() ? 1 : 0;
  const double us = watch.us() / calls;
  if (found != calls) return Status::internal("a check of freshness found nothing");
  return us;
}

Result<double> without_transaction(const std::string& path) {
  LOCI_ASSIGN_OR_RETURN(const std::unique_ptr<sqlite::Connection> connection,
                        sqlite::Connection::open(path, {.create = false}));
  db::Freshness freshness;
  const std::optional<sqlite::WalStamp> stamp = connection->wal_stamp();
  if (!stamp.has_value()) return Status::internal("no wal-index");
  freshness.remember(*stamp, {});
  return per_call(kChecks, [&] { return freshness.now(*connection).has_value(); });
}

Result<double> in_read_transaction(db::DatabaseImpl& database) {
  Result<double> us = 0.0;
  LOCI_RETURN_IF_ERROR(database.read([&]() -> Status {
    us = per_call(kChecks, [&] { return database.connections().pinned()->state.has_value(); });
    return us.status();
  }));
  return us;
}

Result<double> in_write_transaction(db::DatabaseImpl& database) {
  Result<double> us = 0.0;
  LOCI_RETURN_IF_ERROR(database.write([&](sqlite::Connection& connection) -> Status {
    us = per_call(kChecks, [&] { return store::newest(connection)->scn > 0; });
    return us.status();
  }));
  return us;
}

/// Of the check that follows a commit of another connection to another table.
Result<Latency> after_foreign_commit(const std::string& path, db::DatabaseImpl& database) {
  LOCI_ASSIGN_OR_RETURN(const std::unique_ptr<sqlite::Connection> other,
                        sqlite::Connection::open(path, {.create = false}));
  LOCI_RETURN_IF_ERROR(other->exec("CREATE TABLE counter(n INTEGER)"));
  LOCI_RETURN_IF_ERROR(other->exec("INSERT INTO counter VALUES(0)"));
  bool current = false;
  const auto look = [&](sqlite::Connection& connection, const db::CatalogEntry& entry,
                        const db::Snapshot& snapshot) -> Status {
    LOCI_ASSIGN_OR_RETURN(const std::optional<db::ImageView> view,
                          database.image_view(connection, entry, snapshot));
    current = view.has_value();
    return {};
  };
  // As a search does: with a transaction only where it does not go without.
  LOCI_RETURN_IF_ERROR(database.read_source("docs", look));
  std::vector<double> samples;
  for (int i = 0; i < kForeignCommits; ++i) {
    LOCI_RETURN_IF_ERROR(sqlite::run(*other, "UPDATE counter SET n = n + 1"));
    current = false;
    const Stopwatch watch;
    LOCI_RETURN_IF_ERROR(database.read_unchanged("docs", look).status());
    samples.push_back(watch.us());
    if (!current) return Status::internal("the image was not current");
  }
  return latency_of(std::move(samples));
}

/// What SQLite alone takes for as much: a snapshot, its schema cookie, the last entry of the log.
Result<Latency> plain_after_foreign_commit(const std::string& path) {
  LOCI_ASSIGN_OR_RETURN(const std::unique_ptr<sqlite::Connection> other,
                        sqlite::Connection::open(path, {.create = false}));
  LOCI_ASSIGN_OR_RETURN(const std::unique_ptr<sqlite::Connection> reader,
                        sqlite::Connection::open(path, {.create = false}));
  std::vector<double> samples;
  for (int i = 0; i < kForeignCommits; ++i) {
    LOCI_RETURN_IF_ERROR(sqlite::run(*other, "UPDATE counter SET n = n + 1"));
    const Stopwatch watch;
    LOCI_ASSIGN_OR_RETURN(sqlite::Transaction snapshot,
                          sqlite::Transaction::begin(*reader, sqlite::Transaction::Kind::kRead));
    LOCI_RETURN_IF_ERROR(sqlite::query_int(*reader, "PRAGMA schema_version").status());
    LOCI_RETURN_IF_ERROR(store::newest(*reader).status());
    LOCI_RETURN_IF_ERROR(snapshot.commit());
    samples.push_back(watch.us());
  }
  return latency_of(std::move(samples));
}

/// Searches a second by `count` threads.
double searches_per_second(const Collection& docs, const Dataset& data, size_t count,
                           std::chrono::milliseconds time = kThreadTime) {
  std::atomic<int64_t> done{0};
  std::atomic<bool> stop{false};
  const auto ask = [&](size_t thread) {
    Collection own = docs;
    int64_t asked = 0;
    for (size_t q = thread * 37; !stop; ++q) {
      asked += own.nearest(data.query(q % data.query_count()), 10).has_value() ? 1 : 0;
    }
    done += asked;
  };
  const Stopwatch watch;
  std::vector<std::thread> threads;
  for (size_t i = 0; i < count; ++i) threads.emplace_back(ask, i);
  std::this_thread::sleep_for(time);
  stop = true;
  for (std::thread& thread : threads) thread.join();
  return static_cast<double>(done) / watch.us() * 1e6;
}

/// How much more two threads read of memory than one: what this machine can give at most.
double plain_ratio(size_t bytes) {
  const double one = memory_read_gbps(bytes);
  std::vector<double> both(2);
  std::thread other([&] { both[0] = memory_read_gbps(bytes); });
  both[1] = memory_read_gbps(bytes);
  other.join();
  return (both[0] + both[1]) / one;
}

Status measure_threads(const Options& options, size_t rows, Report& report) {
  const Dataset data = notes(options.data, rows);
  LOCI_ASSIGN_OR_RETURN(const Collection docs,
                        store_dataset(options.folder + "/fresh.db", data, false));
  std::vector<double> one;
  std::vector<double> two;
  std::vector<double> ratios;
  std::vector<double> plain;
  searches_per_second(docs, data, 1, kWarmUp);
  for (int round = 0; round < kThreadRounds; ++round) {
    one.push_back(searches_per_second(docs, data, 1));
    two.push_back(searches_per_second(docs, data, 2));
    ratios.push_back(two.back() / one.back());
    plain.push_back(plain_ratio(rows * data.dim / 2));
  }
  report.add("threads", data.name,
             {{"qps_of_one", median_of(one)},
              {"qps_of_two", median_of(two)},
              {"ratio", median_of(ratios)},
              {"ratio_of_plain_reads", median_of(plain)},
              {"data", data.source}});
  return {};
}

}  // namespace

Status run_fresh(const Options& options, Report& report) {
  const std::string path = options.folder + "/fresh.db";
  LOCI_RETURN_IF_ERROR(store_dataset(path, notes(options.data, 1000), false).status());
  LOCI_ASSIGN_OR_RETURN(const std::shared_ptr<db::DatabaseImpl> database,
                        db::DatabaseImpl::open(path, {}));
  LOCI_ASSIGN_OR_RETURN(const double none, without_transaction(path));
  LOCI_ASSIGN_OR_RETURN(const double read, in_read_transaction(*database));
  LOCI_ASSIGN_OR_RETURN(const double write, in_write_transaction(*database));
  LOCI_ASSIGN_OR_RETURN(const Latency foreign, after_foreign_commit(path, *database));
  LOCI_ASSIGN_OR_RETURN(const Latency plain, plain_after_foreign_commit(path));
  const auto add = [&](std::string_view name, double us, double target) {
    report.add("fresh", name, {{"us", us}, {"us_target", target}});
  };
  add("no transaction", none, 0.1);
  add("read transaction", read, 0.05);
  add("write transaction", write, 0.5);
  add("after a foreign commit, p50", foreign.p50_us, 4);
  report.add("fresh", "the same by SQLite alone, p50", {{"us", plain.p50_us}});
  for (const size_t rows : {size_t{1000}, size_t{10000}}) {
    LOCI_RETURN_IF_ERROR(measure_threads(options, rows, report));
  }
  return {};
}

}  // namespace loci::bench
