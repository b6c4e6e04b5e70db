// Removing something together with everything that goes with it. The whole set is known before the first row is
// deleted: who stands in the way can be listed, and what goes can be told to the snapshots. The foreign keys of the
// tables say the same once more, so that a mistake here is an error and no half removal.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/tx.h"

namespace mcptoken::store {

class Removal {
 public:
  // remove_tokens: usable tokens of a removed owner go, too, instead of standing in the way.
  Removal(Tx& tx, bool remove_tokens, MayName may_name = {})
      : tx_(tx), remove_tokens_(remove_tokens), may_name_(std::move(may_name)) {}

  void add_object(std::string id);
  void add_token(std::string id);
  // conflict: "<what> is in use: …", with those named that may be. Nothing is deleted then.
  Result<void> run(std::string_view what);

 private:
  Result<void> collect_object(const std::string& id);
  Result<void> collect_owned_tokens(const std::string& owner_id);
  Result<void> collect_token(const std::string& id);
  Result<void> check(std::string_view what);
  Result<std::string> scope_of(const std::string& project_id, const std::string& name);
  Result<void> remove_rows();
  Result<void> note_sessions(const std::string& user_id);

  struct Holder {
    std::string token_id, scope, text;
  };
  Tx& tx_;
  const bool remove_tokens_;
  const MayName may_name_;
  std::set<std::string> objects_, tokens_;
  std::vector<std::string> new_objects_, new_tokens_;  // not looked into yet
  std::vector<Holder> holders_;                        // usable tokens that keep their owner
};

}  // namespace mcptoken::store
