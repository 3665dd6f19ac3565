// Numbers and texts as the bytes of a model file, and back; what was cut or changed is refused.
#include "logs/record.h"

#include <inttypes.h>
#include <string.h>

#include "base/file.h"
#include "base/handover.h"
#include "base/hash.h"
#include "base/str.h"

enum { SUM_BYTES = LP_SHA256_TEXT - 1 };

// ---- writing

void lp_log_record_begin(const struct lp_log_record_kind *kind, struct lp_str *ret_text)
{
    lp_str_clear(ret_text);
    lp_str_add_n(ret_text, kind->magic, LP_LOG_RECORD_MAGIC_BYTES);
    lp_log_record_add(ret_text, kind->version, 4);
}

void lp_log_record_add(struct lp_str *text, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        lp_str_add_char(text, (char)(value >> (8 * i) & 0xff));
}

void lp_log_record_add_text(struct lp_str *text, const char *bytes, int size_bytes)
{
    size_t count = strlen(bytes);
    lp_log_record_add(text, count, size_bytes);
    lp_str_add_n(text, bytes, count);
}

void lp_log_record_seal(struct lp_str *text)
{
    char sum[LP_SHA256_TEXT];
    lp_sha256_text(text->text, text->bytes, sum);
    lp_str_add_n(text, sum, SUM_BYTES);
}

int lp_log_record_save(const struct lp_str *text, const char *path, struct lp_err *err)
{
    if (lp_handover_write(path, text->text, text->bytes, 0644, err) < 0)
        return lp_err_wrap(err, "save the model");
    return LP_OK;
}

// ---- reading

// A model of Limpet of another kind is named.
static int foreign_tell(const struct lp_log_record *record, const struct lp_log_record_kind *kind)
{
    static const struct lp_log_record_kind others[] = {
        {.magic = "limpetLM", .noun = "log model (limpet log train)"},
        {.magic = "limpetSM", .noun = "model of sessions (limpet log sessions train)"},
        {.magic = "limpetLP", .noun = "list of places (limpet log watch)"},
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (record->count >= LP_LOG_RECORD_MAGIC_BYTES &&
            memcmp(record->bytes, others[i].magic, LP_LOG_RECORD_MAGIC_BYTES) == 0)
            return lp_err_set(record->err, LP_ECORRUPT, "this is a %s, not a %s", others[i].noun,
                              kind->noun);
    return lp_err_set(record->err, LP_ECORRUPT, "this is not a %s of Limpet", kind->noun);
}

int lp_log_record_open(struct lp_log_record *record, const struct lp_log_record_kind *kind)
{
    if (record->count < LP_LOG_RECORD_MAGIC_BYTES ||
        memcmp(record->bytes, kind->magic, LP_LOG_RECORD_MAGIC_BYTES) != 0)
        return foreign_tell(record, kind);
    record->at = LP_LOG_RECORD_MAGIC_BYTES;
    uint64_t version = lp_log_record_number(record, 4);
    if (!record->is_short && version != kind->version)
        return lp_err_set(record->err, LP_ECORRUPT,
                          "this %s is of version %" PRIu64 ", Limpet reads version %" PRIu32,
                          kind->noun, version, kind->version);
    if (record->is_short || record->count - record->at < SUM_BYTES)
        return lp_log_record_corrupt(record, "it ends too early");
    record->count -= SUM_BYTES;
    char sum[LP_SHA256_TEXT];
    lp_sha256_text(record->bytes, record->count, sum);
    if (memcmp(sum, record->bytes + record->count, SUM_BYTES) != 0)
        return lp_err_set(record->err, LP_ECORRUPT,
                          "the model's checksum does not fit its contents: it was cut or changed");
    return LP_OK;
}

uint64_t lp_log_record_number(struct lp_log_record *record, size_t bytes)
{
    if (record->is_short || record->count - record->at < bytes) {
        record->is_short = true;
        return 0;
    }
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++)
        value |= (uint64_t)(unsigned char)record->bytes[record->at++] << (8 * i);
    return value;
}

bool lp_log_record_text(struct lp_log_record *record, size_t size_bytes, size_t max,
                        struct lp_str *ret_text)
{
    size_t bytes = (size_t)lp_log_record_number(record, size_bytes);
    if (record->is_short || bytes > max || bytes > record->count - record->at ||
        memchr(record->bytes + record->at, 0, bytes))
        return false;
    lp_str_clear(ret_text);
    lp_str_add_n(ret_text, record->bytes + record->at, bytes);
    record->at += bytes;
    return true;
}

int lp_log_record_corrupt(const struct lp_log_record *record, const char *what)
{
    return lp_err_set(record->err, LP_ECORRUPT, "the model is damaged at byte %zu: %s", record->at,
                      what);
}

int lp_log_record_load(const char *path, size_t max_bytes, struct lp_str *ret_text,
                       struct lp_err *err)
{
    int code = lp_file_read(path, max_bytes, ret_text, err);
    return code < 0 ? lp_err_wrap(err, "read the model") : LP_OK;
}
