// SPDX-License-Identifier: Apache-2.0
#include "output/table.h"

#include <algorithm>
#include <numeric>
#include <string_view>
#include <utility>

#include "output/terminal.h"

namespace loci::cli {
namespace {

constexpr std::string_view kGap = "  ";
constexpr size_t kLeastWidth = 6;  // of a column that is cut

void append_cell(std::string& line, const std::string& cell, size_t width, Table::Align align) {
  const std::string shown = fit(cell, width);
  const size_t cells = display_width(shown);
  const std::string padding(width > cells ? width - cells : 0, ' ');
  line += align == Table::Align::kRight ? padding + shown : shown + padding;
}

std::string without_trailing_blanks(std::string line) {
  while (!line.empty() && line.back() == ' ') line.pop_back();
  return line;
}

}  // namespace

void Table::add_column(std::string header, Align align) {
  headers_.push_back(std::move(header));
  aligns_.push_back(align);
}

void Table::add_row(std::vector<std::string> cells) {
  cells.resize(headers_.size());
  for (std::string& cell : cells) cell = one_line(cell);
  rows_.push_back(std::move(cells));
}

std::vector<size_t> Table::column_widths(size_t width) const {
  std::vector<size_t> widths;
  widths.reserve(headers_.size());
  for (size_t i = 0; i < headers_.size(); ++i) {
    size_t widest = display_width(headers_[i]);
    for (const auto& row : rows_) widest = std::max(widest, display_width(row[i]));
    widths.push_back(widest);
  }
  const size_t gaps = headers_.empty() ? 0 : (headers_.size() - 1) * kGap.size();
  size_t total = std::accumulate(widths.begin(), widths.end(), gaps);
  while (total > width) {
    const auto widest = std::max_element(widths.begin(), widths.end());
    if (widest == widths.end() || *widest <= kLeastWidth) break;
    // Down to the next widest column at once, or by what is too much.
    size_t second = kLeastWidth;
    for (auto it = widths.begin(); it != widths.end(); ++it) {
      if (it != widest) second = std::max(second, *it);
    }
    const size_t cut = std::max<size_t>(1, std::min(*widest - second, total - width));
    *widest -= cut;
    total -= cut;
  }
  return widths;
}

std::string Table::render(size_t width, bool colour) const {
  const std::vector<size_t> widths = column_widths(width);
  std::string out;
  const auto append_line = [&](const std::vector<std::string>& cells) {
    std::string line;
    for (size_t i = 0; i < cells.size(); ++i) {
      if (i != 0) line += kGap;
      append_cell(line, cells[i], widths[i], aligns_[i]);
    }
    out += without_trailing_blanks(std::move(line));
  };
  if (colour) out += "\033[1m";
  append_line(headers_);
  if (colour) out += "\033[0m";
  out += '\n';
  for (const auto& row : rows_) {
    append_line(row);
    out += '\n';
  }
  return out;
}

}  // namespace loci::cli
