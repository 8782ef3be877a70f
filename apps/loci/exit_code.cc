// SPDX-License-Identifier: Apache-2.0
#include "exit_code.h"

namespace loci::cli {

int exit_code(StatusCode code) {
  switch (code) {
    case StatusCode::kOk:
      return kExitOk;
    case StatusCode::kInvalidArgument:
      return 3;
    case StatusCode::kNotFound:
      return 4;
    case StatusCode::kAlreadyExists:
      return 5;
    case StatusCode::kFailedPrecondition:
      return 6;
    case StatusCode::kBusy:
      return 7;
    case StatusCode::kFull:
      return 8;
    case StatusCode::kIoError:
      return 9;
    case StatusCode::kCorruption:
      return 10;
    case StatusCode::kOutOfMemory:
    case StatusCode::kUnsupported:
    case StatusCode::kCancelled:
    case StatusCode::kInternal:
      return 11;
  }
  return 11;
}

}  // namespace loci::cli
