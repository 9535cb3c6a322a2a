/* SPDX-License-Identifier: MIT */
/* json-c for a process that may have no memory: an object that could not be made is missed, once,
 * at the end, and nothing is put into it, where json-c would abort. */
#ifndef EST_CMD_JSONC_H
#define EST_CMD_JSONC_H

#include <stdbool.h>
#include <stdint.h>

#include <json-c/json.h>

/* Whether any was missed: what is printed would not be the truth. */
bool jsonc_lost(void);
struct json_object *jsonc_made(struct json_object *o); /* o */
void jsonc_add(struct json_object *o, const char *name, struct json_object *value);
void jsonc_append(struct json_object *array, struct json_object *value);
/* A member made and added; NULL is null. */
void jsonc_string(struct json_object *o, const char *name, const char *value);
void jsonc_bool(struct json_object *o, const char *name, bool value);
void jsonc_number(struct json_object *o, const char *name, int64_t value);

#define json_object_new_object()         jsonc_made(json_object_new_object())
#define json_object_new_array()          jsonc_made(json_object_new_array())
#define json_object_new_string(s)        jsonc_made(json_object_new_string(s))
#define json_object_new_string_len(s, n) jsonc_made(json_object_new_string_len(s, n))
#define json_object_new_boolean(b)       jsonc_made(json_object_new_boolean(b))
#define json_object_new_int(n)           jsonc_made(json_object_new_int(n))
#define json_object_new_int64(n)         jsonc_made(json_object_new_int64(n))
#define json_object_object_add(o, n, v)  jsonc_add(o, n, v)
#define json_object_array_add(a, v)      jsonc_append(a, v)

#endif
