// SPDX-License-Identifier: Apache-2.0
#include "output/spec_json.h"

#include "output/json_text.h"
#include "readers/json_parse.h"

namespace loci::cli {
namespace {

std::string vectors_json(const CollectionSpec& spec) {
  std::string out = "[";
  for (const VectorColumn& column : spec.vectors) {
    if (out.size() > 1) out += ',';
    JsonObject object(out);
    object.text("name", column.name).integer("dim", static_cast<int64_t>(column.dim));
    object.text("metric", column.metric == Metric::kCustom ? "custom" : metric_name(column.metric));
    if (!column.custom_metric.empty()) object.text("custom_metric", column.custom_metric);
    if (!column.model.empty()) object.text("model", column.model);
    if (column.element != Element::kF32) object.text("element", element_name(column.element));
    object.close();
  }
  return out + "]";
}

std::string text_json(const CollectionSpec& spec) {
  std::string out = "[";
  for (const std::string& column : spec.text) {
    if (out.size() > 1) out += ',';
    append_json_string(out, column);
  }
  return out + "]";
}

std::string filters_json(const CollectionSpec& spec) {
  std::string out = "[";
  for (const FilterColumn& column : spec.filters) {
    if (out.size() > 1) out += ',';
    JsonObject(out).text("name", column.name).text("type", field_type_name(column.type)).close();
  }
  return out + "]";
}

Result<std::string> text_member(const Json& object, const char* name, bool required) {
  const auto found = object.find(name);
  if (found == object.end() && !required) return std::string();
  if (found == object.end() || !found->is_string()) {
    return Status::invalid_argument(std::string("spec: '") + name + "' is missing or is no text");
  }
  return found->get<std::string>();
}

Result<Json> array_member(const Json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end()) return Json::array();
  if (!found->is_array()) {
    return Status::invalid_argument(std::string("spec: '") + name + "' is no array");
  }
  return Json(*found);
}

Status read_vectors(const Json& object, CollectionSpec& spec) {
  LOCI_ASSIGN_OR_RETURN(const Json vectors, array_member(object, "vectors"));
  for (const Json& item : vectors) {
    VectorColumn column;
    LOCI_ASSIGN_OR_RETURN(column.name, text_member(item, "name", true));
    LOCI_ASSIGN_OR_RETURN(const std::string metric, text_member(item, "metric", true));
    LOCI_ASSIGN_OR_RETURN(column.custom_metric, text_member(item, "custom_metric", false));
    LOCI_ASSIGN_OR_RETURN(column.model, text_member(item, "model", false));
    LOCI_ASSIGN_OR_RETURN(const std::string element, text_member(item, "element", false));
    if (!element.empty()) {
      LOCI_ASSIGN_OR_RETURN(column.element, parse_element(element));
    }
    column.metric = Metric::kCustom;
    if (metric != "custom") {
      LOCI_ASSIGN_OR_RETURN(column.metric, parse_metric(metric));
    }
    const auto dim = item.find("dim");
    if (dim == item.end() || !dim->is_number_unsigned()) {
      return Status::invalid_argument("spec: 'dim' of '" + column.name + "' is missing");
    }
    column.dim = dim->get<size_t>();
    spec.vectors.push_back(std::move(column));
  }
  return {};
}

}  // namespace

std::string spec_json(const CollectionSpec& spec) {
  std::string out;
  JsonObject object(out);
  object.text("name", spec.name)
      .verbatim("vectors", vectors_json(spec))
      .verbatim("text", text_json(spec))
      .verbatim("filters", filters_json(spec))
      .boolean("text_ids", spec.text_ids)
      .boolean("history", spec.history.enabled);
  if (spec.history.enabled) {
    object.integer("history_versions", spec.history.max_versions)
        .integer("history_days", spec.history.max_age_days);
  }
  object.close();
  return out;
}

Result<CollectionSpec> spec_from_json(std::string_view text) {
  LOCI_ASSIGN_OR_RETURN(const Json object, parse_json(text));
  if (!object.is_object()) return Status::invalid_argument("spec: a JSON object is expected");
  CollectionSpec spec;
  LOCI_ASSIGN_OR_RETURN(spec.name, text_member(object, "name", true));
  LOCI_RETURN_IF_ERROR(read_vectors(object, spec));
  LOCI_ASSIGN_OR_RETURN(const Json texts, array_member(object, "text"));
  for (const Json& column : texts) {
    if (!column.is_string()) return Status::invalid_argument("spec: 'text' holds no names");
    spec.text.push_back(column.get<std::string>());
  }
  LOCI_ASSIGN_OR_RETURN(const Json filters, array_member(object, "filters"));
  for (const Json& item : filters) {
    FilterColumn column;
    LOCI_ASSIGN_OR_RETURN(column.name, text_member(item, "name", true));
    LOCI_ASSIGN_OR_RETURN(const std::string type, text_member(item, "type", true));
    LOCI_ASSIGN_OR_RETURN(column.type, parse_field_type(type));
    spec.filters.push_back(std::move(column));
  }
  const auto flag = [&](const char* name, bool otherwise) {
    const auto found = object.find(name);
    return found != object.end() && found->is_boolean() ? found->get<bool>() : otherwise;
  };
  spec.text_ids = flag("text_ids", true);
  const auto number = [&](const char* name, int64_t otherwise) {
    const auto found = object.find(name);
    return found != object.end() && found->is_number_integer() ? found->get<int64_t>() : otherwise;
  };
  spec.history.enabled = flag("history", false);
  spec.history.max_versions = number("history_versions", spec.history.max_versions);
  spec.history.max_age_days = number("history_days", spec.history.max_age_days);
  return spec;
}

}  // namespace loci::cli
