// Plain structs as JSON objects, driven by a table of their fields: fixed key order, exact ranges,
// unknown keys refused. Used by the codecs of events and actions.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct json_t;
struct lp_arena;
struct lp_str;

enum lp_field_type {
    LP_FIELD_ID,      // uint32_t; left out when LP_NONE
    LP_FIELD_U8,      // uint8_t
    LP_FIELD_U16,     // uint16_t
    LP_FIELD_U32,     // uint32_t
    LP_FIELD_U64,     // uint64_t; beyond 2^53 (what a JSON number holds everywhere) 16 hex digits
    LP_FIELD_I32,     // int32_t
    LP_FIELD_I64,     // int64_t
    LP_FIELD_BOOL,    // bool
    LP_FIELD_TEXT,    // const char *; left out when NULL
    LP_FIELD_WORD,    // uint8_t, an index in words[0..max]
    LP_FIELD_WORD32,  // the same in a uint32_t
    LP_FIELD_DEPENDS, // struct lp_want_depend[LP_DEPENDS_MAX]; its uint8_t count at count_offset
    LP_FIELD_IDS,     // uint32_t[LP_OBSERVES_MAX]; its uint8_t count at count_offset
    LP_FIELD_OBJECT,  // a struct inside, of fields[0..field_count)
};

struct lp_field {
    const char *key;
    enum lp_field_type type;
    size_t offset, count_offset;
    uint64_t max; // largest value; 0: what the type holds
    const char *const *words;
    const struct lp_field *fields;
    size_t field_count;
};

struct lp_fields {
    const struct lp_field *items;
    size_t count;
    uint64_t mask; // bit i: the object has items[i]
};

// Append `,"key":value` for each field of the mask, in the order of the table.
void lp_fields_print(const struct lp_fields *fields, const void *row, struct lp_str *ret_text);
// Write the members of a JSON object into row, which holds the defaults for what is absent.
// own_key: a key that the caller has read itself, or NULL. Texts are copied to arena (NULL when
// the table has no texts). Fails with LP_EINPUT; row may then be half written.
LP_MUST_CHECK int lp_fields_parse(const struct lp_fields *fields, struct json_t *object,
                                  const char *own_key, struct lp_arena *arena, void *ret_row,
                                  struct lp_err *err);
// The index of a word in words[0..count), or an error that names the nearest right one.
LP_MUST_CHECK int lp_word_find(const char *what, const char *word, const char *const *words,
                               size_t count, struct lp_err *err);
