// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace loci::cli {

/// A table for people: columns as wide as they need, the widest cut until a row fits the terminal.
class Table {
 public:
  enum class Align { kLeft, kRight };

  void add_column(std::string header, Align align = Align::kLeft);
  /// Cells are made one line each; missing ones are empty.
  void add_row(std::vector<std::string> cells);
  [[nodiscard]] bool empty() const { return rows_.empty(); }
  /// The table with a header line, for `width` cells; `colour` makes the header bold.
  [[nodiscard]] std::string render(size_t width, bool colour) const;

 private:
  [[nodiscard]] std::vector<size_t> column_widths(size_t width) const;

  std::vector<std::string> headers_;
  std::vector<Align> aligns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace loci::cli
