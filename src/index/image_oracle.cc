// SPDX-License-Identifier: Apache-2.0
#include "index/image_oracle.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <set>

#include "base/elements.h"
#include "base/strings.h"

namespace loci::index {

std::vector<float> as_stored(const ColumnLayout& column, std::vector<float> vector) {
  for (float& x : vector) {
    switch (column.element) {
      case Element::kF16:
        x = base::from_f16(base::to_f16(x));
        break;
      case Element::kBf16:
        x = base::from_bf16(base::to_bf16(x));
        break;
      case Element::kI8:
        x = std::clamp(std::nearbyint(x), -128.0F, 127.0F);
        break;
      case Element::kF32:
        break;
    }
  }
  return vector;
}

std::string to_blob(const ColumnLayout& column, const std::vector<float>& vector) {
  if (column.metric != Metric::kHamming || vector.empty()) {
    return base::encode_elements(column.element, vector);
  }
  std::string blob((vector.size() + 7) / 8, '\0');
  for (size_t i = 0; i < vector.size(); ++i) {
    if (vector[i] > 0) blob[i / 8] = static_cast<char>(blob[i / 8] | (1 << (i % 8)));
  }
  return blob;
}

Status put_row(Image& image, const ImageLayout& layout, RowId rowid, const OracleRow& row) {
  std::vector<std::string> blobs;
  std::vector<std::span<const std::byte>> views;
  blobs.reserve(row.vectors.size());
  views.reserve(row.vectors.size());
  for (size_t c = 0; c < row.vectors.size(); ++c) {
    blobs.push_back(to_blob(layout.columns[c], row.vectors[c]));
  }
  for (const std::string& blob : blobs) views.push_back(std::as_bytes(std::span(blob)));
  return image.put(
      {.rowid = rowid, .archived = row.archived, .vectors = views, .filters = row.filters});
}

OracleDistance oracle_distance(const ColumnLayout& column, VectorView a, VectorView b) {
  if (column.metric == Metric::kCustom) return {.distance = column.custom(a, b)};
  double squares = 0;
  double absolute = 0;
  double dot = 0;
  double dot_scale = 0;
  double norm_a = 0;
  double norm_b = 0;
  double bits = 0;
  for (size_t j = 0; j < a.size(); ++j) {
    const double x = a[j];
    const double y = b[j];
    squares += (x - y) * (x - y);
    absolute += std::abs(x - y);
    dot += x * y;
    dot_scale += std::abs(x * y);
    norm_a += x * x;
    norm_b += y * y;
    bits += (x > 0) != (y > 0) ? 1 : 0;
  }
  const double cosine =
      norm_b == 0 ? 0 : std::clamp(dot / (std::sqrt(norm_a) * std::sqrt(norm_b)), -1.0, 1.0);
  switch (column.metric) {
    case Metric::kL2:
      return {.distance = std::sqrt(squares), .tolerance = 1e-12 * std::sqrt(squares)};
    case Metric::kL1:
      return {.distance = absolute, .tolerance = 1e-12 * absolute};
    case Metric::kDot:
      return {.distance = -dot, .tolerance = 1e-12 * dot_scale};
    case Metric::kHamming:
      return {.distance = bits};
    case Metric::kAngular:  // acos turns 1e-16 into 1e-8 near 0 and 1
      return {.distance = std::acos(cosine) / std::numbers::pi, .tolerance = 1e-7};
    default:
      return {.distance = 1 - cosine, .tolerance = 1e-12};
  }
}

OracleDistances oracle_distances(const ImageLayout& layout, const OracleRows& rows,
                                 const ScanQuery& query) {
  OracleDistances out;
  for (const auto& [rowid, row] : rows) {
    const std::vector<float>& vector = row.vectors[query.column];
    if (vector.empty()) continue;
    out[rowid] = oracle_distance(layout.columns[query.column], query.vector, vector);
  }
  return out;
}

namespace {

// The rows that the query may return.
OracleDistances admitted(const OracleCase& oracle, const ScanQuery& query) {
  const std::set<RowId> hidden(query.hidden.begin(), query.hidden.end());
  OracleDistances out;
  for (const auto& [rowid, distance] : oracle.distances) {
    const OracleRow& row = oracle.rows.at(rowid);
    if (row.archived && !query.include_archived) continue;
    if (hidden.contains(rowid) || (query.filter != nullptr && !oracle.passes(row))) continue;
    out[rowid] = distance;
  }
  return out;
}

std::string check_returned(const OracleDistances& allowed, const ScanQuery& query,
                           const std::vector<Neighbor>& neighbors) {
  for (size_t i = 0; i < neighbors.size(); ++i) {
    const Neighbor& hit = neighbors[i];
    const auto found = allowed.find(hit.rowid);
    if (found == allowed.end()) {
      return base::str_cat("row ", to_int(hit.rowid), " must not be returned");
    }
    const OracleDistance& want = found->second;
    if (!(std::abs(hit.distance - want.distance) <= want.tolerance)) {
      return base::str_cat("row ", to_int(hit.rowid), " at ", hit.distance, ", expected ",
                           want.distance);
    }
    if (hit.distance > query.max_distance) {
      return base::str_cat("row ", to_int(hit.rowid), " at ", hit.distance, ", max_distance ",
                           query.max_distance);
    }
    if (i == 0) continue;
    const Neighbor& before = neighbors[i - 1];
    if (before.distance > hit.distance ||
        (before.distance == hit.distance && before.rowid >= hit.rowid)) {
      return base::str_cat("row ", to_int(hit.rowid), " out of order");
    }
  }
  return "";
}

// A row that is as near as the last one returned, exactly, with a smaller rowid; or nearer.
std::string check_left_out(const OracleCase& oracle, const ScanQuery& query,
                           const std::vector<Neighbor>& neighbors, const OracleDistances& allowed) {
  std::map<std::vector<float>, RowId> last_of;  // the greatest rowid returned of a vector
  std::set<RowId> returned;
  for (const Neighbor& hit : neighbors) {
    returned.insert(hit.rowid);
    RowId& last = last_of.try_emplace(oracle.rows.at(hit.rowid).vectors[query.column], hit.rowid)
                      .first->second;
    last = std::max(last, hit.rowid);
  }
  const bool full = query.k != 0 && neighbors.size() == query.k;
  const double bound = full ? neighbors.back().distance : query.max_distance;
  for (const auto& [rowid, distance] : allowed) {
    if (returned.contains(rowid)) continue;
    if (distance.distance < bound - distance.tolerance) {
      return base::str_cat("row ", to_int(rowid), " at ", distance.distance,
                           " left out, the bound is ", bound);
    }
    const bool exact_tie = distance.tolerance == 0 && distance.distance == bound;
    if (exact_tie && (!full || rowid < neighbors.back().rowid)) {
      return base::str_cat("row ", to_int(rowid), " left out of a tie at ", bound);
    }
    if (distance.distance > bound + distance.tolerance) continue;
    const auto twin = last_of.find(oracle.rows.at(rowid).vectors[query.column]);
    if (twin != last_of.end() && (!full || rowid < twin->second)) {
      return base::str_cat("row ", to_int(rowid), " left out, its twin ", to_int(twin->second),
                           " returned");
    }
  }
  return "";
}

}  // namespace

std::string find_fault(const OracleCase& oracle, const ScanQuery& query,
                       const ScanOutcome& outcome) {
  const OracleDistances allowed = admitted(oracle, query);
  if (outcome.passed_filter != allowed.size()) {
    return base::str_cat("passed_filter ", outcome.passed_filter, ", expected ", allowed.size());
  }
  if (query.k != 0 && outcome.neighbors.size() > query.k) {
    return base::str_cat(outcome.neighbors.size(), " rows for k ", query.k);
  }
  const std::string fault = check_returned(allowed, query, outcome.neighbors);
  return fault.empty() ? check_left_out(oracle, query, outcome.neighbors, allowed) : fault;
}

VectorMaker::VectorMaker(DataKind kind, size_t dim, uint64_t seed)
    : kind_(kind), dim_(dim), random_(seed) {
  std::normal_distribution<float> normal;
  for (int c = 0; c < 12; ++c) {
    std::vector<float> center(dim);
    for (float& x : center) x = 3 * normal(random_);
    if (kind == DataKind::kDuplicates) {
      for (float& x : center) x = std::round(x);
      center[0] += center == std::vector<float>(dim) ? 1.0F : 0.0F;  // never zero
    }
    centers_.push_back(std::move(center));
  }
}

std::vector<float> VectorMaker::next() {
  std::normal_distribution<float> normal;
  std::vector<float> vector = centers_[random_() % centers_.size()];
  switch (kind_) {
    case DataKind::kDuplicates:
      return vector;
    case DataKind::kNormal:
      for (float& x : vector) x = normal(random_);
      return vector;
    case DataKind::kClustered:
      for (float& x : vector) x += 0.02F * normal(random_);
      return vector;
    case DataKind::kAdversarial:
      break;
  }
  static constexpr float kScales[] = {1e-41F, 1e-30F, 1e-4F, 1.0F, 1e6F, 1e18F, 3e38F};
  const float scale = kScales[random_() % 7];
  for (float& x : vector) x = std::clamp(normal(random_) / 4, -1.0F, 1.0F) * scale;
  switch (random_() % 6) {
    case 0:  // one component rules
      vector[random_() % dim_] = scale;
      break;
    case 1:  // a constant
      std::fill(vector.begin(), vector.end(), scale);
      break;
    case 2:  // noise on a great offset
      for (float& x : vector) x = 1e4F + normal(random_);
      break;
    case 3:  // one component
      std::fill(vector.begin(), vector.end(), 0.0F);
      vector[random_() % dim_] = random_() % 2 == 0 ? scale : -scale;
      break;
    default:
      break;
  }
  if (vector == std::vector<float>(dim_)) vector[0] = scale;
  return vector;
}

}  // namespace loci::index
