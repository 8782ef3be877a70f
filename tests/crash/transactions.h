// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "loci/loci.h"
#include "support/store_model.h"

namespace loci::testing {

/// How long transactions are, and what is in them.
enum class Workload {
  kCrash,   ///< up to 10 operations, often a batch, sometimes a collection made or dropped
  kSteady,  ///< up to 3 operations, now and then a batch
  kBulk,    ///< as kCrash, with rows of a MiB: the WAL soon reaches its limit
};

/// Names one stream of transactions. Workers with different numbers never touch each other's rows,
/// so that the order between two of them does not matter.
struct Stream {
  uint64_t seed = 0;
  int worker = 1;
  Workload workload = Workload::kCrash;
};

/// One call of the library, chosen so that what it must do follows from the rows alone: a row that
/// is missing or there already is part of the rules, not an error.
struct Operation {
  enum class Kind {
    kInsert,       ///< `records`, one by one or together
    kUpdate,       ///< `records[0]` on the row of its id
    kRemove,       ///< `keys`
    kRemoveWhere,  ///< rows from `first` to `last`
    kArchive,
    kRestore,
    kSearch,  ///< changes nothing
    kNested,  ///< `nested` in a transaction of its own inside, kept or undone
    kCreateSide,
    kDropSide,
    kSideInsert,  ///< `records` into the side collection, rowids left to SQLite
    kSideUpdate,  ///< `records[0]`: its text is embedded again
  };
  Kind kind = Kind::kSearch;
  OnConflict on_conflict = OnConflict::kError;
  std::vector<Record> records;
  std::vector<std::string> keys;
  int64_t first = 0, last = 0;
  std::vector<Operation> nested;
  bool undone = false;
};

struct CrashTransaction {
  std::vector<Operation> operations;
  bool undone = false;  ///< its body fails at the end: nothing of it may be seen
};

/// The transaction `number` (from 1) of a stream: the same in every process that asks.
CrashTransaction make_transaction(const Stream& stream, int64_t number);

/// What a worker does between two transactions, after the `number`-th.
enum class Care { kPublish, kReindex, kRepair, kVacuum };
[[nodiscard]] Care care_after(int64_t number);

/// "notes" with the columns of model_spec(), made if it is not there.
Result<Collection> open_notes(Database& database);
std::string side_name(int worker);
/// Does the operations, inside a transaction that the caller has begun.
Status run_operations(Database& database, int worker, const std::vector<Operation>& operations);
/// The number of the worker's last transaction that the file holds, 0 for none.
Result<int64_t> last_committed(Database& database, int worker);

/// What the file must hold.
class CrashModel {
 public:
  void apply(int worker, const std::vector<Operation>& operations);
  [[nodiscard]] const StoreModel& notes() const { return notes_; }
  /// The text of each row of a worker's side collection by id; nullopt while there is none.
  using Side = std::optional<std::map<std::string, std::string>>;
  [[nodiscard]] const Side& side(int worker) { return sides_[worker]; }

 private:
  void insert(const Operation& operation);

  StoreModel notes_;
  std::map<int, Side> sides_;
};

}  // namespace loci::testing
