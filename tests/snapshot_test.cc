// SPDX-License-Identifier: Apache-2.0
//
// Snapshots are derived. Whatever is done to them or to the file they belong to, searches answer as
// the rows say, and no process dies of it.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "support/consistency.h"
#include "support/fixture.h"
#include "support/process.h"
#include "support/temp_dir.h"

namespace loci::testing {
namespace {

namespace fs = std::filesystem;

constexpr size_t kDim = 16;
constexpr int64_t kRows = 3000;

class SnapshotTest : public ::testing::Test {
 protected:
  [[nodiscard]] std::string path(const std::string& name = "a.db") const {
    return folder_.file(name);
  }
  static Database open(const std::string& path, const DatabaseOptions& options = {}) {
    Result<Database> db = Database::open(path, options);
    EXPECT_OK(db);
    return *std::move(db);
  }
  static CollectionSpec spec() {
    CollectionSpec spec;
    spec.name = "notes";
    spec.vectors = {vector_column("embedding", kDim, Metric::kCosine)};
    spec.text = {"body"};
    spec.filters = {{"lang", FieldType::kText}, {"year", FieldType::kInt}};
    return spec;
  }
  Record record(int64_t i) {
    Record record = vector_record("id" + std::to_string(i), random_.vector(kDim));
    record.fields = {{"body", "word" + std::to_string(i % 50)},
                     {"lang", std::string(i % 3 == 0 ? "en" : "de")},
                     {"year", int64_t{2000} + i % 20}};
    return record;
  }
  std::vector<Record> records(int64_t from, int64_t count) {
    std::vector<Record> out;
    for (int64_t i = from; i < from + count; ++i) out.push_back(record(i));
    return out;
  }
  static Result<int64_t> remove(Collection& notes, int64_t i) {
    const RowKey key("id" + std::to_string(i));
    return notes.remove({&key, 1});
  }
  /// A file with kRows rows and the snapshot that closing it leaves.
  void make(const std::string& at) {
    Database db = open(at);
    Collection notes = db.create_collection(spec()).value();
    ASSERT_OK(notes.insert_many(records(0, kRows)));
  }
  /// The snapshots in a folder, making ones too.
  static std::vector<std::string> snapshots(const std::string& at) {
    std::vector<std::string> out;
    if (!fs::exists(at + "-loci")) return out;
    for (const auto& file : fs::directory_iterator(at + "-loci")) {
      if (file.path().filename() != "lock") out.push_back(file.path().string());
    }
    std::sort(out.begin(), out.end());
    return out;
  }
  static SearchResult nearest(Collection& notes, size_t k = 5) {
    const std::vector<float> query = sine_vector(kDim, 3);
    SearchRequest request;
    request.vector = query;
    request.k = k;
    request.with_fields = false;
    Result<SearchResult> result = notes.search(request);
    EXPECT_OK(result);
    return result.has_value() ? *std::move(result) : SearchResult{};
  }
  /// Opens the file anew; searches must agree with the rows. Returns where the image came from.
  static std::string verify(const std::string& at, const DatabaseOptions& options = {}) {
    Database db = open(at, options);
    Collection notes = db.collection("notes").value();
    const SearchResult first = nearest(notes);
    EXPECT_EQ(search_differs_from_rows(notes), "");
    return first.explain.snapshot;
  }
  static void write_file(const std::string& at, const std::string& bytes) {
    std::ofstream(at, std::ios::binary | std::ios::trunc) << bytes;
  }
  static std::string read_file(const std::string& at) {
    std::ifstream in(at, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  TempDir folder_;
  Random random_{7};
};

TEST_F(SnapshotTest, ANewProcessStartsFromTheSnapshot) {
  make(path());
  ASSERT_EQ(snapshots(path()).size(), 1U);
  EXPECT_EQ(verify(path()), "file");
  EXPECT_EQ(verify(path(), {.snapshot_mmap = false}), "file");
  EXPECT_EQ(verify(path(), {.snapshot = SnapshotMode::kMemory}), "memory");
  EXPECT_EQ(verify(path(), {.read_only = true}), "file");
  EXPECT_EQ(snapshots(path()).size(), 1U) << "reading wrote something";
}

TEST_F(SnapshotTest, RowsWrittenSinceAreFollowed) {
  make(path());
  const std::vector<std::string> before = snapshots(path());
  {
    Database db = open(path());
    Collection notes = db.collection("notes").value();
    ASSERT_OK(notes.insert_many(records(kRows, 100)));
    for (int i = 0; i < 100; ++i) {
      ASSERT_OK(remove(notes, i * 7));
      Record change;
      change.vectors = {{"embedding", random_.vector(kDim)}};
      change.fields = {{"year", int64_t{1900}}};
      ASSERT_OK(notes.update(RowKey("id" + std::to_string(i * 7 + 1)), change));
    }
    const RowKey key("id2");
    ASSERT_OK(notes.archive({&key, 1}));
  }
  EXPECT_EQ(sqlite_shell(path(), "DELETE FROM notes WHERE rid % 11 = 0;").exit_code, 0);
  EXPECT_EQ(verify(path()), "file");
  EXPECT_EQ(snapshots(path()), before) << "the tail is short: no new snapshot";
}

TEST_F(SnapshotTest, ASearchThatFindsALongTailPublishes) {
  make(path());
  const std::vector<std::string> before = snapshots(path());
  EXPECT_EQ(sqlite_shell(path(), "UPDATE notes SET year = year + 1;").exit_code, 0);
  {
    Database db = open(path());
    Collection notes = db.collection("notes").value();
    nearest(notes);
  }  // which waits for it
  const std::vector<std::string> after = snapshots(path());
  EXPECT_EQ(after.size(), 1U) << "the old one is of no use to anybody";
  EXPECT_NE(after, before);
  EXPECT_EQ(verify(path()), "file");
}

TEST_F(SnapshotTest, WithoutAThreadTheSearchWritesItBeforeItReturns) {
  make(path());
  const std::vector<std::string> before = snapshots(path());
  EXPECT_EQ(sqlite_shell(path(), "UPDATE notes SET year = year + 1;").exit_code, 0);
  Database db = open(path(), {.background = false});
  Collection notes = db.collection("notes").value();
  nearest(notes);
  EXPECT_EQ(snapshots(path()).size(), 1U);
  EXPECT_NE(snapshots(path()), before);
}

TEST_F(SnapshotTest, PublishAndReindexWriteOneWhenAsked) {
  Database db = open(path());
  Collection notes = db.create_collection(spec()).value();
  ASSERT_OK(notes.insert_many(records(0, 100)));
  nearest(notes);
  EXPECT_TRUE(snapshots(path()).empty()) << "100 rows are not worth one";
  ASSERT_OK(db.publish("notes"));
  const std::vector<std::string> first = snapshots(path());
  ASSERT_EQ(first.size(), 1U);
  ASSERT_OK(db.publish("notes"));
  EXPECT_EQ(snapshots(path()), first) << "nothing has changed";
  ASSERT_OK(notes.insert(record(100)));
  ASSERT_OK(db.publish("notes"));
  EXPECT_NE(snapshots(path()), first);
  ASSERT_OK(db.reindex("notes"));
  EXPECT_EQ(snapshots(path()).size(), 1U);
  EXPECT_EQ(verify(path()), "file");
  EXPECT_EQ(db.publish("nothing").code(), StatusCode::kNotFound);
  const Status inside = db.transaction([&] {
    EXPECT_TRUE(fails_with(db.publish("notes"), StatusCode::kFailedPrecondition, {"transaction"}));
    return Status();
  });
  EXPECT_OK(inside);
}

TEST_F(SnapshotTest, ReindexWaitsForTheSnapshotThatAnotherProgramWrites) {
  make(path());
  Database db = open(path());
  // What that program writes may stand before the reindex, which makes it useless.
  const int lock = ::open((path() + "-loci/lock").c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_GE(lock, 0);
  struct flock held{};
  held.l_type = F_WRLCK;
  held.l_whence = SEEK_SET;
  held.l_len = 1;
  ASSERT_EQ(::fcntl(lock, F_OFD_SETLK, &held), 0);
  const auto last_entry = [&] {
    std::string entry;
    EXPECT_OK(db.sql("SELECT CAST(max(scn) AS TEXT) FROM loci_log",
                     [&](std::span<const std::string>, std::span<const Value> values) {
                       entry = std::get<std::string>(values[0]);
                       return Status();
                     }));
    return entry;
  };
  const std::string before = last_entry();
  std::thread reindexing([&] { EXPECT_OK(db.reindex("notes")); });
  while (last_entry() == before) std::this_thread::yield();  // until it has committed
  EXPECT_EQ(::close(lock), 0);
  reindexing.join();
  EXPECT_EQ(verify(path()), "file");
}

TEST_F(SnapshotTest, UncommittedRowsAreInNoSnapshot) {
  make(path());
  Database db = open(path());
  Collection notes = db.collection("notes").value();
  const Status undone = db.transaction([&]() -> Status {
    EXPECT_OK(notes.insert_many(records(kRows, 500)));
    EXPECT_EQ(search_differs_from_rows(notes), "");
    std::thread([&] { EXPECT_EQ(verify(path()), "file"); }).join();  // it sees no row of ours
    return Status::invalid_argument("undo");
  });
  EXPECT_FALSE(undone.ok());
  ASSERT_OK(notes.insert_many(records(kRows, 300)));  // the numbers in the log come again
  EXPECT_EQ(search_differs_from_rows(notes), "");
  ASSERT_OK(db.publish("notes"));
  EXPECT_EQ(verify(path()), "file");
}

TEST_F(SnapshotTest, EverySegmentFlippedAndEveryCutIsFound) {
  make(path());
  const std::string file = snapshots(path()).at(0);
  const std::string whole = read_file(file);
  const std::string database = read_bytes_elsewhere(path());
  for (const bool mmap : {true, false}) {
    for (size_t page = 0; page < whole.size(); page += 4096 * 5) {
      SCOPED_TRACE("byte " + std::to_string(page) + (mmap ? ", mapped" : ", read"));
      std::string flipped = whole;
      flipped[page + 17] = static_cast<char>(flipped[page + 17] ^ 64);
      write_file(file, flipped);
      Database db = open(path(), {.read_only = true, .snapshot_mmap = mmap});
      Collection notes = db.collection("notes").value();
      EXPECT_EQ(search_differs_from_rows(notes), "");
    }
    for (size_t size = 0; size < whole.size(); size += whole.size() / 10) {
      SCOPED_TRACE("cut to " + std::to_string(size));
      write_file(file, whole.substr(0, size));
      EXPECT_EQ(verify(path(), {.read_only = true, .snapshot_mmap = mmap}), "memory");
    }
  }
  // A program that may write makes a good one in its place.
  EXPECT_EQ(verify(path()), "memory");
  EXPECT_EQ(verify(path()), "file");
}

TEST_F(SnapshotTest, AFileShortenedWhileItIsOpenHurtsNoReaderThatReadsIt) {
  make(path());
  Database db = open(path(), {.snapshot_mmap = false});
  Collection notes = db.collection("notes").value();
  EXPECT_EQ(nearest(notes).explain.snapshot, "file");
  write_file(snapshots(path()).at(0), "cp over it");
  EXPECT_EQ(search_differs_from_rows(notes), "");
}

TEST_F(SnapshotTest, TheFolderMayGoAtAnyTime) {
  make(path());
  Database db = open(path());
  Collection notes = db.collection("notes").value();
  EXPECT_EQ(nearest(notes).explain.snapshot, "file");
  fs::remove_all(path() + "-loci");
  EXPECT_EQ(search_differs_from_rows(notes), "");
  ASSERT_OK(notes.insert_many(records(kRows, 50)));
  EXPECT_EQ(search_differs_from_rows(notes), "");
  EXPECT_EQ(verify(path()), "memory");
  EXPECT_EQ(verify(path()), "file") << "made anew";
}

TEST_F(SnapshotTest, CopiesRenamesAndLinksOfTheDatabase) {
  make(path());
  // The file copied alone.
  ASSERT_EQ(sqlite_shell(path(), "PRAGMA wal_checkpoint(TRUNCATE);").exit_code, 0);
  fs::copy_file(path(), path("copy.db"));
  EXPECT_EQ(verify(path("copy.db")), "memory");
  EXPECT_EQ(verify(path("copy.db")), "file") << "its own by now";
  // By a symbolic link the folder is that of the file.
  fs::create_symlink(path(), path("link.db"));
  EXPECT_EQ(verify(path("link.db")), "file");
  EXPECT_FALSE(fs::exists(path("link.db") + "-loci"));
  // Renamed, alone and with its folder.
  fs::rename(path("copy.db"), path("renamed.db"));
  EXPECT_EQ(verify(path("renamed.db")), "memory");
  fs::rename(path(), path("moved.db"));
  fs::rename(path() + "-loci", path("moved.db") + "-loci");
  EXPECT_EQ(verify(path("moved.db")), "file");
}

TEST_F(SnapshotTest, AnOlderBackupBesideANewerFolder) {
  make(path());
  ASSERT_EQ(sqlite_shell(path(), "PRAGMA wal_checkpoint(TRUNCATE);").exit_code, 0);
  fs::copy_file(path(), path("backup"));
  {
    Database db = open(path());
    Collection notes = db.collection("notes").value();
    ASSERT_OK(notes.insert_many(records(kRows, kRows)));
    ASSERT_OK(db.publish("notes"));
  }
  for (const char* suffix : {"", "-wal", "-shm"}) fs::remove(path() + suffix);
  fs::copy_file(path("backup"), path());
  EXPECT_EQ(verify(path()), "memory") << "its own snapshot was taken away";
  {
    // Other rows under the numbers that the newer history had given.
    Database db = open(path());
    Collection notes = db.collection("notes").value();
    ASSERT_OK(notes.insert_many(records(90000, 200)));
    EXPECT_EQ(search_differs_from_rows(notes), "");
  }
  EXPECT_EQ(verify(path()), "file");
}

TEST_F(SnapshotTest, TwoDatabasesChangePlaces) {
  make(path("a.db"));
  make(path("b.db"));
  for (const char* name : {"a.db", "b.db"}) {
    ASSERT_EQ(sqlite_shell(path(name), "PRAGMA wal_checkpoint(TRUNCATE);").exit_code, 0);
  }
  fs::rename(path("a.db"), path("c.db"));
  fs::rename(path("b.db"), path("a.db"));
  fs::rename(path("c.db"), path("b.db"));
  EXPECT_EQ(verify(path("a.db")), "memory");
  EXPECT_EQ(verify(path("b.db")), "memory");
  EXPECT_EQ(verify(path("a.db")), "file");
  EXPECT_EQ(verify(path("b.db")), "file");
}

TEST_F(SnapshotTest, VacuumIntoDumpAndRestore) {
  make(path());
  {
    Database db = open(path());
    ASSERT_OK(db.backup(path("vacuumed.db")));
  }
  EXPECT_EQ(verify(path("vacuumed.db")), "memory");
  const ProcessResult dumped = sqlite_shell(path(), ".dump");
  ASSERT_EQ(dumped.exit_code, 0) << dumped.error;
  const ProcessResult restored = sqlite_shell(path("restored.db"), dumped.out);
  ASSERT_EQ(restored.exit_code, 0) << restored.error;
  EXPECT_EQ(verify(path("restored.db")), "memory");
  EXPECT_EQ(verify(path("restored.db")), "file");
}

TEST_F(SnapshotTest, AnotherCollectionOrOtherColumnsUnderTheName) {
  make(path());
  {
    Database db = open(path());
    Collection notes = db.collection("notes").value();
    ASSERT_OK(notes.add_filter_column({"stars", FieldType::kInt}));
    EXPECT_EQ(search_differs_from_rows(notes), "");
  }
  verify(path());
  {
    Database db = open(path());
    ASSERT_OK(db.drop_collection("notes"));
    Collection notes = db.create_collection(spec()).value();
    ASSERT_OK(notes.insert_many(records(0, 50)));
    EXPECT_EQ(search_differs_from_rows(notes), "");
  }
  verify(path());
}

TEST_F(SnapshotTest, FolderAndFilesAreAsTheDatabaseIs) {
  {
    Database db = open(path());
  }
  fs::permissions(path(), fs::perms(0640));
  make(path());
  struct stat database{};
  struct stat folder{};
  struct stat file{};
  ASSERT_EQ(::stat(path().c_str(), &database), 0);
  ASSERT_EQ(::stat((path() + "-loci").c_str(), &folder), 0);
  ASSERT_EQ(::stat(snapshots(path()).at(0).c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 0777U, 0640U);
  EXPECT_EQ(folder.st_mode & 0777U, 0750U);
  EXPECT_EQ(file.st_uid, database.st_uid);
  EXPECT_EQ(folder.st_gid, database.st_gid);
}

TEST_F(SnapshotTest, APlaceWhereNoFolderCanBeMade) {
  write_file(path() + "-loci", "a file is in the way");
  make(path());
  EXPECT_EQ(verify(path()), "memory");
}

TEST_F(SnapshotTest, OfAPurgedRowNoByteIsLeft) {
  make(path());
  const std::vector<float> secret(kDim, 123.456F);
  Database db = open(path());
  Collection notes = db.collection("notes").value();
  ASSERT_OK(notes.insert(vector_record("secret", secret)));
  ASSERT_OK(db.publish("notes"));
  const std::string bytes(reinterpret_cast<const char*>(secret.data()), kDim * sizeof(float));
  ASSERT_NE(read_file(snapshots(path()).at(0)).find(bytes), std::string::npos);
  const RowKey key("secret");
  ASSERT_OK(notes.purge({&key, 1}));
  for (const std::string& file : snapshots(path())) {
    EXPECT_EQ(read_file(file).find(bytes), std::string::npos) << file;
  }
  EXPECT_EQ(search_differs_from_rows(notes), "");
}

TEST_F(SnapshotTest, AForkedChildIsRefusedAndDoesNoHarm) {
  make(path());
  const std::vector<std::string> before = snapshots(path());
  Database db = open(path());
  Collection notes = db.collection("notes").value();
  ASSERT_OK(notes.insert_many(records(kRows, kRows)));
  // in_child() wants no database open; here that is what is looked at, and the child makes no
  // thread.
  const int code = in_child([&] {
    if (notes.insert(record(9 * kRows)).status().code() != StatusCode::kFailedPrecondition)
      return 1;
    if (notes.count().status().code() != StatusCode::kFailedPrecondition) return 2;
    const std::vector<float> query = sine_vector(kDim, 3);
    if (notes.nearest(query, 3).status().code() != StatusCode::kFailedPrecondition) return 3;
    {
      // Both handles end here, with a snapshot due.
      const Collection mine = std::move(notes);
      const Database mine_too = std::move(db);
    }
    return 0;
  });
  EXPECT_EQ(code, 0);
  EXPECT_EQ(snapshots(path()), before) << "the child wrote";
  ASSERT_OK(notes.insert(record(9 * kRows)));
  EXPECT_EQ(search_differs_from_rows(notes), "");
}

TEST_F(SnapshotTest, SearchesAndWritesGoOnWhileSnapshotsAreWritten) {
  make(path());
  Database db = open(path());
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] {
      Collection notes = db.collection("notes").value();
      while (!stop) EXPECT_EQ(nearest(notes, 20).hits.size(), 20U);
    });
  }
  threads.emplace_back([&] {
    Database other = open(path());
    Collection notes = other.collection("notes").value();
    int64_t next = kRows;
    while (!stop) {
      EXPECT_OK(notes.insert(record(next)));
      EXPECT_OK(remove(notes, next - kRows));
      ++next;
    }
  });
  for (int i = 0; i < 20; ++i) EXPECT_OK(db.publish("notes"));
  stop = true;
  for (std::thread& thread : threads) thread.join();
  Collection notes = db.collection("notes").value();
  EXPECT_EQ(search_differs_from_rows(notes), "");
  ASSERT_OK(db.publish("notes"));
  EXPECT_EQ(snapshots(path()).size(), 1U);
  EXPECT_EQ(verify(path()), "file");
}

}  // namespace
}  // namespace loci::testing
