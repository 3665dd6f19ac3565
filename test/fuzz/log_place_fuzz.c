// Lists of places: whatever is in them is refused with a reason, or gone on from: files are
// followed, kept and gone on from again.
#include <stdint.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/str.h"
#include "logs/follow_parts.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    struct lp_str text = {0}, unseen = {0};
    struct lp_log_follow_kept kept;
    struct lp_err err = {0};
    const char *line;
    size_t source, line_bytes;
    // With the checksum that belongs to it, or nothing behind the checksum would ever be reached.
    char sum[LP_SHA256_TEXT];
    lp_sha256_text(bytes, count, sum);
    lp_str_add_n(&text, (const char *)bytes, count);
    lp_str_add_n(&text, sum, LP_SHA256_TEXT - 1);
    struct lp_log_follow *follow =
        lp_log_follow_open(&(struct lp_log_follow_config){.from_end = true, .is_polling = true});
    lp_assert(lp_log_follow_add(follow, "/nowhere/a.log", NULL) == LP_OK);
    lp_assert(lp_log_follow_add_kin(follow, "/sys/kernel/debug/nothing", NULL) == LP_OK);
    int code = lp_log_follow_resume_text(follow, &text, &kept, &unseen, &err);
    lp_assert(code == LP_OK || (code == LP_ECORRUPT && err.code == LP_ECORRUPT && err.text[0]));
    lp_log_follow_look(follow);
    lp_assert(!lp_log_follow_next(follow, &source, &line, &line_bytes));
    lp_log_follow_close(follow);
    lp_str_release(&text);
    lp_str_release(&unseen);
    return 0;
}
