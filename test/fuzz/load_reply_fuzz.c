// Fuzzer of HTTP replies to a load: no bytes may crash the reader, and how they are cut into
// pieces changes nothing.
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"
#include "drivers/load/load_reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct result {
    struct lp_reply reply;
    struct lp_reply_body body;
    char kept[64];
    size_t taken;
};

static void feed(struct result *result, const char *bytes, size_t size, size_t piece, bool is_head)
{
    memset(result, 0, sizeof(*result));
    result->reply.is_head = is_head;
    result->body = (struct lp_reply_body){.bytes = result->kept, .capacity = sizeof(result->kept)};
    while (result->taken < size && !result->reply.is_done && !result->reply.is_bad) {
        size_t given = size - result->taken < piece ? size - result->taken : piece;
        size_t taken = lp_reply_feed(&result->reply, bytes + result->taken, given, &result->body);
        lp_assert(taken <= given);
        lp_assert(taken == given || result->reply.is_done || result->reply.is_bad);
        result->taken += taken;
    }
    lp_reply_end(&result->reply);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct result whole, pieces;
    if (size == 0)
        return 0;
    const char *bytes = (const char *)data + 1;
    bool is_head = data[0] & 1;
    feed(&whole, bytes, size - 1, size, is_head);
    feed(&pieces, bytes, size - 1, 1 + data[0] / 2 % 7, is_head);
    lp_assert(whole.taken == pieces.taken && whole.reply.status == pieces.reply.status &&
              whole.reply.is_done == pieces.reply.is_done &&
              whole.reply.is_bad == pieces.reply.is_bad);
    lp_assert(whole.body.count == pieces.body.count && whole.body.count <= sizeof(whole.kept) &&
              memcmp(whole.kept, pieces.kept, whole.body.count) == 0);
    lp_assert(whole.reply.status == 0 || (whole.reply.status >= 200 && whole.reply.status <= 999));
    lp_assert(!whole.reply.is_done || whole.reply.status != 0);
    return 0;
}
