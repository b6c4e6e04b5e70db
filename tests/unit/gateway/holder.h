// Who holds a token, as far as what is sealed for him is concerned.
#pragma once

#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <string>

#include "gateway/control_plane.h"

namespace mcptoken::gateway {

struct Holder {
  Holder(const std::string& bearer, const std::string& sha, const std::string& project_id) : secret(bearer) {
    REQUIRE(crypto::init());
    auto principal = std::make_shared<rbac::Principal>();
    principal->token_sha = sha;
    auto project = std::make_shared<ProjectView>();
    project->id = project_id;
    caller.emplace(principal, project, secret, "r", "127.0.0.1");
  }
  crypto::Secret secret;
  std::optional<Caller> caller;
};

}  // namespace mcptoken::gateway
