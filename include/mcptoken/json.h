/* A small JSON document reader and writer: strict (no duplicate keys, valid UTF-8, bounded depth), numbers keep their text. */
#ifndef MCPTOKEN_JSON_H
#define MCPTOKEN_JSON_H

#include "bytes.h"
#include "error.h"

MCPTOKEN_BEGIN

/* Thread-safety: immutable. Owns all values reached from its root. */
typedef struct mcptoken_json mcptoken_json;
/* Thread-safety: immutable. Borrowed from its document. Every function below accepts NULL as "absent". */
typedef struct mcptoken_json_value mcptoken_json_value;

#define MCPTOKEN_JSON_ABSENT (-1)
#define MCPTOKEN_JSON_NULL 0
#define MCPTOKEN_JSON_BOOLEAN 1
#define MCPTOKEN_JSON_NUMBER 2
#define MCPTOKEN_JSON_STRING 3
#define MCPTOKEN_JSON_ARRAY 4
#define MCPTOKEN_JSON_OBJECT 5

/* Parses one document. INVALID (message with the byte offset), TOO_LARGE. Since: 0.1 */
MCPTOKEN_API mcptoken_status mcptoken_json_parse(const char *text, size_t size, mcptoken_json **json_out, mcptoken_error **error_out);
/* The document's value; NULL for NULL. Since: 0.1 */
MCPTOKEN_API const mcptoken_json_value *mcptoken_json_root(const mcptoken_json *json);
/* And with it all of its values. Since: 0.1 */
MCPTOKEN_API void mcptoken_json_free(mcptoken_json *json);

/* One of MCPTOKEN_JSON_*. Since: 0.1 */
MCPTOKEN_API int32_t mcptoken_json_type(const mcptoken_json_value *value);
/* Number of items or members; 0 for other types. Since: 0.1 */
MCPTOKEN_API size_t mcptoken_json_size(const mcptoken_json_value *value);
/* Item or member value by position, in document order; NULL beyond the end. Since: 0.1 */
MCPTOKEN_API const mcptoken_json_value *mcptoken_json_at(const mcptoken_json_value *value, size_t index);
/* Member name by position; "" beyond the end. Borrowed. Since: 0.1 */
MCPTOKEN_API const char *mcptoken_json_key(const mcptoken_json_value *value, size_t index);
/* Member by name; NULL when absent or not an object. Since: 0.1 */
MCPTOKEN_API const mcptoken_json_value *mcptoken_json_get(const mcptoken_json_value *value, const char *key);
/* Content of a string, or the digits of a number; "" for other types. NUL-terminated; `size_out` (may be NULL) gets the
 * length, since a string may hold NUL. Borrowed. Since: 0.1 */
MCPTOKEN_API const char *mcptoken_json_text(const mcptoken_json_value *value, size_t *size_out);
/* 1 or 0 for a boolean, `fallback` otherwise. Since: 0.1 */
MCPTOKEN_API int32_t mcptoken_json_boolean(const mcptoken_json_value *value, int32_t fallback);
/* An integral number that fits, `fallback` otherwise. Since: 0.1 */
MCPTOKEN_API int64_t mcptoken_json_integer(const mcptoken_json_value *value, int64_t fallback);
/* The value as JSON text; indent 0: compact, at most 16. INVALID for another. Since: 0.1 */
MCPTOKEN_API mcptoken_status mcptoken_json_print(const mcptoken_json_value *value, int32_t indent, mcptoken_bytes **text_out,
                                                 mcptoken_error **error_out);

/* Builds one document front to back. Misplaced calls (a value where a key is due) make finish fail with MISUSE.
 * What is not UTF-8 becomes U+FFFD. Thread-safety: one thread at a time. */
typedef struct mcptoken_json_writer mcptoken_json_writer;
/* Since: 0.1 */
MCPTOKEN_API mcptoken_status mcptoken_json_writer_new(mcptoken_json_writer **writer_out, mcptoken_error **error_out);
/* Since: 0.1 */
MCPTOKEN_API void mcptoken_json_writer_begin_object(mcptoken_json_writer *writer);
/* Since: 0.1 */
MCPTOKEN_API void mcptoken_json_writer_end_object(mcptoken_json_writer *writer);
/* Since: 0.1 */
MCPTOKEN_API void mcptoken_json_writer_begin_array(mcptoken_json_writer *writer);
/* Since: 0.1 */
MCPTOKEN_API void mcptoken_json_writer_end_array(mcptoken_json_writer *writer);
/* Since: 0.1 */
MCPTOKEN_API void mcptoken_json_writer_key(mcptoken_json_writer *writer, const char *key);
/* Since: 0.1 */
MCPTOKEN_API void mcptoken_json_writer_string(mcptoken_json_writer *writer, const char *text, size_t size);
/* Since: 0.1 */
MCPTOKEN_API void mcptoken_json_writer_integer(mcptoken_json_writer *writer, int64_t value);
/* Since: 0.1 */
MCPTOKEN_API void mcptoken_json_writer_boolean(mcptoken_json_writer *writer, int32_t value);
/* Since: 0.1 */
MCPTOKEN_API void mcptoken_json_writer_null(mcptoken_json_writer *writer);
/* A complete JSON value as text; it is checked. Since: 0.1 */
MCPTOKEN_API void mcptoken_json_writer_raw(mcptoken_json_writer *writer, const char *json, size_t size);
/* A value of another document. Since: 0.1 */
MCPTOKEN_API void mcptoken_json_writer_value(mcptoken_json_writer *writer, const mcptoken_json_value *value);
/* The finished text. MISUSE when calls were out of place, INVALID when raw text was not JSON. Since: 0.1 */
MCPTOKEN_API mcptoken_status mcptoken_json_writer_finish(mcptoken_json_writer *writer, mcptoken_bytes **text_out,
                                                         mcptoken_error **error_out);
/* Since: 0.1 */
MCPTOKEN_API void mcptoken_json_writer_free(mcptoken_json_writer *writer);

MCPTOKEN_END
#endif
