// SPDX-License-Identifier: Apache-2.0
//
// `search` shows hits, `explain` how they were found.
#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "exit_code.h"
#include "output/json_text.h"
#include "output/row_table.h"
#include "output/table.h"
#include "output/terminal.h"
#include "search_options.h"
#include "suggest.h"
#include "verbs.h"

namespace loci::cli {
namespace {

std::string time_of(double us) {
  return us < 1000 ? decimal(us, 0) + " us" : decimal(us / 1000, 2) + " ms";
}

void put_hit_json(const Hit& hit, bool with_vectors) {
  std::string line;
  JsonObject object(line);
  if (hit.record.id.has_value()) object.text("id", *hit.record.id);
  object.integer("rowid", to_int(hit.rowid));
  if (hit.distance.has_value()) object.number("distance", *hit.distance);
  if (hit.similarity.has_value()) object.number("similarity", *hit.similarity);
  if (hit.bm25.has_value()) object.number("bm25", *hit.bm25);
  object.number("score", hit.score);
  Record rest = hit.record;
  rest.id.reset();
  rest.rowid.reset();
  append_record(object, rest, {.vectors = with_vectors, .archived = true});
  if (!hit.snippet.empty()) object.text("snippet", hit.snippet);
  object.close();
  put(line + "\n");
}

/// What a table shows of a row's text: the passage that matched, else its beginning.
std::string passage(const Hit& hit, const CollectionSpec& spec) {
  if (!hit.snippet.empty()) return std::string(trim(hit.snippet));
  constexpr size_t kBeginning = 400;
  std::string text;
  for (size_t i = spec.text.size() > 1 ? 1 : 0; i < spec.text.size() && text.empty(); ++i) {
    for (const auto& [name, value] : hit.record.fields) {
      if (name == spec.text[i]) text = cell_text(value).substr(0, kBeginning);
    }
  }
  return text;
}

std::string first_text(const Hit& hit, const CollectionSpec& spec) {
  for (const auto& [name, value] : hit.record.fields) {
    if (name == spec.text[0]) return cell_text(value);
  }
  return {};
}

std::string hit_table(const SearchResult& result, const CollectionSpec& spec) {
  bool distances = false;
  bool words = false;
  for (const Hit& hit : result.hits) {
    distances |= hit.distance.has_value();
    words |= hit.bm25.has_value();
  }
  const bool heading = spec.text.size() > 1;
  Table table;
  table.add_column("#", Table::Align::kRight);
  table.add_column(spec.text_ids ? "id" : "rowid");
  if (distances) table.add_column("distance", Table::Align::kRight);
  if (words || !distances) table.add_column("score", Table::Align::kRight);
  if (heading) table.add_column(spec.text[0]);
  if (!spec.filters.empty()) table.add_column("fields");
  if (!spec.text.empty()) table.add_column("passage");
  size_t rank = 0;
  for (const Hit& hit : result.hits) {
    std::vector<std::string> cells = {std::to_string(++rank), row_label(hit.record, hit.rowid)};
    if (distances) cells.push_back(hit.distance.has_value() ? decimal(*hit.distance, 4) : "");
    if (words || !distances) cells.push_back(decimal(hit.score, 4));
    if (heading) cells.push_back(first_text(hit, spec));
    if (!spec.filters.empty()) {
      Record filters;
      for (const Field& field : hit.record.fields) {
        for (const FilterColumn& column : spec.filters) {
          if (column.name == field.first) filters.fields.push_back(field);
        }
      }
      cells.push_back(short_fields(filters));
    }
    if (!spec.text.empty()) cells.push_back(passage(hit, spec));
    table.add_row(std::move(cells));
  }
  return table.render(terminal_width(), stdout_has_colour());
}

Result<int> search(const Context& context, const SearchOptions& options) {
  SearchInput input;
  LOCI_RETURN_IF_ERROR(make_request(options, input));
  LOCI_ASSIGN_OR_RETURN(Database database, open_for_reading(context));
  LOCI_ASSIGN_OR_RETURN(Collection collection, find_collection(database, options.name));
  LOCI_ASSIGN_OR_RETURN(const SearchResult result, collection.search(input.request));
  const Explain& explain = result.explain;
  if (context.rows_as_json()) {
    for (const Hit& hit : result.hits) put_hit_json(hit, options.with_vectors);
    if (!explain.degraded.empty()) warn("degraded: " + explain.degraded);
    return kExitOk;
  }
  put(result.hits.empty() ? "no hits\n" : hit_table(result, collection.spec()));
  std::string line = std::to_string(result.hits.size()) + " hits, " + explain.plan + ", " +
                     time_of(explain.total_us);
  if (!explain.degraded.empty()) line += "; degraded: " + explain.degraded;
  put(stdout_has_colour() ? "\033[2m" + line + "\033[0m\n" : line + "\n");
  return kExitOk;
}

void put_explain_json(const Explain& e, size_t hits) {
  std::string line;
  JsonObject(line)
      .text("plan", e.plan)
      .text("reason", e.reason)
      .text("degraded", e.degraded)
      .text("snapshot", e.snapshot)
      .text("simd", e.simd)
      .integer("hits", static_cast<int64_t>(hits))
      .integer("rows", static_cast<int64_t>(e.rows))
      .integer("passed_filter", static_cast<int64_t>(e.passed_filter))
      .boolean("passed_is_estimate", e.passed_is_estimate)
      .integer("scanned", static_cast<int64_t>(e.scanned))
      .integer("ef", static_cast<int64_t>(e.ef))
      .integer("tail", static_cast<int64_t>(e.tail))
      .integer("reranked", static_cast<int64_t>(e.reranked))
      .integer("pending", static_cast<int64_t>(e.pending))
      .number("refresh_us", e.refresh_us)
      .number("filter_us", e.filter_us)
      .number("scan_us", e.scan_us)
      .number("text_us", e.text_us)
      .number("fetch_us", e.fetch_us)
      .number("total_us", e.total_us)
      .close();
  put(line + "\n");
}

void put_explain(const Explain& e, size_t hits) {
  put("plan      " + e.plan + "\n");
  put("why       " + e.reason + "\n");
  if (!e.degraded.empty()) put("degraded  " + e.degraded + "\n");
  put("image     " + std::to_string(e.rows) + " rows, " + e.snapshot + ", SIMD " + e.simd + "\n");
  put("work      " + std::string(e.passed_is_estimate ? "about " : "") +
      std::to_string(e.passed_filter) + " rows passed the filter, " + std::to_string(e.scanned) +
      " codes compared, " + std::to_string(e.reranked) + " re-ranked by full vectors, " +
      std::to_string(hits) + " hits\n");
  if (e.ef > 0) {
    put("graph     ef " + std::to_string(e.ef) + ", " + std::to_string(e.tail) +
        " new rows scanned beside it\n");
  }
  if (e.pending > 0) {
    put("pending   " + std::to_string(e.pending) + " rows await a vector: run 'loci embed'\n");
  }
  put("time      " + time_of(e.total_us) + " = refresh " + time_of(e.refresh_us) + ", filter " +
      time_of(e.filter_us) + ", scan " + time_of(e.scan_us) + ", text " + time_of(e.text_us) +
      ", fetch " + time_of(e.fetch_us) + "\n");
}

Result<int> explain(const Context& context, const SearchOptions& options) {
  SearchInput input;
  LOCI_RETURN_IF_ERROR(make_request(options, input));
  LOCI_ASSIGN_OR_RETURN(Database database, open_for_reading(context));
  LOCI_ASSIGN_OR_RETURN(Collection collection, find_collection(database, options.name));
  LOCI_ASSIGN_OR_RETURN(const SearchResult result, collection.search(input.request));
  if (context.json) {
    put_explain_json(result.explain, result.hits.size());
  } else {
    put_explain(result.explain, result.hits.size());
  }
  return kExitOk;
}

}  // namespace

Action configure_search(CLI::App& app, const Context& context) {
  const auto options = std::make_shared<SearchOptions>();  // owners: the parser and the action
  add_search_options(app, *options);
  return [options, &context] { return search(context, *options); };
}

Action configure_explain(CLI::App& app, const Context& context) {
  const auto options = std::make_shared<SearchOptions>();
  add_search_options(app, *options);
  return [options, &context] { return explain(context, *options); };
}

}  // namespace loci::cli
