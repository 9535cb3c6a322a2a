/* SPDX-License-Identifier: MIT */
/* json-c without its aborts. */
#include "jsonc.h"

#undef json_object_object_add
#undef json_object_array_add

static bool lost; /* of the process: what has no memory once cannot be trusted to have told */

bool jsonc_lost(void)
{
	return lost;
}

struct json_object *jsonc_made(struct json_object *o)
{
	lost |= !o;
	return o;
}

/* What finds no place is not released: the caller may go on filling it. */
void jsonc_add(struct json_object *o, const char *name, struct json_object *value)
{
	lost |= !o || json_object_object_add(o, name, value) != 0;
}

void jsonc_append(struct json_object *array, struct json_object *value)
{
	lost |= !array || json_object_array_add(array, value) != 0;
}

void jsonc_string(struct json_object *o, const char *name, const char *value)
{
	jsonc_add(o, name, value ? json_object_new_string(value) : NULL);
}

void jsonc_bool(struct json_object *o, const char *name, bool value)
{
	jsonc_add(o, name, json_object_new_boolean(value));
}

void jsonc_number(struct json_object *o, const char *name, int64_t value)
{
	jsonc_add(o, name, json_object_new_int64(value));
}
