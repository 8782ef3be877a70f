// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "loci/types.h"

namespace loci {

/// What a text is for; models with query and document prefixes tell the two apart.
enum class EmbedPurpose : uint8_t { kDocument, kQuery };

/// Turns texts into vectors. Subclass it to bring a model of your own.
///
/// Contract: the same text gives the same vector for the life of `identity()`; vectors are finite;
/// `embed` may be called from several threads at once.
class LOCI_API Embedder {
 public:
  Embedder() = default;
  Embedder(const Embedder&) = delete;
  Embedder& operator=(const Embedder&) = delete;
  virtual ~Embedder() = default;

  /// What is recorded with the column and compared before every use, such as "hash:384:v1".
  [[nodiscard]] virtual std::string identity() const = 0;
  /// Components of each vector, 1..8192.
  [[nodiscard]] virtual size_t dim() const = 0;
  /// Embeds each text. Returns [texts.size() x dim()], row-major.
  /// Errors: kInvalidArgument (a text it cannot take), kIoError (a model or service that fails).
  [[nodiscard]] virtual Result<std::vector<float>> embed(std::span<const std::string_view> texts,
                                                         EmbedPurpose purpose) const = 0;
};

/// The built-in lexical embedder `hash`: words and character n-grams hashed to signed features,
/// L2-normalised. Deterministic and offline. It matches spelling, not meaning: a query finds texts
/// that share words or parts of words with it. Identity "hash:<dim>:v1".
/// Errors: kInvalidArgument when dim is not in 16..8192.
/// Source: feature hashing, Weinberger et al. 2009 (arXiv:0902.2206), section 2.
[[nodiscard]] LOCI_API Result<std::shared_ptr<Embedder>> make_hash_embedder(size_t dim = 384);

/// The embedder a model name asks for: "hash", "hash:<dim>", or an identity such as "hash:384:v1".
/// "none" and unknown names are kInvalidArgument; the message lists what is built in.
[[nodiscard]] LOCI_API Result<std::shared_ptr<Embedder>> make_embedder(std::string_view model);

}  // namespace loci
