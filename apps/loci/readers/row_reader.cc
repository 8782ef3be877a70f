// SPDX-License-Identifier: Apache-2.0
#include "readers/row_reader.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

namespace loci::cli {
namespace {

constexpr std::string_view kFormats = "jsonl, json, csv, tsv, fvecs, bvecs, npy, npz, fbin";

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

std::string extension_of(const std::string& path) {
  const size_t dot = path.find_last_of("./");
  if (dot == std::string::npos || path[dot] == '/') return {};
  const std::string extension = lower(std::string_view(path).substr(dot + 1));
  return extension == "ndjson" ? "jsonl" : extension;
}

bool is_known(std::string_view format) {
  static constexpr std::array<std::string_view, 9> kKnown = {"jsonl", "json", "csv", "tsv", "fvecs",
                                                             "bvecs", "npy",  "npz", "fbin"};
  return std::find(kKnown.begin(), kKnown.end(), format) != kKnown.end();
}

/// The format that the first bytes show; empty when they show none.
std::string sniff(std::string_view begin) {
  if (begin.starts_with("\x93NUMPY")) return "npy";
  if (begin.starts_with("PK\x03\x04")) return "npz";
  if (begin.starts_with("\xEF\xBB\xBF")) begin.remove_prefix(3);
  const size_t first = begin.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return "jsonl";
  if (begin[first] == '[') return "json";
  if (begin[first] == '{') return "jsonl";
  return {};
}

Status refuse_unusable(const std::string& name, std::string_view begin) {
  if (begin.starts_with("SQLite format 3")) {
    return Status::invalid_argument("'" + name + "' is an SQLite database: open it with --db, or " +
                                    "export its rows first");
  }
  if (begin.starts_with("\x1F\x8B")) {
    return Status::invalid_argument("'" + name + "' is packed by gzip: unpack it first, as in " +
                                    "'gzip -dc FILE | loci add NAME -'");
  }
  return {};
}

Result<std::unique_ptr<RowReader>> open_as(const std::string& format, const std::string& path,
                                           Input input) {
  if (format == "jsonl") return make_json_lines_reader(std::move(input));
  if (format == "json") return make_json_stream_reader(std::move(input));
  if (format == "csv") return make_csv_reader(std::move(input), ',');
  if (format == "tsv") return make_csv_reader(std::move(input), '\t');
  if (format == "fvecs") return make_fvecs_reader(std::move(input));
  if (format == "bvecs") return make_bvecs_reader(std::move(input));
  if (format == "npy") return make_npy_reader(std::move(input));
  if (format == "fbin") return make_fbin_reader(std::move(input));
  if (path == "-") {
    return Status::invalid_argument("a .npz archive cannot be read from a pipe: name the file");
  }
  return make_npz_reader(path);
}

}  // namespace

Result<std::unique_ptr<RowReader>> open_rows(const std::string& path,
                                             const ReaderOptions& options) {
  std::string format = lower(options.format);
  if (!format.empty() && !is_known(format)) {
    return Status::invalid_argument("format '" + options.format +
                                    "', known: " + std::string(kFormats));
  }
  LOCI_ASSIGN_OR_RETURN(std::unique_ptr<ByteSource> source, open_source(path));
  Input input(std::move(source));
  constexpr size_t kSniffBytes = 512;
  LOCI_ASSIGN_OR_RETURN(const std::string_view begin, input.peek(kSniffBytes));
  LOCI_RETURN_IF_ERROR(refuse_unusable(path, begin));
  if (format.empty()) format = extension_of(path);
  if (!is_known(format)) format = sniff(begin);
  if (format.empty()) {
    return Status::invalid_argument("'" + path + "': its format is not known; say which with " +
                                    "--format: " + std::string(kFormats));
  }
  LOCI_ASSIGN_OR_RETURN(std::unique_ptr<RowReader> reader, open_as(format, path, std::move(input)));
  if (options.meta.empty()) return reader;
  if (reader->vector_dim() == 0) {
    return Status::invalid_argument("--meta belongs to a file of vectors; '" + path + "' is " +
                                    std::string(reader->format()));
  }
  LOCI_ASSIGN_OR_RETURN(std::unique_ptr<ByteSource> meta, open_source(options.meta));
  return make_meta_reader(std::move(reader), Input(std::move(meta)));
}

}  // namespace loci::cli
