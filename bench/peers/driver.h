// SPDX-License-Identifier: Apache-2.0
//
// What every compiled peer shares: reading vectors, the protocol with compare.py, the clock. A
// driver is one program around one library; it includes this header and calls drive(). Needs
// nothing of Loci, since it is also compiled with -march=native beside libraries that are headers
// only.
//
// Usage of a driver: PROGRAM --set DIR --index PATH --rows N --k N --metric cosine|l2 [--config
// A=B]...
//   DIR/base.fbin, DIR/query.fbin   u32 rows, u32 dim, then float32, little-endian
// It loads PATH, or builds it from the first N rows and saves it; says so in one line of JSON; then
// answers each line of standard input by one line:
//   run EF QUERIES OUT        one pass; ids and nanoseconds of each query go to the file OUT
//   insert FIRST COUNT BATCH  adds rows of base.fbin, asks one query after each batch
//   delete FIRST COUNT BATCH  removes them likewise
#pragma once

#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <exception>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace loci::bench::peers {

/// Row-major float32.
struct Matrix {
  size_t rows = 0;
  size_t dim = 0;
  std::vector<float> values;
  [[nodiscard]] const float* row(size_t i) const { return values.data() + i * dim; }
};

/// Rows first .. first + count - 1 of an .fbin file; count 0: all.
inline Matrix read_fbin(const std::string& path, size_t first, size_t count) {
  std::ifstream in(path, std::ios::binary);
  uint32_t head[2] = {0, 0};
  if (!in.read(reinterpret_cast<char*>(head), sizeof(head))) {
    throw std::runtime_error("cannot read " + path);
  }
  Matrix matrix;
  matrix.dim = head[1];
  matrix.rows = count == 0 ? head[0] - first : count;
  if (first + matrix.rows > head[0]) throw std::runtime_error(path + " has fewer rows");
  matrix.values.resize(matrix.rows * matrix.dim);
  in.seekg(static_cast<std::streamoff>(sizeof(head) + first * matrix.dim * sizeof(float)));
  const auto bytes = static_cast<std::streamsize>(matrix.values.size() * sizeof(float));
  if (!in.read(reinterpret_cast<char*>(matrix.values.data()), bytes)) {
    throw std::runtime_error(path + " is shorter than it says");
  }
  return matrix;
}

/// What a driver was started with.
struct Setup {
  std::string set;
  std::string index;  ///< file or folder of the built index
  size_t rows = 0;
  size_t k = 10;
  bool cosine = true;  ///< else L2; with cosine every vector has unit length
  std::map<std::string, std::string> config;

  [[nodiscard]] size_t number(const std::string& name, size_t otherwise) const {
    const auto found = config.find(name);
    return found == config.end() ? otherwise : std::stoul(found->second);
  }
  [[nodiscard]] std::string text(const std::string& name, const std::string& otherwise) const {
    const auto found = config.find(name);
    return found == config.end() ? otherwise : found->second;
  }
};

/// The library under test. Errors are exceptions; rows are named by their number in base.fbin.
class Peer {
 public:
  Peer() = default;
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  virtual ~Peer() = default;

  /// Facts for the report: version and the like.
  virtual std::vector<std::pair<std::string, std::string>> facts() = 0;
  /// Whether set_ef changes anything; one that is exact has no such dial.
  virtual bool has_ef() { return true; }
  virtual void build(const Matrix& base, const Setup& setup) = 0;
  /// Writes the built index to setup.index, where it is not there already.
  virtual void save(const Setup& setup) = 0;
  virtual void load(size_t dim, const Setup& setup) = 0;
  virtual void set_ef(size_t ef) = 0;
  /// Row numbers and distances of the nearest rows, best first, at most k: returns how many.
  virtual size_t search(const float* query, size_t k, int64_t* ids, float* distances) = 0;
  /// Rows first ... of base.fbin, which are those of `rows`.
  virtual void insert(const Matrix& rows, size_t first, size_t begin, size_t end) = 0;
  virtual void remove(size_t first, size_t count) = 0;
};

/// Nanoseconds of a clock that never goes back.
inline int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

/// Seconds of processor time of this process, all threads.
inline double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// A line of /proc/self/status in bytes, such as "VmRSS" or "VmHWM".
inline int64_t memory_bytes(const std::string& name) {
  std::ifstream in("/proc/self/status");
  for (std::string line; std::getline(in, line);) {
    if (line.rfind(name + ":", 0) == 0) return std::stoll(line.substr(name.size() + 1)) * 1024;
  }
  return 0;
}

/// One flat JSON object. Texts are the drivers' own: quotes and control characters become blanks.
class JsonLine {
 public:
  template <typename Number>
  JsonLine& number(const std::string& name, Number value) {
    std::ostringstream text;
    text.precision(9);
    text << value;
    return raw(name, text.str());
  }
  JsonLine& flag(const std::string& name, bool value) {
    return raw(name, value ? "true" : "false");
  }
  JsonLine& text(const std::string& name, std::string value) {
    for (char& c : value) {
      if (c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20) c = ' ';
    }
    return raw(name, '"' + value + '"');
  }
  void print() const { std::cout << "{" << body_ << "}" << std::endl; }

 private:
  JsonLine& raw(const std::string& name, const std::string& value) {
    body_ += (body_.empty() ? "\"" : ", \"") + name + "\": " + value;
    return *this;
  }
  std::string body_;
};

/// The conversation of one driver with compare.py.
class Driver {
 public:
  Driver(Peer& peer, Setup setup)
      : peer_(peer),
        setup_(std::move(setup)),
        queries_(read_fbin(setup_.set + "/query.fbin", 0, 0)),
        ids_(setup_.k),
        distances_(setup_.k) {}

  void start() {
    struct stat info{};
    const bool cached = stat((setup_.index + ".built").c_str(), &info) == 0;
    JsonLine line;
    line.flag("ok", true).flag("cached", cached).flag("has_ef", peer_.has_ef());
    if (cached) {
      peer_.load(queries_.dim, setup_);
    } else {
      build(line);
    }
    for (const auto& [name, value] : peer_.facts()) line.text(name, value);
    line.number("query_count", queries_.rows).print();
  }

  void answer(const std::string& command) {
    std::istringstream in(command);
    std::string verb;
    size_t a = 0;
    size_t b = 0;
    in >> verb >> a >> b;
    if (verb == "run") {
      std::string out;
      std::getline(in >> std::ws, out);
      run(a, b, out);
    } else if (verb == "insert" || verb == "delete") {
      size_t batch = 1;
      in >> batch;
      change(verb == "insert", a, b, batch);
    } else {
      throw std::runtime_error("unknown command " + verb);
    }
  }

 private:
  void build(JsonLine& line) {
    const Matrix base = read_fbin(setup_.set + "/base.fbin", 0, setup_.rows);
    const int64_t rss = memory_bytes("VmRSS");
    const double cpu = cpu_seconds();
    const int64_t start = now_ns();
    peer_.build(base, setup_);
    const int64_t built = now_ns();
    line.number("build_s", static_cast<double>(built - start) / 1e9);
    line.number("build_cpu_s", cpu_seconds() - cpu);
    peer_.set_ef(100);
    for (size_t i = 0; i < std::min<size_t>(20, queries_.rows); ++i) ask(i);
    line.number("rss_bytes", memory_bytes("VmRSS") - rss);
    line.number("rss_peak_bytes", memory_bytes("VmHWM") - rss);
    peer_.save(setup_);
    line.number("save_s", static_cast<double>(now_ns() - built) / 1e9);
    std::ofstream(setup_.index + ".built") << "whole\n";
  }

  /// Nanoseconds of one search.
  int64_t ask(size_t query) {
    std::fill(ids_.begin(), ids_.end(), -1);
    const int64_t start = now_ns();
    peer_.search(queries_.row(query), setup_.k, ids_.data(), distances_.data());
    return now_ns() - start;
  }

  void run(size_t ef, size_t count, const std::string& path) {
    peer_.set_ef(ef);
    count = std::min(count, queries_.rows);
    std::vector<int64_t> ids;
    std::vector<int64_t> ns;
    for (size_t i = 0; i < count; ++i) {
      ns.push_back(ask(i));
      ids.insert(ids.end(), ids_.begin(), ids_.end());
    }
    std::ofstream out(path, std::ios::binary);
    const auto write = [&](const std::vector<int64_t>& values) {
      out.write(reinterpret_cast<const char*>(values.data()),
                static_cast<std::streamsize>(values.size() * sizeof(int64_t)));
    };
    write(ids);
    write(ns);
    out.close();
    if (!out) throw std::runtime_error("cannot write " + path);
    JsonLine().flag("ok", true).number("queries", count).number("batch", 1).print();
  }

  void change(bool insert, size_t first, size_t count, size_t batch) {
    const Matrix rows = insert ? read_fbin(setup_.set + "/base.fbin", first, count) : Matrix();
    std::vector<int64_t> asked;
    int64_t spent = 0;
    for (size_t begin = 0; begin < count; begin += batch) {
      const size_t end = std::min(count, begin + batch);
      const int64_t start = now_ns();
      if (insert) {
        peer_.insert(rows, first, begin, end);
      } else {
        peer_.remove(first + begin, end - begin);
      }
      spent += now_ns() - start;
      asked.push_back(ask(asked.size() % queries_.rows));
    }
    std::sort(asked.begin(), asked.end());
    JsonLine()
        .flag("ok", true)
        .number("seconds", static_cast<double>(spent) / 1e9)
        .number("query_p50_us", static_cast<double>(asked[asked.size() / 2]) / 1e3)
        .number("query_max_us", static_cast<double>(asked.back()) / 1e3)
        .print();
  }

  Peer& peer_;  // must not outlive this
  Setup setup_;
  Matrix queries_;
  std::vector<int64_t> ids_;
  std::vector<float> distances_;
};

inline Setup parse_setup(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  Setup setup;
  for (size_t i = 0; i + 1 < words.size(); i += 2) {
    const std::string& value = words[i + 1];
    if (words[i] == "--set") {
      setup.set = value;
    } else if (words[i] == "--index") {
      setup.index = value;
    } else if (words[i] == "--rows") {
      setup.rows = std::stoul(value);
    } else if (words[i] == "--k") {
      setup.k = std::stoul(value);
    } else if (words[i] == "--metric") {
      setup.cosine = value == "cosine";
    } else if (words[i] == "--config") {
      const size_t equals = value.find('=');
      setup.config[value.substr(0, equals)] = value.substr(equals + 1);
    } else {
      throw std::runtime_error("unknown option " + words[i]);
    }
  }
  return setup;
}

/// The whole of main(): what goes wrong is one line {"ok": false, "error": ...}.
inline int drive(Peer& peer, int argc, char** argv) {
  const auto fail = [](const std::exception& error) {
    JsonLine().flag("ok", false).text("error", error.what()).print();
  };
  try {
    Driver driver(peer, parse_setup(argc, argv));
    driver.start();
    for (std::string command; std::getline(std::cin, command);) {
      try {
        driver.answer(command);
      } catch (const std::exception& error) {
        fail(error);
      }
    }
    return 0;
  } catch (const std::exception& error) {
    fail(error);
    return 1;
  }
}

}  // namespace loci::bench::peers
