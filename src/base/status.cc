// SPDX-License-Identifier: Apache-2.0
#include "loci/status.h"

#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace loci {

std::string_view status_code_name(StatusCode code) noexcept {
  switch (code) {
    case StatusCode::kOk:
      return "ok";
    case StatusCode::kInvalidArgument:
      return "invalid_argument";
    case StatusCode::kNotFound:
      return "not_found";
    case StatusCode::kAlreadyExists:
      return "already_exists";
    case StatusCode::kFailedPrecondition:
      return "failed_precondition";
    case StatusCode::kBusy:
      return "busy";
    case StatusCode::kFull:
      return "full";
    case StatusCode::kIoError:
      return "io_error";
    case StatusCode::kCorruption:
      return "corruption";
    case StatusCode::kOutOfMemory:
      return "out_of_memory";
    case StatusCode::kUnsupported:
      return "unsupported";
    case StatusCode::kCancelled:
      return "cancelled";
    case StatusCode::kInternal:
      return "internal";
  }
  return "unknown";
}

const Status::Rep& Status::no_memory_rep() noexcept {
  static const Rep rep{StatusCode::kOutOfMemory, "out of memory"};  // short: lies in the string
  return rep;
}

void Status::Release::operator()(const Rep* rep) const noexcept {
  if (rep != &no_memory_rep()) delete rep;
}

Status::RepPtr Status::make_rep(StatusCode code, std::string message) {
  return RepPtr(new Rep{code, std::move(message)});
}

Status::Status(StatusCode code, std::string message) {
  if (code != StatusCode::kOk) rep_ = make_rep(code, std::move(message));
}

Status::Status(const Status& other) { *this = other; }

Status& Status::operator=(const Status& other) {
  if (this == &other) return *this;
  if (other.rep_ == nullptr || other.rep_.get() == &no_memory_rep()) {
    rep_.reset(other.rep_.get());
  } else {
    rep_ = make_rep(other.rep_->code, other.rep_->message);
  }
  return *this;
}

Status Status::invalid_argument(std::string message) {
  return {StatusCode::kInvalidArgument, std::move(message)};
}
Status Status::not_found(std::string message) {
  return {StatusCode::kNotFound, std::move(message)};
}
Status Status::already_exists(std::string message) {
  return {StatusCode::kAlreadyExists, std::move(message)};
}
Status Status::failed_precondition(std::string message) {
  return {StatusCode::kFailedPrecondition, std::move(message)};
}
Status Status::busy(std::string message) { return {StatusCode::kBusy, std::move(message)}; }
Status Status::full(std::string message) { return {StatusCode::kFull, std::move(message)}; }
Status Status::io_error(std::string message) { return {StatusCode::kIoError, std::move(message)}; }
Status Status::corruption(std::string message) {
  return {StatusCode::kCorruption, std::move(message)};
}
Status Status::out_of_memory(std::string message) {
  return {StatusCode::kOutOfMemory, std::move(message)};
}
Status Status::no_memory() noexcept {
  Status status;
  status.rep_.reset(&no_memory_rep());
  return status;
}
Status Status::unsupported(std::string message) {
  return {StatusCode::kUnsupported, std::move(message)};
}
Status Status::cancelled(std::string message) {
  return {StatusCode::kCancelled, std::move(message)};
}
Status Status::internal(std::string message) { return {StatusCode::kInternal, std::move(message)}; }

StatusCode Status::code() const noexcept { return rep_ == nullptr ? StatusCode::kOk : rep_->code; }

std::string_view Status::message() const noexcept {
  return rep_ == nullptr ? std::string_view() : std::string_view(rep_->message);
}

std::string Status::to_string() const {
  std::string text(status_code_name(code()));
  if (!message().empty()) {
    text += ": ";
    text += message();
  }
  return text;
}

Status Status::with_context(std::string_view context) const {
  if (ok()) return {};
  std::string text(context);
  if (!message().empty()) {
    text += ": ";
    text += message();
  }
  return {code(), std::move(text)};
}

}  // namespace loci
