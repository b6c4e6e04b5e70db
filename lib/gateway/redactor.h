// What is known to be secret of one server, or of several, kept out of texts that people read.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "crypto/secret.h"
#include "gateway/control_plane.h"

namespace mcptoken::gateway {

// Replaces what is known to be secret: whole values, and long words in them, so that a value of several lines and the
// token behind "Bearer" are found, too. A value that was encoded in some way is not known here.
class Redactor {
 public:
  void learn(const std::vector<Credential>& credentials);  // in place of those it knew
  std::string apply(std::string text) const;
  Error apply(Error error) const;  // what it says, and its data
  // Of a text that goes on: what is certain by now. The rest stays in `text`, for a value may go on in what follows.
  std::string take(std::string& text, bool at_end) const;

 private:
  std::vector<crypto::Secret> values_;  // longest first: one may be part of another
};

}  // namespace mcptoken::gateway
