// SPDX-License-Identifier: Apache-2.0
//
// Writes the small database of tests/compat with the build it belongs to: make_database FILE.
// Run by tests/compat/make_format; compat_test.cc knows the rows.
#include <cmath>
#include <iostream>
#include <string>
#include <vector>

#include "loci/loci.h"

namespace loci {
namespace {

std::vector<float> wave(double seed) {
  std::vector<float> values(8);
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(std::sin(static_cast<double>(i + 1) * seed));
  }
  return values;
}

VectorColumn column(const char* name, Metric metric, const char* model) {
  VectorColumn made;
  made.name = name;
  made.dim = metric == Metric::kHamming ? 16 : *model == '\0' ? 8 : 16;
  made.metric = metric;
  made.model = model;
  return made;
}

Status fill_notes(Database& database) {
  CollectionSpec spec;
  spec.name = "notes";
  spec.vectors = {column("embedding", Metric::kCosine, ""), column("flat", Metric::kL2, "")};
  spec.text = {"title", "body"};
  spec.filters = {{"lang", FieldType::kText},
                  {"year", FieldType::kInt},
                  {"rating", FieldType::kFloat},
                  {"draft", FieldType::kBool}};
  LOCI_ASSIGN_OR_RETURN(Collection notes, database.create_collection(spec));
  for (int i = 1; i <= 12; ++i) {
    Record record;
    record.id = "note-" + std::to_string(i);
    record.vectors = {{"embedding", wave(i)}};
    if (i % 2 == 0) record.vectors.emplace_back("flat", wave(i + 0.5));
    record.fields = {{"title", "note number " + std::to_string(i)},
                     {"body", std::string(i % 3 == 0 ? "gamma rays" : "alpha waves")},
                     {"lang", std::string(i % 2 == 0 ? "rust" : "go")},
                     {"year", int64_t{2010 + i}},
                     {"rating", 0.5 * i},
                     {"draft", i % 4 == 0}};
    record.metadata = R"({"n": )" + std::to_string(i) + "}";
    LOCI_RETURN_IF_ERROR(notes.insert(record).status());
  }
  const std::vector<RowKey> archived = {RowKey("note-11")};
  LOCI_RETURN_IF_ERROR(notes.archive(archived).status());
  const std::vector<RowKey> removed = {RowKey("note-12")};
  LOCI_RETURN_IF_ERROR(notes.remove(removed).status());
  Record changes;
  changes.fields = {{"body", std::string("delta blues")}};
  return notes.update("note-5", changes);
}

Status fill_others(Database& database) {
  CollectionSpec modelled;
  modelled.name = "modelled";
  modelled.vectors = {column("embedding", Metric::kCosine, "hash:16:v1")};
  modelled.text = {"body"};
  LOCI_ASSIGN_OR_RETURN(Collection texts, database.create_collection(modelled));
  for (const char* body : {"memory safety", "apple pie", "ocean currents"}) {
    Record record;
    record.id = body;
    record.fields = {{"body", std::string(body)}};
    LOCI_RETURN_IF_ERROR(texts.insert(record).status());
  }
  CollectionSpec bits;
  bits.name = "bits";
  bits.text_ids = false;
  bits.vectors = {column("code", Metric::kHamming, "")};
  LOCI_ASSIGN_OR_RETURN(Collection codes, database.create_collection(bits));
  for (size_t i = 0; i < 4; ++i) {
    std::vector<float> code(16, 0.0F);
    for (size_t bit = 0; bit < 4 * i; ++bit) code[bit] = 1.0F;
    Record record;
    record.vectors = {{"code", code}};
    LOCI_RETURN_IF_ERROR(codes.insert(record).status());
  }
  return {};
}

/// A table of the user's own, keyed by text: its integers are in loci_keys.
Status fill_user_table(Database& database) {
  const auto run = [&](const char* sql) {
    return database.sql(
        sql, [](std::span<const std::string>, std::span<const Value>) { return Status(); });
  };
  LOCI_RETURN_IF_ERROR(
      run("CREATE TABLE shelf(dataset TEXT, id TEXT, content TEXT, vec BLOB, "
          "PRIMARY KEY(dataset, id))"));
  LOCI_RETURN_IF_ERROR(
      run("INSERT INTO shelf VALUES('A', '1', 'first words', "
          "X'0000803F00000000'), ('B', '1', 'second words', "
          "X'000000000000803F')"));
  TableIndexSpec spec;
  spec.name = "shelves";
  spec.table = "shelf";
  spec.vector.name = "vec";
  spec.vector.dim = 2;
  spec.vector.metric = Metric::kL2;
  spec.text = {"content"};
  spec.key = {"dataset", "id"};
  LOCI_RETURN_IF_ERROR(database.create_table_index(spec).status());
  return run("UPDATE shelf SET content = 'third words' WHERE dataset = 'B'");
}

/// From format 2 on: rows that keep what they were.
Status fill_history(Database& database) {
  CollectionSpec spec;
  spec.name = "diary";
  spec.vectors = {column("embedding", Metric::kL2, "")};
  spec.text = {"body"};
  spec.history.enabled = true;
  LOCI_ASSIGN_OR_RETURN(Collection diary, database.create_collection(spec));
  Record record;
  record.id = "monday";
  record.vectors = {{"embedding", wave(1)}};
  record.fields = {{"body", std::string("rain")}};
  LOCI_RETURN_IF_ERROR(diary.insert(record).status());
  Record changes;
  changes.fields = {{"body", std::string("sun")}};
  LOCI_RETURN_IF_ERROR(diary.update("monday", changes));
  Record moved;
  moved.vectors = {{"embedding", wave(2)}};
  return diary.update("monday", moved);
}

Status fill(const std::string& path) {
  LOCI_ASSIGN_OR_RETURN(Database database, Database::open(path));
  LOCI_RETURN_IF_ERROR(fill_notes(database));
  LOCI_RETURN_IF_ERROR(fill_others(database));
  LOCI_RETURN_IF_ERROR(fill_history(database));
  return fill_user_table(database);
}

}  // namespace
}  // namespace loci

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: make_database FILE\n";
    return 2;
  }
  const loci::Status status = loci::fill(argv[1]);
  if (status.ok()) return 0;
  std::cerr << status.to_string() << "\n";
  return 1;
}
