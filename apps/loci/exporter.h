// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "loci/loci.h"
#include "output/file_sink.h"

namespace loci::cli {

/// Writes rows of one collection in one format.
class Exporter {
 public:
  Exporter() = default;
  Exporter(const Exporter&) = delete;
  Exporter& operator=(const Exporter&) = delete;
  virtual ~Exporter() = default;

  virtual Status begin() { return {}; }
  virtual Status add(const Record& record) = 0;
  virtual Status end() { return {}; }
  /// Rows that the format has no place for: without a vector.
  [[nodiscard]] virtual int64_t left_out() const { return 0; }
};

/// Errors: kInvalidArgument (unknown format, no such column, a pipe where a file is needed).
/// column  of vector formats; empty: the first
Result<std::unique_ptr<Exporter>> make_exporter(const std::string& format, FileSink& sink,
                                                const CollectionSpec& spec,
                                                const std::string& column);

}  // namespace loci::cli
