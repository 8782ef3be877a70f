// SPDX-License-Identifier: Apache-2.0
//
// The in-memory model of a collection: the plainest thing that could be right. Rows in a map,
// filters as a tree walked with SQL's three-valued logic, neighbours by computing every distance in
// double and sorting.
#include "support/store_model.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <sstream>

namespace loci::testing {
namespace {

constexpr std::array<const char*, 4> kLanguages = {"rust", "c++", "go", "o'caml"};

std::string literal(const Value& value) {
  if (const auto* number = std::get_if<int64_t>(&value)) return std::to_string(*number);
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  if (const auto* number = std::get_if<double>(&value)) {
    std::ostringstream out;
    out << *number;
    return out.str();
  }
  std::string quoted = "'";
  for (const char c : std::get<std::string>(value)) {
    quoted += c;
    if (c == '\'') quoted += c;
  }
  return quoted + "'";
}

double number_of(const Value& value) {
  if (const auto* number = std::get_if<int64_t>(&value)) return static_cast<double>(*number);
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? 1 : 0;
  return std::get<double>(value);
}

/// Negative, zero or positive, as SQL orders two values of one type.
int compare(const Value& a, const Value& b) {
  if (const auto* text = std::get_if<std::string>(&a)) {
    return text->compare(std::get<std::string>(b));
  }
  const double x = number_of(a);
  const double y = number_of(b);
  return x < y ? -1 : x > y ? 1 : 0;
}

bool holds(const std::string& op, int order) {
  if (op == "=") return order == 0;
  if (op == "!=") return order != 0;
  if (op == "<") return order < 0;
  if (op == "<=") return order <= 0;
  if (op == ">") return order > 0;
  return order >= 0;
}

Value random_value(Random& random, std::string_view column) {
  if (column == "lang") return std::string(kLanguages[random.below(kLanguages.size())]);
  if (column == "year") return static_cast<int64_t>(2015 + random.below(10));
  if (column == "rating") return static_cast<double>(random.below(20)) / 4;
  return random.one_in(2);
}

std::string random_text(Random& random) {
  std::string text;
  for (size_t i = random.below(6); i > 0; --i) {
    if (!text.empty()) text += random.one_in(5) ? ", " : " ";
    text += model_word(random.below(kModelWords));
  }
  return text;
}

bool has_word(const Value& value, std::string_view word) {
  const auto* text = std::get_if<std::string>(&value);
  if (text == nullptr) return false;
  std::string spaced = *text;
  std::replace(spaced.begin(), spaced.end(), ',', ' ');
  std::istringstream words(spaced);
  for (std::string one; words >> one;) {
    if (one == word) return true;
  }
  return false;
}

ModelRow row_of(const Record& record) {
  ModelRow row = StoreModel::make(record);
  row.archived = record.archived;
  return row;
}

bool same_row(const ModelRow& a, const ModelRow& b) {
  return a.id == b.id && a.fields == b.fields && a.vectors == b.vectors &&
         a.metadata == b.metadata && a.archived == b.archived;
}

std::string show(int64_t rowid, const ModelRow& row) {
  Record record;
  record.rowid = RowId{rowid};
  record.id = row.id;
  record.fields.assign(row.fields.begin(), row.fields.end());
  record.vectors.assign(row.vectors.begin(), row.vectors.end());
  record.metadata = row.metadata;
  record.archived = row.archived;
  return describe(record);
}

}  // namespace

CollectionSpec model_spec() {
  CollectionSpec spec;
  spec.name = "notes";
  spec.vectors = {vector_column("embedding", kModelDim, Metric::kCosine),
                  vector_column("aux", kModelAuxDim, Metric::kL2)};
  spec.text = {"title", "body"};
  spec.filters = {{"lang", FieldType::kText},
                  {"year", FieldType::kInt},
                  {"rating", FieldType::kFloat},
                  {"draft", FieldType::kBool}};
  return spec;
}

std::string model_word(size_t index) {
  std::string word = "zq";  // no English ending, so no stemmer touches it
  word += static_cast<char>('a' + index / 5);
  word += static_cast<char>('k' + index % 5);
  return word + "x";
}

Record random_record(Random& random) {
  Record record;
  for (const VectorColumn& column : model_spec().vectors) {
    if (random.one_in(4)) continue;
    std::vector<float> vector = random.vector(column.dim);
    if (random.one_in(6)) vector.assign(column.dim, 0.25F);  // exact duplicates: ties by rowid
    record.vectors.emplace_back(column.name, std::move(vector));
  }
  for (const char* column : {"title", "body"}) {
    if (!random.one_in(4)) record.fields.emplace_back(column, random_text(random));
  }
  for (const char* column : {"lang", "year", "rating", "draft"}) {
    if (random.one_in(3)) continue;
    record.fields.emplace_back(column, random.one_in(6) ? Value() : random_value(random, column));
  }
  if (random.one_in(3)) {
    record.metadata = "{\"n\": " + std::to_string(random.below(100)) + "}";
  }
  return record;
}

std::string ModelFilter::text() const {
  switch (kind) {
    case Kind::kAll:
      return "";
    case Kind::kNot:
      return "NOT (" + children[0].text() + ")";
    case Kind::kAnd:
    case Kind::kOr: {
      const std::string word = kind == Kind::kAnd ? " AND " : " OR ";
      return "(" + children[0].text() + ")" + word + "(" + children[1].text() + ")";
    }
    case Kind::kIsNull:
      return column + (op.empty() ? " IS NULL" : " IS NOT NULL");
    case Kind::kBetween:
      return column + " BETWEEN " + literal(values[0]) + " AND " + literal(values[1]);
    case Kind::kIn: {
      std::string list;
      for (const Value& value : values) list += (list.empty() ? "" : ", ") + literal(value);
      return column + " IN (" + list + ")";
    }
    case Kind::kCompare:
      break;
  }
  return column + " " + op + " " + literal(values[0]);
}

std::optional<bool> ModelFilter::test(const ModelRow& row) const {
  if (kind == Kind::kAll) return true;
  if (kind == Kind::kNot) {
    const std::optional<bool> inner = children[0].test(row);
    return inner.has_value() ? std::optional<bool>(!*inner) : std::nullopt;
  }
  if (kind == Kind::kAnd || kind == Kind::kOr) {
    const bool decides = kind == Kind::kOr;  // the value that settles it alone
    bool unknown = false;
    for (const ModelFilter& child : children) {
      const std::optional<bool> one = child.test(row);
      if (one.has_value() && *one == decides) return decides;
      unknown = unknown || !one.has_value();
    }
    return unknown ? std::nullopt : std::optional<bool>(!decides);
  }
  const auto found = row.fields.find(column);
  const Value value = found == row.fields.end() ? Value() : found->second;
  const bool null = std::holds_alternative<std::monostate>(value);
  if (kind == Kind::kIsNull) return op.empty() ? null : !null;
  if (null) return std::nullopt;
  if (kind == Kind::kBetween) {
    return compare(value, values[0]) >= 0 && compare(value, values[1]) <= 0;
  }
  if (kind == Kind::kIn) {
    return std::any_of(values.begin(), values.end(),
                       [&](const Value& one) { return compare(value, one) == 0; });
  }
  return holds(op, compare(value, values[0]));
}

ModelFilter ModelFilter::random(Random& random, int depth) {
  ModelFilter filter;
  if (depth > 0 && random.one_in(2)) {
    constexpr std::array<Kind, 3> kKinds = {Kind::kAnd, Kind::kOr, Kind::kNot};
    filter.kind = kKinds[random.below(3)];
    filter.children.push_back(ModelFilter::random(random, depth - 1));
    if (filter.kind != Kind::kNot) {
      filter.children.push_back(ModelFilter::random(random, depth - 1));
    }
    return filter;
  }
  constexpr std::array<const char*, 4> kColumns = {"lang", "year", "rating", "draft"};
  constexpr std::array<const char*, 6> kOps = {"=", "!=", "<", "<=", ">", ">="};
  filter.column = kColumns[random.below(4)];
  const bool flag = filter.column == "draft";
  const auto value = [&] { return random_value(random, filter.column); };
  switch (random.below(flag ? 3 : 5)) {
    case 0:
      filter.kind = Kind::kIsNull;
      filter.op = random.one_in(2) ? "not" : "";
      return filter;
    case 3:
      filter.kind = Kind::kIn;
      filter.values = {value(), value()};
      return filter;
    case 4:
      filter.kind = Kind::kBetween;
      filter.values = {value(), value()};
      return filter;
    default:
      filter.kind = Kind::kCompare;
      filter.op = kOps[random.below(flag ? 2 : 6)];
      filter.values = {value()};
      return filter;
  }
}

std::optional<int64_t> StoreModel::find_id(std::string_view id) const {
  for (const auto& [rowid, row] : rows) {
    if (row.id == id) return rowid;
  }
  return std::nullopt;
}

void StoreModel::apply(ModelRow& row, const Record& changes) {
  for (const auto& [name, value] : changes.fields) row.fields[name] = value;
  for (const auto& [name, vector] : changes.vectors) {
    if (vector.empty()) {
      row.vectors.erase(name);
    } else {
      row.vectors[name] = vector;
    }
  }
  if (changes.metadata.has_value()) row.metadata = changes.metadata;
  if (changes.id.has_value()) row.id = *changes.id;
}

ModelRow StoreModel::make(const Record& record) {
  ModelRow row;
  const CollectionSpec spec = model_spec();
  for (const std::string& column : spec.text) row.fields[column] = Value();
  for (const FilterColumn& column : spec.filters) row.fields[column.name] = Value();
  apply(row, record);
  return row;
}

std::vector<int64_t> StoreModel::visible(const ModelFilter& filter, bool with_archived) const {
  std::vector<int64_t> found;
  for (const auto& [rowid, row] : rows) {
    if ((with_archived || !row.archived) && filter.passes(row)) found.push_back(rowid);
  }
  return found;
}

std::vector<StoreModel::Neighbor> StoreModel::neighbors(std::string_view column, VectorView query,
                                                        const ModelFilter& filter,
                                                        bool with_archived) const {
  const Metric metric = column == "embedding" ? Metric::kCosine : Metric::kL2;
  std::vector<Neighbor> found;
  for (const int64_t rowid : visible(filter, with_archived)) {
    const ModelRow& row = rows.at(rowid);
    const auto vector = row.vectors.find(std::string(column));
    if (vector == row.vectors.end()) continue;
    found.push_back({rowid, oracle_distance(metric, query, vector->second)});
  }
  std::stable_sort(found.begin(), found.end(), [](const Neighbor& a, const Neighbor& b) {
    return a.distance < b.distance;  // stable over ascending rowids: ties by rowid
  });
  return found;
}

std::vector<int64_t> StoreModel::containing(std::string_view word, const ModelFilter& filter,
                                            bool with_archived) const {
  std::vector<int64_t> found;
  for (const int64_t rowid : visible(filter, with_archived)) {
    const ModelRow& row = rows.at(rowid);
    if (has_word(row.fields.at("title"), word) || has_word(row.fields.at("body"), word)) {
      found.push_back(rowid);
    }
  }
  return found;
}

::testing::AssertionResult same_rows(Collection& collection, const StoreModel& model) {
  std::map<int64_t, ModelRow> stored;
  const Status status = collection.scan({}, true, true, -1, 0, [&](const Record& record) {
    stored[to_int(record.rowid.value_or(kNoRow))] = row_of(record);
    return Status();
  });
  if (!status.ok()) return ::testing::AssertionFailure() << status.to_string();
  for (const auto& [rowid, row] : model.rows) {
    const auto found = stored.find(rowid);
    if (found == stored.end()) {
      return ::testing::AssertionFailure() << "not stored: " << show(rowid, row);
    }
    if (!same_row(found->second, row)) {
      return ::testing::AssertionFailure()
             << "stored:   " << show(rowid, found->second) << "\nexpected: " << show(rowid, row);
    }
  }
  for (const auto& [rowid, row] : stored) {
    if (model.rows.count(rowid) == 0) {
      return ::testing::AssertionFailure() << "stored but not expected: " << show(rowid, row);
    }
  }
  return ::testing::AssertionSuccess();
}

::testing::AssertionResult same_neighbors(const std::vector<Hit>& hits,
                                          const std::vector<StoreModel::Neighbor>& expected,
                                          size_t k) {
  constexpr double kTolerance = 1e-6;  // of float rounding in either
  const size_t want = std::min(k, expected.size());
  if (hits.size() != want) {
    return ::testing::AssertionFailure() << hits.size() << " hits, expected " << want;
  }
  for (size_t i = 0; i < want; ++i) {
    const double distance = hits[i].distance.value_or(std::nan(""));
    if (!(std::fabs(distance - expected[i].distance) <= kTolerance)) {
      return ::testing::AssertionFailure()
             << "hit " << i << ": row " << to_int(hits[i].rowid) << " at " << distance
             << ", expected row " << expected[i].rowid << " at " << expected[i].distance;
    }
    const auto apart = [&](size_t a, size_t b) {
      const double gap = expected[b].distance - expected[a].distance;
      return gap == 0 || gap > kTolerance;  // equal vectors are equally far: ordered by rowid
    };
    const bool settled =
        (i == 0 || apart(i - 1, i)) && (i + 1 >= expected.size() || apart(i, i + 1));
    if (settled && to_int(hits[i].rowid) != expected[i].rowid) {
      return ::testing::AssertionFailure() << "hit " << i << ": row " << to_int(hits[i].rowid)
                                           << ", expected row " << expected[i].rowid;
    }
  }
  return ::testing::AssertionSuccess();
}

}  // namespace loci::testing
