/* The JSON reader and writer. */
#include "check.h"

static mcptoken_json* parsed(const char* text) {
  mcptoken_json* json = NULL;
  CHECK_OK(mcptoken_json_parse(text, strlen(text), &json, &error));
  return json;
}

static void reads_every_type(void) {
  mcptoken_json* json =
      parsed("{\"n\":null,\"b\":true,\"i\":-7,\"f\":1.50,\"s\":\"a\\u0000b\",\"a\":[1,[2]],\"o\":{}}");
  const mcptoken_json_value* root = mcptoken_json_root(json);
  static const struct {
    const char* key;
    int32_t type;
  } members[] = {{"n", MCPTOKEN_JSON_NULL},   {"b", MCPTOKEN_JSON_BOOLEAN}, {"i", MCPTOKEN_JSON_NUMBER},
                 {"f", MCPTOKEN_JSON_NUMBER}, {"s", MCPTOKEN_JSON_STRING},  {"a", MCPTOKEN_JSON_ARRAY},
                 {"o", MCPTOKEN_JSON_OBJECT}};
  CHECK_NUMBER(MCPTOKEN_JSON_OBJECT, mcptoken_json_type(root));
  CHECK_NUMBER(7, mcptoken_json_size(root));
  for (size_t i = 0; i < 7; ++i) {
    CHECK_TEXT(members[i].key, mcptoken_json_key(root, i));
    CHECK_NUMBER(members[i].type, mcptoken_json_type(mcptoken_json_at(root, i)));
    CHECK(mcptoken_json_get(root, members[i].key) == mcptoken_json_at(root, i));
  }
  CHECK(mcptoken_json_at(root, 7) == NULL);
  CHECK_TEXT("", mcptoken_json_key(root, 7));
  CHECK(mcptoken_json_get(root, "absent") == NULL);

  size_t size = 99;
  CHECK_NUMBER(1, mcptoken_json_boolean(mcptoken_json_get(root, "b"), 0));
  CHECK_NUMBER(5, mcptoken_json_boolean(mcptoken_json_get(root, "n"), 5));
  CHECK_NUMBER(-7, mcptoken_json_integer(mcptoken_json_get(root, "i"), 0));
  CHECK_NUMBER(42, mcptoken_json_integer(mcptoken_json_get(root, "f"), 42));
  CHECK_NUMBER(42, mcptoken_json_integer(mcptoken_json_get(root, "s"), 42));
  CHECK_TEXT("1.50", mcptoken_json_text(mcptoken_json_get(root, "f"), NULL));
  CHECK(memcmp("a\0b", mcptoken_json_text(mcptoken_json_get(root, "s"), &size), 4) == 0);
  CHECK_NUMBER(3, size);
  CHECK_TEXT("", mcptoken_json_text(mcptoken_json_get(root, "o"), &size));
  CHECK_NUMBER(0, size);
  CHECK_NUMBER(2, mcptoken_json_integer(mcptoken_json_at(mcptoken_json_at(mcptoken_json_get(root, "a"), 1), 0), 0));
  mcptoken_json_free(json);
}

static void prints(void) {
  mcptoken_json* json = parsed(" { \"b\" : [ 1.0 , \"x\" ] , \"a\" : {} } ");
  const mcptoken_json_value* root = mcptoken_json_root(json);
  mcptoken_bytes* text = NULL;
  CHECK_OK(mcptoken_json_print(root, 0, &text, &error));
  CHECK_BYTES("{\"b\":[1.0,\"x\"],\"a\":{}}", text);
  CHECK_OK(mcptoken_json_print(root, 2, &text, &error));
  CHECK(strstr(mcptoken_bytes_data(text), "\n  \"b\": ") != NULL);
  mcptoken_bytes_free(text);
  CHECK_FAILS(MCPTOKEN_INVALID, "indent", mcptoken_json_print(root, 17, &text, &error));
  CHECK(text == NULL); /* an out is cleared before anything else */
  CHECK_FAILS(MCPTOKEN_INVALID, "indent", mcptoken_json_print(root, -1, &text, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "value", mcptoken_json_print(NULL, 0, &text, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "text_out", mcptoken_json_print(root, 0, NULL, &error));
  mcptoken_json_free(json);
}

static void is_strict(void) {
  static const char* const bad[] = {
      "",    "{", "{\"a\":1,\"a\":2}", "[1,]", "01",     "\"\\x\"", "\"\xff\"", "nul", "1 2",
      "'a'", "[", "\"\\ud800\"",       "NaN",  "// c\n1"};
  mcptoken_json* json = (mcptoken_json*)&json;
  for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i) {
    CHECK_FAILS(MCPTOKEN_INVALID, "", mcptoken_json_parse(bad[i], strlen(bad[i]), &json, &error));
    CHECK(json == NULL);
  }
  char deep[4096];
  memset(deep, '[', sizeof deep);
  mcptoken_status status = mcptoken_json_parse(deep, sizeof deep, &json, NULL);
  CHECK(status == MCPTOKEN_INVALID || status == MCPTOKEN_TOO_LARGE);
  CHECK_FAILS(MCPTOKEN_INVALID, "json_out", mcptoken_json_parse("1", 1, NULL, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "", mcptoken_json_parse(NULL, 5, &json, &error));
}

static void absent_is_harmless(void) {
  size_t size = 9;
  CHECK(mcptoken_json_root(NULL) == NULL);
  CHECK_NUMBER(MCPTOKEN_JSON_ABSENT, mcptoken_json_type(NULL));
  CHECK_NUMBER(0, mcptoken_json_size(NULL));
  CHECK(mcptoken_json_at(NULL, 0) == NULL && mcptoken_json_get(NULL, "a") == NULL);
  CHECK_TEXT("", mcptoken_json_key(NULL, 0));
  CHECK_TEXT("", mcptoken_json_text(NULL, &size));
  CHECK_NUMBER(0, size);
  CHECK_NUMBER(3, mcptoken_json_boolean(NULL, 3));
  CHECK_NUMBER(4, mcptoken_json_integer(NULL, 4));
  mcptoken_json* json = parsed("{\"a\":1}");
  CHECK(mcptoken_json_get(mcptoken_json_root(json), NULL) == NULL);
  mcptoken_json_free(json);
  mcptoken_json_free(NULL);
}

static mcptoken_json_writer* new_writer(void) {
  mcptoken_json_writer* writer = NULL;
  CHECK_OK(mcptoken_json_writer_new(&writer, &error));
  return writer;
}

static void writes(void) {
  mcptoken_json* other = parsed("{\"k\":[true]}");
  mcptoken_json_writer* w = new_writer();
  mcptoken_bytes* text = NULL;
  mcptoken_json_writer_begin_object(w);
  mcptoken_json_writer_key(w, "s\"");
  mcptoken_json_writer_string(w, "a\0\n", 3);
  mcptoken_json_writer_key(w, "list");
  mcptoken_json_writer_begin_array(w);
  mcptoken_json_writer_integer(w, INT64_MIN);
  mcptoken_json_writer_boolean(w, 7);
  mcptoken_json_writer_null(w);
  mcptoken_json_writer_raw(w, "{\"r\":1.0}", 9);
  mcptoken_json_writer_value(w, mcptoken_json_root(other));
  mcptoken_json_writer_end_array(w);
  CHECK_FAILS(MCPTOKEN_MISUSE, "not complete", mcptoken_json_writer_finish(w, &text, &error));
  mcptoken_json_writer_end_object(w);
  CHECK_OK(mcptoken_json_writer_finish(w, &text, &error));
  CHECK_BYTES("{\"s\\\"\":\"a\\u0000\\n\",\"list\":[-9223372036854775808,true,null,{\"r\":1.0},{\"k\":[true]}]}", text);
  mcptoken_json_writer_free(w);
  mcptoken_json_free(other);
}

static void value_for_key(mcptoken_json_writer* w) {
  mcptoken_json_writer_begin_object(w);
  mcptoken_json_writer_null(w);
}
static void two_keys(mcptoken_json_writer* w) {
  mcptoken_json_writer_begin_object(w);
  mcptoken_json_writer_key(w, "a");
  mcptoken_json_writer_key(w, "b");
}
static void key_in_array(mcptoken_json_writer* w) {
  mcptoken_json_writer_begin_array(w);
  mcptoken_json_writer_key(w, "a");
}
static void key_alone(mcptoken_json_writer* w) {
  mcptoken_json_writer_begin_object(w);
  mcptoken_json_writer_key(w, "a");
  mcptoken_json_writer_end_object(w);
}
static void null_key(mcptoken_json_writer* w) {
  mcptoken_json_writer_begin_object(w);
  mcptoken_json_writer_key(w, NULL);
}
static void crossed(mcptoken_json_writer* w) {
  mcptoken_json_writer_begin_array(w);
  mcptoken_json_writer_end_object(w);
}
static void too_many_ends(mcptoken_json_writer* w) { mcptoken_json_writer_end_array(w); }
static void two_documents(mcptoken_json_writer* w) {
  mcptoken_json_writer_null(w);
  mcptoken_json_writer_null(w);
}
static void nothing(mcptoken_json_writer* w) { (void)w; }
static void bad_raw(mcptoken_json_writer* w) { mcptoken_json_writer_raw(w, "{]", 2); }
static void no_value(mcptoken_json_writer* w) { mcptoken_json_writer_value(w, NULL); }

static void misuse_poisons(void) {
  static const struct {
    void (*calls)(mcptoken_json_writer*);
    mcptoken_status status;
    const char* words; /* which tell what was noticed, rather than that the document is not complete, either */
  } rows[] = {{value_for_key, MCPTOKEN_MISUSE, "a JSON value where"},
              {two_keys, MCPTOKEN_MISUSE, "a JSON key where"},
              {key_in_array, MCPTOKEN_MISUSE, "a JSON key where"},
              {key_alone, MCPTOKEN_MISUSE, "bracket"},
              {null_key, MCPTOKEN_MISUSE, "a JSON key where"},
              {crossed, MCPTOKEN_MISUSE, "bracket"},
              {nothing, MCPTOKEN_MISUSE, "not complete"},
              {too_many_ends, MCPTOKEN_MISUSE, "bracket"},
              {two_documents, MCPTOKEN_MISUSE, "a JSON value where"},
              {bad_raw, MCPTOKEN_INVALID, "not JSON"},
              {no_value, MCPTOKEN_INVALID, "value is required"}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; ++i) {
    mcptoken_json_writer* w = new_writer();
    mcptoken_bytes* text = NULL;
    rows[i].calls(w);
    CHECK_FAILS(rows[i].status, rows[i].words, mcptoken_json_writer_finish(w, &text, &error));
    CHECK(text == NULL);
    mcptoken_json_writer_free(w);
  }
}

/* The first failure is the one that is told, whatever follows. */
static void first_failure_stays(void) {
  mcptoken_json_writer* w = new_writer();
  mcptoken_bytes* text = NULL;
  crossed(w);
  bad_raw(w);
  no_value(w);
  CHECK_FAILS(MCPTOKEN_MISUSE, "bracket", mcptoken_json_writer_finish(w, &text, &error));
  mcptoken_json_writer_free(w);
}

static void null_writer(void) {
  mcptoken_bytes* text = (mcptoken_bytes*)&text;
  mcptoken_json_writer* w = new_writer();
  mcptoken_json_writer_begin_object(NULL);
  mcptoken_json_writer_end_object(NULL);
  mcptoken_json_writer_begin_array(NULL);
  mcptoken_json_writer_end_array(NULL);
  mcptoken_json_writer_key(NULL, "a");
  mcptoken_json_writer_string(NULL, "a", 1);
  mcptoken_json_writer_integer(NULL, 1);
  mcptoken_json_writer_boolean(NULL, 1);
  mcptoken_json_writer_null(NULL);
  mcptoken_json_writer_raw(NULL, "1", 1);
  mcptoken_json_writer_value(NULL, NULL);
  CHECK_FAILS(MCPTOKEN_INVALID, "writer", mcptoken_json_writer_finish(NULL, &text, &error));
  CHECK(text == NULL);
  CHECK_FAILS(MCPTOKEN_INVALID, "writer_out", mcptoken_json_writer_new(NULL, &error));
  mcptoken_json_writer_string(w, NULL, 4); /* no text is the empty text */
  CHECK_FAILS(MCPTOKEN_INVALID, "text_out", mcptoken_json_writer_finish(w, NULL, &error));
  CHECK_OK(mcptoken_json_writer_finish(w, &text, &error));
  CHECK_BYTES("\"\"", text);
  mcptoken_json_writer_free(w);
  mcptoken_json_writer_free(NULL);
}

/* A size that no object has is read by nobody. */
static void sizes_of_nothing(void) {
  mcptoken_json* json = NULL;
  mcptoken_json_writer* writer = NULL;
  mcptoken_bytes* text = NULL;
  for (size_t size = SIZE_MAX; size > (size_t)PTRDIFF_MAX; size -= SIZE_MAX / 4) {
    CHECK_FAILS(MCPTOKEN_NO_MEMORY, "", mcptoken_json_parse("{}", size, &json, &error));
    CHECK(json == NULL);
    CHECK_OK(mcptoken_json_writer_new(&writer, &error));
    mcptoken_json_writer_string(writer, "x", size);
    CHECK_FAILS(MCPTOKEN_NO_MEMORY, "no_memory", mcptoken_json_writer_finish(writer, &text, &error));
    mcptoken_json_writer_free(writer);
    CHECK_OK(mcptoken_json_writer_new(&writer, &error));
    mcptoken_json_writer_raw(writer, "1", size);
    CHECK_FAILS(MCPTOKEN_NO_MEMORY, "", mcptoken_json_writer_finish(writer, &text, &error));
    mcptoken_json_writer_free(writer);
  }
}

int main(void) {
  reads_every_type();
  prints();
  is_strict();
  absent_is_harmless();
  writes();
  misuse_poisons();
  first_failure_stays();
  null_writer();
  sizes_of_nothing();
  return check_end();
}
