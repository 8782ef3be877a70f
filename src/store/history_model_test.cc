// SPDX-License-Identifier: Apache-2.0
//
// Random writes by SQL, under every conflict clause, and through store/rows.h, with rollbacks,
// beside a model that knows what SQLite does with each: every version of every row, by rowid and by
// text id, must be what the model says, in its order.
#include <algorithm>
#include <random>
#include <set>

#include "base/bytes.h"
#include "store/store_testing.h"

namespace loci::store {
namespace {

using testing::open;
using testing::take;

constexpr int kRows = 9;  // rowids 1..9
constexpr int kIds = 7;
constexpr int kYears = 6;

struct Row {
  std::string id;
  std::optional<std::string> title;
  std::optional<int64_t> year;
  std::optional<std::string> metadata;
  bool archived = false;
  int life = 0;
};

/// A row of notes_vectors.
struct Vectors {
  std::optional<float> own;
  std::optional<float> made;
  bool pending = false;
};

struct Kept {
  int64_t rid = 0;
  ChangeKind change = ChangeKind::kUpdate;
  Row row;
  std::string text;
};

std::string literal(const std::optional<std::string>& text) {
  return text.has_value() ? sqlite::quote_text(*text) : "NULL";
}
std::string literal(const std::optional<int64_t>& value) {
  return value.has_value() ? base::str_cat(*value) : "NULL";
}
std::string blob(float value) {
  const std::string bytes = base::encode_f32(std::vector<float>{value});
  const std::vector<uint8_t> octets(bytes.begin(), bytes.end());
  return base::str_cat("x'", base::to_hex(octets), "'");
}

/// What the table holds and has held.
class Model {
 public:
  std::map<int64_t, Row> rows;
  std::map<int64_t, Vectors> vectors;
  std::vector<Kept> kept;
  int lives = 0;

  [[nodiscard]] std::string text(int64_t rid, const Row& row) const {
    Record record;
    record.id = row.id;
    record.fields = {{"title", row.title.has_value() ? Value(*row.title) : Value()},
                     {"year", row.year.has_value() ? Value(*row.year) : Value()}};
    record.metadata = row.metadata;
    record.archived = row.archived;
    const auto found = vectors.find(rid);
    if (found != vectors.end()) {
      const Vectors& held = found->second;
      if (held.own.has_value()) record.vectors.emplace_back("own", std::vector<float>{*held.own});
      if (held.made.has_value() && !held.pending) {
        record.vectors.emplace_back("made", std::vector<float>{*held.made});
      }
    }
    return testing::state_of(record, false).text();
  }
  [[nodiscard]] std::set<int64_t> in_the_way(int64_t rid, const Row& row, int64_t self) const {
    std::set<int64_t> out;
    for (const auto& [other, there] : rows) {
      if (other == self) continue;
      const bool same_year = row.year.has_value() && there.year == row.year;
      if (other == rid || there.id == row.id || same_year) out.insert(other);
    }
    return out;
  }
  void remove(int64_t rid) {
    const auto found = rows.find(rid);
    if (found == rows.end()) return;
    keep(rid, ChangeKind::kDelete);
    rows.erase(found);
    vectors.erase(rid);
  }
  void insert(int64_t rid, Row row) {
    row.life = ++lives;
    vectors.erase(rid);
    rows[rid] = std::move(row);
  }
  /// False: a conflict, nothing done. `clause`: "", "REPLACE", "IGNORE", ...
  bool write(int64_t rid, const Row& row, const std::string& clause) {
    const std::set<int64_t> others = in_the_way(rid, row, -1);
    if (!others.empty() && clause != "REPLACE") return false;
    for (const int64_t other : others) remove(other);
    insert(rid, row);
    return true;
  }
  bool update(int64_t rid, int64_t to, Row row, const std::string& clause) {
    const std::set<int64_t> others = in_the_way(to, row, rid);
    if (!others.empty() && clause != "REPLACE") return false;
    for (const int64_t other : others) remove(other);
    change(rid, to, std::move(row), false);
    return true;
  }
  /// touched: updated_at is set, so that there is a change in any case.
  void change(int64_t rid, int64_t to, Row row, bool touched) {
    const Row old = rows[rid];
    row.life = to == rid ? old.life : ++lives;
    const std::string before = text(rid, old);
    const bool retitled = old.title != row.title;
    rows[rid] = row;
    if (to != rid) {
      rows[rid] = old;
      keep(rid, ChangeKind::kDelete);
      rows.erase(rid);
      rows[to] = row;
      vectors.erase(to);
      const auto moved = vectors.find(rid);
      if (moved != vectors.end()) {
        vectors[to] = moved->second;
        vectors.erase(moved);
      }
    } else if (touched || before != text(rid, row)) {
      rows[rid] = old;
      keep(rid, ChangeKind::kUpdate);
      rows[rid] = row;
    }
    const auto held = vectors.find(to);
    if (retitled && held != vectors.end()) held->second.pending = true;
  }
  /// Vectors are about to be `now`; joined: they are part of a change that is kept already.
  void set_vectors(int64_t rid, const std::optional<Vectors>& now, bool replaced, bool joined) {
    const auto found = vectors.find(rid);
    if (found != vectors.end() && !joined) {
      const Vectors& old = found->second;
      const bool made = old.made.has_value() && !old.pending;
      const bool all_go = replaced || !now.has_value();
      const bool lost = (old.own.has_value() && (all_go || now->own != old.own)) ||
                        (made && (all_go || now->made != old.made));
      if (lost) keep(rid, ChangeKind::kUpdate);
    }
    if (now.has_value()) {
      vectors[rid] = *now;
    } else {
      vectors.erase(rid);
    }
  }
  void keep(int64_t rid, ChangeKind change) {
    kept.push_back({rid, change, rows.at(rid), text(rid, rows.at(rid))});
  }
  [[nodiscard]] std::vector<std::string> history(const RowKey& key, size_t limit) const {
    const auto* id = std::get_if<std::string>(&key);
    int life = 0;
    for (const auto& [rid, row] : rows) {
      if (id != nullptr && row.id == *id) life = row.life;
    }
    std::map<int64_t, size_t> seen;
    std::vector<std::string> out;
    for (size_t i = kept.size(); i-- > 0;) {
      const Kept& version = kept[i];
      if (limit != 0 && ++seen[version.rid] > limit) continue;
      const bool named = id == nullptr ? version.rid == to_int(std::get<RowId>(key))
                                       : version.row.id == *id || version.row.life == life;
      if (!named) continue;
      out.push_back(base::str_cat(version.rid,
                                  version.change == ChangeKind::kDelete ? " deleted " : " updated ",
                                  version.text));
    }
    return out;
  }
};

class HistoryModelTest : public ::testing::TestWithParam<uint32_t> {
 protected:
  void SetUp() override {
    random_.seed(GetParam());
    limit_ = GetParam() % 3 == 0 ? 4 : 0;
    CollectionSpec spec;
    spec.name = "notes";
    spec.vectors.resize(2);
    spec.vectors[0].name = "own";
    spec.vectors[0].metric = Metric::kL2;
    spec.vectors[1].name = "made";
    spec.vectors[1].metric = Metric::kL2;
    spec.vectors[1].model = "test:1";
    for (VectorColumn& column : spec.vectors) column.dim = 1;
    spec.text = {"title"};
    spec.filters = {{"year", FieldType::kInt}};
    spec.history = {.enabled = true, .max_versions = limit_, .max_age_days = 0};
    notes_ = take(create_collection(*connection_, spec));
    ASSERT_OK(connection_->exec("CREATE UNIQUE INDEX u ON notes(year)"));
    ASSERT_OK(recreate_triggers(*connection_, notes_));
    ASSERT_OK(connection_->exec(
        base::str_cat("PRAGMA recursive_triggers = ", GetParam() % 2 == 0 ? "ON" : "OFF")));
  }

  int pick(int below) { return static_cast<int>(random_() % static_cast<uint32_t>(below)); }
  int64_t some_rid() { return 1 + pick(kRows); }
  int64_t live_rid() {
    if (model_.rows.empty() || pick(10) == 0) return some_rid();
    return std::next(model_.rows.begin(), pick(static_cast<int>(model_.rows.size())))->first;
  }
  std::string some_id() { return base::str_cat("id", pick(kIds)); }
  std::optional<std::string> some_title() {
    if (pick(6) == 0) return std::nullopt;
    return base::str_cat("title ", pick(5));
  }
  std::optional<int64_t> some_year() {
    if (pick(2) == 0) return std::nullopt;
    return pick(kYears);
  }
  std::string clause() {
    constexpr const char* kClauses[] = {"", "REPLACE", "REPLACE", "IGNORE", "FAIL", "ABORT"};
    return kClauses[pick(6)];
  }
  float some_float() { return static_cast<float>(1 + pick(4)); }
  static std::string or_clause(const std::string& clause) {
    return clause.empty() ? "" : " OR " + clause;
  }
  Status sql(const std::string& text) {
    done_.push_back(text);
    return connection_->exec(text);
  }

  void insert_by_sql() {
    Row row{.id = some_id(), .title = some_title(), .year = some_year(), .metadata = {}};
    const std::string how = clause();
    const bool given = pick(2) == 0;
    int64_t rid = some_rid();
    if (!given) {
      rid = model_.rows.empty() ? 1 : model_.rows.rbegin()->first + 1;
      if (rid > 3 * kRows) return;
    }
    const Status status =
        sql(base::str_cat("INSERT", or_clause(how), " INTO notes(", given ? "rid, " : "",
                          "id, title, year) VALUES(", given ? base::str_cat(rid, ", ") : "",
                          literal(row.id), ", ", literal(row.title), ", ", literal(row.year), ")"));
    const bool written = model_.write(rid, row, how);
    ASSERT_EQ(status.ok(), written || how == "IGNORE") << status.to_string();
  }
  void upsert_by_sql() {
    Row row{.id = some_id(), .title = some_title(), .year = {}, .metadata = {}};
    ASSERT_OK(sql(base::str_cat("INSERT INTO notes(id, title) VALUES(", literal(row.id), ", ",
                                literal(row.title),
                                ") ON CONFLICT(id) DO UPDATE SET title = excluded.title")));
    for (const auto& [rid, there] : model_.rows) {
      if (there.id != row.id) continue;
      Row changed = there;
      changed.title = row.title;
      model_.change(rid, rid, changed, false);
      return;
    }
    model_.insert(model_.rows.empty() ? 1 : model_.rows.rbegin()->first + 1, row);
  }
  void update_by_sql() {
    const int64_t rid = live_rid();
    Row row;
    const auto found = model_.rows.find(rid);
    if (found != model_.rows.end()) row = found->second;
    std::string set;
    int64_t to = rid;
    switch (pick(6)) {
      case 0:
        row.id = some_id();
        set = base::str_cat("id = ", literal(row.id));
        break;
      case 1:
        row.title = some_title();
        set = base::str_cat("title = ", literal(row.title));
        break;
      case 2:
        row.year = some_year();
        row.title = some_title();
        set = base::str_cat("year = ", literal(row.year), ", title = ", literal(row.title));
        break;
      case 3:
        row.archived = !row.archived;
        set = base::str_cat("archived = ", row.archived);
        break;
      case 4:
        row.metadata = base::str_cat("{\"n\":", pick(3), "}");
        set = base::str_cat("metadata = ", literal(row.metadata));
        break;
      default:
        to = some_rid();
        row.year = some_year();
        set = base::str_cat("rid = ", to, ", year = ", literal(row.year));
    }
    const std::string how = clause();
    const Status status =
        sql(base::str_cat("UPDATE", or_clause(how), " notes SET ", set, " WHERE rid = ", rid));
    if (found == model_.rows.end()) {
      ASSERT_OK(status);
      return;
    }
    const bool written = model_.update(rid, to, row, how);
    ASSERT_EQ(status.ok(), written || how == "IGNORE") << status.to_string();
  }
  void delete_by_sql() {
    const int64_t rid = live_rid();
    ASSERT_OK(sql(base::str_cat("DELETE FROM notes WHERE rid = ", rid)));
    model_.remove(rid);
  }
  void vectors_by_sql() {
    const int64_t rid = live_rid();
    if (model_.rows.count(rid) == 0) return;
    const auto held = model_.vectors.find(rid);
    const bool there = held != model_.vectors.end();
    Vectors now = there ? held->second : Vectors();
    const bool own = pick(2) == 0;
    const float value = some_float();
    const char* column = own ? "own" : "made";
    const auto set = [&](Vectors& vectors) {
      (own ? vectors.own : vectors.made) = value;
      if (!own) vectors.pending = false;
    };
    switch (pick(5)) {
      case 0: {
        ASSERT_OK(sql(base::str_cat("INSERT INTO notes_vectors(rid, ", column, ") VALUES(", rid,
                                    ", ", blob(value), ") ON CONFLICT(rid) DO UPDATE SET ", column,
                                    " = excluded.", column)));
        set(now);
        return model_.set_vectors(rid, now, false, false);
      }
      case 1: {
        ASSERT_OK(sql(base::str_cat("INSERT OR REPLACE INTO notes_vectors(rid, ", column,
                                    ") VALUES(", rid, ", ", blob(value), ")")));
        now = {};
        set(now);
        return model_.set_vectors(rid, now, true, false);
      }
      case 2: {
        const bool clear = pick(3) == 0;
        ASSERT_OK(sql(base::str_cat("UPDATE notes_vectors SET ", column, " = ",
                                    clear ? "NULL" : blob(value), " WHERE rid = ", rid)));
        if (!there) return;
        set(now);
        if (clear) (own ? now.own : now.made).reset();
        return model_.set_vectors(rid, now, false, false);
      }
      case 3: {
        ASSERT_OK(sql(base::str_cat("DELETE FROM notes_vectors WHERE rid = ", rid)));
        return model_.set_vectors(rid, std::nullopt, false, false);
      }
      default: {
        const Status status = sql(base::str_cat("INSERT OR IGNORE INTO notes_vectors(rid, ", column,
                                                ") VALUES(", rid, ", ", blob(value), ")"));
        ASSERT_OK(status);
        if (there) return;
        set(now);
        model_.set_vectors(rid, now, false, false);
      }
    }
  }

  /// A record with a part of its columns; sets them in `row` and `vectors` too.
  Record some_record(Row& row, Vectors& vectors) {
    Record record;
    if (pick(2) == 0) {
      row.title = some_title();
      record.fields.emplace_back("title", row.title.has_value() ? Value(*row.title) : Value());
    }
    if (pick(3) == 0) {
      row.year = some_year();
      record.fields.emplace_back("year", row.year.has_value() ? Value(*row.year) : Value());
    }
    if (pick(2) == 0) {
      vectors.own = some_float();
      record.vectors.emplace_back("own", std::vector<float>{*vectors.own});
    }
    return record;
  }
  void put_by_api() {
    const OnConflict on_conflict =
        std::array{OnConflict::kError, OnConflict::kUpdate, OnConflict::kUpdate,
                   OnConflict::kReplace, OnConflict::kIgnore}[static_cast<size_t>(pick(5))];
    const std::string id = some_id();
    int64_t rid = 0;
    for (const auto& [other, there] : model_.rows) {
      if (there.id == id) rid = other;
    }
    const bool update = rid != 0 && on_conflict == OnConflict::kUpdate;
    Row row = update ? model_.rows[rid] : Row{.id = id, .title = {}, .year = {}, .metadata = {}};
    const auto held = model_.vectors.find(rid);
    Vectors vectors = update && held != model_.vectors.end() ? held->second : Vectors();
    Record record = some_record(row, vectors);
    record.id = id;
    done_.push_back(base::str_cat("put ", id, " ", static_cast<int>(on_conflict), " ",
                                  testing::state_of(record).text()));
    Status status;
    {
      sqlite::Transaction transaction =
          take(sqlite::Transaction::begin(*connection_, sqlite::Transaction::Kind::kWrite));
      status = put_row(*connection_, notes_, record, on_conflict).status();
      if (status.ok()) ASSERT_OK(transaction.commit());
    }
    if (rid != 0 && (on_conflict == OnConflict::kIgnore || on_conflict == OnConflict::kError)) {
      ASSERT_EQ(status.ok(), on_conflict == OnConflict::kIgnore) << status.to_string();
      return;
    }
    const int64_t target = rid != 0              ? rid
                           : model_.rows.empty() ? 1
                                                 : model_.rows.rbegin()->first + 1;
    const bool free = model_.in_the_way(target, row, rid).empty();
    ASSERT_EQ(status.ok(), free) << status.to_string();
    if (!free) return;
    if (update) {
      const bool had = held != model_.vectors.end();
      const bool retitled = model_.rows[rid].title != row.title;
      model_.change(rid, rid, row, true);
      if (record.vectors.empty()) return;
      vectors.pending = had ? vectors.pending || retitled : true;
      return model_.set_vectors(rid, vectors, false, true);
    }
    model_.remove(target);
    model_.insert(target, row);
    if (record.vectors.empty()) return;
    vectors.pending = true;  // a vector row whose model's column was not written
    model_.vectors[target] = vectors;
  }
  void change_by_api() {
    const int64_t rid = live_rid();
    if (model_.rows.count(rid) == 0) return;
    switch (pick(3)) {
      case 0: {
        done_.push_back(base::str_cat("remove ", rid));
        EXPECT_TRUE(take(remove_row(*connection_, notes_, RowId{rid})));
        return model_.remove(rid);
      }
      case 1: {
        done_.push_back(base::str_cat("archive ", rid));
        Row row = model_.rows[rid];
        row.archived = !row.archived;
        EXPECT_TRUE(take(set_archived(*connection_, notes_, RowId{rid}, row.archived)));
        return model_.change(rid, rid, row, true);
      }
      default: {
        const std::vector<float> value = {some_float()};
        done_.push_back(base::str_cat("embed ", rid, " ", value[0]));
        ASSERT_OK(put_vector(*connection_, notes_, 1, RowId{rid}, value));
        const auto held = model_.vectors.find(rid);
        Vectors vectors = held != model_.vectors.end() ? held->second : Vectors();
        vectors.made = value[0];
        vectors.pending = false;
        return model_.set_vectors(rid, vectors, false, false);
      }
    }
  }
  void batch_by_api() {
    std::vector<Record> records;
    int64_t rid = model_.rows.empty() ? 1 : model_.rows.rbegin()->first + 1;
    if (rid > 3 * kRows) return;
    const int64_t first = rid;
    const std::string id = some_id();
    for (const auto& [other, there] : model_.rows) {
      if (there.id == id) return;
    }
    Record record;
    record.id = id;
    record.vectors = {{"own", {some_float()}}, {"made", {some_float()}}};
    done_.push_back(base::str_cat("batch ", id));
    records.push_back(record);
    const std::optional<RowId> last =
        take(put_batch(*connection_, notes_, records, OnConflict::kError));
    ASSERT_TRUE(last.has_value());
    ASSERT_EQ(to_int(*last), first);
    model_.insert(rid, {.id = id, .title = {}, .year = {}, .metadata = {}});
    model_.vectors[rid] = {
        .own = record.vectors[0].second[0], .made = record.vectors[1].second[0], .pending = false};
  }
  void step() {
    switch (pick(12)) {
      case 0:
      case 1:
        return insert_by_sql();
      case 2:
        return upsert_by_sql();
      case 3:
      case 4:
        return update_by_sql();
      case 5:
        return delete_by_sql();
      case 6:
      case 7:
        return vectors_by_sql();
      case 8:
      case 9:
        return put_by_api();
      case 10:
        return change_by_api();
      default:
        return batch_by_api();
    }
  }

  void compare(const RowKey& key, const std::string& name) {
    std::vector<std::string> found;
    for (const Version& version : take(read_history(*connection_, notes_, key, true, 0))) {
      found.push_back(
          base::str_cat(to_int(*version.record.rowid),
                        version.change == ChangeKind::kDelete ? " deleted " : " updated ",
                        testing::state_of(version.record, false).text()));
    }
    const std::vector<std::string> expected = model_.history(key, static_cast<size_t>(limit_));
    EXPECT_EQ(found.size(), expected.size()) << name;
    EXPECT_EQ(found, expected) << name;
  }
  void compare_all() {
    for (int64_t rid = 1; rid <= 3 * kRows; ++rid) compare(RowId{rid}, base::str_cat("row ", rid));
    for (int i = 0; i < kIds; ++i) {
      const std::string id = base::str_cat("id", i);
      compare(id, id);
    }
    for (const auto& [rid, row] : model_.rows) {
      const std::optional<Record> record = take(get_row(*connection_, notes_, RowId{rid}, true));
      ASSERT_TRUE(record.has_value()) << rid;
      EXPECT_EQ(testing::state_of(*record, false).text(), model_.text(rid, row)) << rid;
    }
    EXPECT_EQ(take(count_rows(*connection_, notes_, {}, true)),
              static_cast<int64_t>(model_.rows.size()));
    if (HasFailure()) {
      for (size_t k = done_.size() - std::min<size_t>(done_.size(), 14); k < done_.size(); ++k) {
        ADD_FAILURE() << k << ": " << done_[k];
      }
    }
  }

  std::mt19937 random_;
  int64_t limit_ = 0;
  std::unique_ptr<sqlite::Connection> connection_ = open(":memory:");
  Source notes_;
  Model model_;
  std::vector<std::string> done_;
};

TEST_P(HistoryModelTest, EveryVersionIsWhatTheModelSays) {
  std::optional<Model> saved;
  for (int i = 0; i < 500 && !HasFailure(); ++i) {
    const int dice = pick(12);
    if (dice == 0 && !saved.has_value()) {
      ASSERT_OK(sql("SAVEPOINT s"));
      saved = model_;
    } else if (dice == 1 && saved.has_value()) {
      const bool undo = pick(2) == 0;
      if (undo) {
        ASSERT_OK(sql("ROLLBACK TO s"));
        model_ = *saved;
      }
      ASSERT_OK(sql("RELEASE s"));
      saved.reset();
    }
    step();
    if (i % 3 == 0) compare_all();
  }
  if (saved.has_value()) ASSERT_OK(sql("RELEASE s"));
  compare_all();
  testing::expect_consistent(*connection_, notes_);
  testing::expect_check_clean(*connection_);
}

INSTANTIATE_TEST_SUITE_P(Seeds, HistoryModelTest, ::testing::Range<uint32_t>(1, 25));

}  // namespace
}  // namespace loci::store
