// Numbers and texts as the bytes of a model file: an envelope of magic, version and checksum around
// what the file says. model_file.c and session_file.c say what that is.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct lp_str;

enum { LP_LOG_RECORD_MAGIC_BYTES = 8 };
struct lp_log_record_kind {
    const char *magic; // LP_LOG_RECORD_MAGIC_BYTES long
    const char *noun;  // for messages: "log model"
    uint32_t version;
};

// ---- writing

// Empty the text and begin it: magic, u32 version.
void lp_log_record_begin(const struct lp_log_record_kind *kind, struct lp_str *ret_text);
// The lowest `bytes` bytes (at most 8) of value, little endian.
void lp_log_record_add(struct lp_str *text, uint64_t value, int bytes);
// A number of size_bytes bytes: the length of the text; then the text.
void lp_log_record_add_text(struct lp_str *text, const char *bytes, int size_bytes);
// SHA-256 of all that, as hexadecimal digits: nothing follows.
void lp_log_record_seal(struct lp_str *text);
LP_MUST_CHECK int lp_log_record_save(const struct lp_str *text, const char *path,
                                     struct lp_err *err);

// ---- reading

struct lp_log_record { // bytes, count and err are the caller's; lent
    const char *bytes;
    size_t count, at;
    bool is_short; // more was asked for than there is
    struct lp_err *err;
};
// Check the envelope; what is read from now on lies within it. LP_ECORRUPT: a foreign file, another
// version, or a checksum that does not fit.
LP_MUST_CHECK int lp_log_record_open(struct lp_log_record *record,
                                     const struct lp_log_record_kind *kind);
// Past the end: 0, and is_short is set. bytes: at most 8.
uint64_t lp_log_record_number(struct lp_log_record *record, size_t bytes);
// A text without NUL of at most max bytes. False: there is none, and nothing is written.
bool lp_log_record_text(struct lp_log_record *record, size_t size_bytes, size_t max,
                        struct lp_str *ret_text);
// LP_ECORRUPT: damaged at this byte, and what is wrong.
int lp_log_record_corrupt(const struct lp_log_record *record, const char *what);
// All bytes of the file at path. LP_EINPUT and others of lp_file_read.
LP_MUST_CHECK int lp_log_record_load(const char *path, size_t max_bytes, struct lp_str *ret_text,
                                     struct lp_err *err);
