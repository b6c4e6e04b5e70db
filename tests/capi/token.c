/* Raw tokens and lifetimes. */
#include "check.h"

static void generates(void) {
  mcptoken_bytes *one = NULL, *two = NULL, *sha = NULL;
  int32_t kind = -1;
  CHECK_OK(mcptoken_token_generate(&one, &error));
  CHECK_OK(mcptoken_token_generate(&two, &error));
  const char* raw = mcptoken_bytes_data(one);
  const size_t size = mcptoken_bytes_size(one);
  CHECK_NUMBER(54, size);
  CHECK_NUMBER(54, strlen(raw));
  CHECK(strcmp(raw, mcptoken_bytes_data(two)) != 0);
  CHECK_OK(mcptoken_token_classify(raw, size, &kind, &error));
  CHECK_NUMBER(MCPTOKEN_TOKEN_PAT, kind);
  CHECK_OK(mcptoken_token_sha(raw, size, &sha, &error));
  CHECK_NUMBER(64, mcptoken_bytes_size(sha));
  CHECK_NUMBER(64, strspn(mcptoken_bytes_data(sha), "0123456789abcdef"));
  mcptoken_bytes_free(sha);

  /* Every cut, and a foreign character anywhere, is refused. */
  for (size_t cut = 0; cut < size; ++cut)
    CHECK_FAILS(MCPTOKEN_INVALID, "token", mcptoken_token_classify(raw, cut, &kind, &error));
  char copy[56];
  for (size_t at = 0; at < size; ++at) {
    memcpy(copy, raw, size);
    copy[at] = '!';
    CHECK_NUMBER(MCPTOKEN_INVALID, mcptoken_token_classify(copy, size, &kind, NULL));
    CHECK_NUMBER(0, kind);
  }
  memcpy(copy, raw, size);
  copy[size] = '\n';
  CHECK_FAILS(MCPTOKEN_INVALID, "token", mcptoken_token_classify(copy, size + 1, &kind, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "token", mcptoken_token_sha(copy, size + 1, &sha, &error));
  CHECK(sha == NULL);

  CHECK_NUMBER(1, mcptoken_token_equal(raw, size, copy, size));
  CHECK_NUMBER(0, mcptoken_token_equal(raw, size, copy, size + 1));
  CHECK_NUMBER(0, mcptoken_token_equal(raw, size, mcptoken_bytes_data(two), mcptoken_bytes_size(two)));
  CHECK_NUMBER(0, mcptoken_token_equal(raw, size, NULL, 0));
  CHECK_NUMBER(1, mcptoken_token_equal(NULL, 0, "", 0));
  mcptoken_bytes_free(one);
  mcptoken_bytes_free(two);
}

static void nulls(void) {
  mcptoken_bytes* bytes = NULL;
  int32_t kind = 9;
  CHECK_FAILS(MCPTOKEN_INVALID, "raw_out", mcptoken_token_generate(NULL, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "kind_out", mcptoken_token_classify("x", 1, NULL, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "token", mcptoken_token_classify(NULL, 54, &kind, &error));
  CHECK_NUMBER(0, kind);
  CHECK_FAILS(MCPTOKEN_INVALID, "hex_out", mcptoken_token_sha("x", 1, NULL, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "token", mcptoken_token_sha(NULL, 0, &bytes, &error));
  CHECK_FAILS(MCPTOKEN_NO_MEMORY, "", mcptoken_token_sha("x", SIZE_MAX, &bytes, &error));
  CHECK_NUMBER(0, mcptoken_token_equal("x", SIZE_MAX, "x", SIZE_MAX));
}

static void lifetimes(void) {
  static const int64_t now = 1000000000000;
  static const struct {
    const char* text;
    int64_t expected;
  } good[] = {{"45m", 1000000000000 + 45 * 60000LL},
              {"12h", 1000000000000 + 12 * 3600000LL},
              {"30d", 1000000000000 + 30 * 86400000LL},
              {"2w", 1000000000000 + 14 * 86400000LL},
              {"never", INT64_MAX},
              {"2100-01-01T00:00:00Z", 4102444800000},
              {"2100-01-01T01:00:00+01:00", 4102444800000}};
  static const char* const bad[] = {
      "", "30", "d", "-1d", "0d", "1.5h", "30D ", "99999999999999d", "2100-01-01T00:00:00", "2100-13-01T00:00:00Z"};
  int64_t expires = 0;
  for (size_t i = 0; i < sizeof good / sizeof *good; ++i) {
    CHECK_OK(mcptoken_token_parse_ttl(good[i].text, now, &expires, &error));
    CHECK_NUMBER(good[i].expected, expires);
  }
  for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i) {
    CHECK_FAILS(MCPTOKEN_INVALID, "", mcptoken_token_parse_ttl(bad[i], now, &expires, &error));
    CHECK_NUMBER(0, expires);
  }
  CHECK_FAILS(MCPTOKEN_INVALID, "", mcptoken_token_parse_ttl(NULL, now, &expires, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "expires_ms_out", mcptoken_token_parse_ttl("1d", now, NULL, &error));
}

int main(void) {
  generates();
  nulls();
  lifetimes();
  return check_end();
}
