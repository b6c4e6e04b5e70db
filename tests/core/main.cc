// What a host that only judges tokens needs: no network, no loop, no database.
#include <mcptoken/mcptoken.hpp>

#include <cstdio>

#ifndef MCPTOKEN_CORE_ONLY
#error "the dependency does not say that the library is the core alone"
#endif

int main() {
  const auto raw = mcptoken::token::generate();
  const bool good = mcptoken::token::classify(raw.view()) == mcptoken::token::Kind::pat &&
                    mcptoken::token::sha(raw.view()).size() == 64 &&
                    mcptoken::rbac::parse_binding("action:logs") == R"({"role":"run","action":"logs"})" &&
                    mcptoken::json::Document("[1]").root().at(0).integer() == 1;
  std::puts(good ? "ok" : "wrong");
  return good ? 0 : 1;
}
