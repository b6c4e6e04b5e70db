#include "mcp/unreadable.h"

#include <string>

#include <doctest/doctest.h>

using mcptoken::mcp::answered_by;

TEST_CASE("unreadable: whose answer it would have been") {
  for (const char* text : {
           R"({"jsonrpc":"2.0","id":5,"result":{"x":NaN}})", R"({"jsonrpc":"2.0","result":{"id":7,"deep":[{"method":1}]},"id": 5 })", "{\"id\":5,\"result\":\"\xff\"}",
           R"({"id":5,"error":null,"result":{}})", R"({"id":5,"error":"text"})", "\xef\xbb\xbf{\"id\":5,\"result\":{}}",
           R"({"id":5,"result":"a \" quote, \"method\": \\"})", R"({"error":{"code":1},"id":5)", R"({"id":5,"result":{"a":)",
       }) {
    CHECK_MESSAGE(answered_by(text) == 5, text);
  }
  for (const char* text : {
           "", "started on port 5", R"({"id":5})", R"({"id":5,"method":"x","result":{}})", R"({"method":"x"})", R"({"result":{"id":5}})",
           R"({"id":null,"result":{}})", R"({"id":5.0,"result":{}})", R"({"id":"5","result":{}})", R"({"id":[5],"result":{}})",
           R"([{"id":5,"result":{}}])", R"({"id":99999999999999999999,"result":{}})", R"({"id":5x,"result":{}})",
       }) {
    CHECK_MESSAGE(!answered_by(text), text);
  }
}
