#include "gateway/ticket.h"

#include <doctest/doctest.h>

#include "holder.h"

using namespace mcptoken;
using namespace mcptoken::gateway;

TEST_CASE("ticket: opens for who it was given to, for what, until then") {
  Holder own("bearer", "sha", "p");
  auto ticket = seal_ticket(*own.caller, "cursor:tools/list", "content\nwith \"all\"\n", 1000);
  REQUIRE(ticket);
  auto opened = open_ticket(*own.caller, "cursor:tools/list", *ticket, 999);
  REQUIRE(opened);
  CHECK(*opened == "content\nwith \"all\"\n");
  CHECK_FALSE(open_ticket(*own.caller, "cursor:tools/list", *ticket, 1000));
  CHECK_FALSE(open_ticket(*own.caller, "cursor:prompts/list", *ticket, 0));
  CHECK_FALSE(open_ticket(*Holder("bearer2", "sha", "p").caller, "cursor:tools/list", *ticket, 0));
  CHECK_FALSE(open_ticket(*Holder("bearer", "sha2", "p").caller, "cursor:tools/list", *ticket, 0));
  CHECK_FALSE(open_ticket(*Holder("bearer", "sha", "q").caller, "cursor:tools/list", *ticket, 0));
  for (size_t i = 0; i < ticket->size(); ++i) {
    auto changed = *ticket;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    CHECK_FALSE(open_ticket(*own.caller, "cursor:tools/list", changed, 0));
  }
  for (const char* forged : {"", "A", "tools", "eyJhIjoxfQ"}) CHECK_FALSE(open_ticket(*own.caller, "cursor:tools/list", forged, 0));
  CHECK_FALSE(open_ticket(*own.caller, "cursor:tools/list", *ticket + "-TAMPERED", 0));
  CHECK(*seal_ticket(*own.caller, "u", "c", 1000) != *seal_ticket(*own.caller, "u", "c", 1000));
}
