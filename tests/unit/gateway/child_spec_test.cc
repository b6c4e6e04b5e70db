#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "world.h"

using namespace mcptoken;
using namespace mcptoken::gateway;

TEST_CASE("child spec: a server sees its own home and nothing else of the data directory") {
  World world;
  namespace fs = std::filesystem;
  const fs::path data = world.dir.path();
  fs::create_directories(data / "keys");
  fs::create_directories(data / "servers" / "other");
  std::ofstream(data / "mcptoken.db") << "x";
  ServerSpec server;
  server.name = "mine";
  server.command = {"true"};
  auto spec = world.gateway->child_spec(server, {});
  REQUIRE(spec);
  auto hidden = [&](const fs::path& path) {
    return std::find(spec->hidden_paths.begin(), spec->hidden_paths.end(), path.string()) != spec->hidden_paths.end();
  };
  CHECK(hidden(data / "keys"));
  CHECK(hidden(data / "mcptoken.db"));
  CHECK(hidden(data / "servers" / "other"));
  CHECK_FALSE(hidden(data / "servers"));
  CHECK_FALSE(hidden(data / "servers" / "mine"));
  CHECK(spec->working_dir == (data / "servers" / "mine").string());
}

TEST_CASE("child spec: the environment is the minimum and what is declared, which wins") {
  World world;
  ServerSpec server;
  server.name = "mine";
  server.command = {"true"};
  std::vector<Credential> declared;
  declared.push_back({"LANG", crypto::Secret("de_DE.UTF-8")});
  declared.push_back({"KEY", crypto::Secret("v")});
  auto spec = world.gateway->child_spec(server, declared);
  REQUIRE(spec);
  auto count = [&](const std::string& start) {
    return std::count_if(spec->env.begin(), spec->env.end(), [&](const std::string& one) { return one.starts_with(start); });
  };
  CHECK(spec->env.size() == 4);
  CHECK(count("LANG=") == 1);
  CHECK(count("LANG=de_DE.UTF-8") == 1);
  CHECK(count("KEY=v") == 1);
}
