// A table of templates without any reading of lines: what models and scores need of one.
#include <string.h>

#include "base/arena.h"
#include "logs/logs.h"

enum { STATES = 3000, TEXT_BYTES = 256 };

struct lp_log_states {
    enum lp_log_format format;
    size_t count;
    struct {
        char tag[LP_LOG_TAG_BYTES + 1];
        char text[TEXT_BYTES];
        uint32_t tag_id;
    } rows[STATES];
};

struct lp_log_states *lp_log_states_open(const struct lp_log_states_config *config)
{
    struct lp_log_states *states = lp_heap_take(sizeof *states);
    states->format = config->format;
    return states;
}

void lp_log_states_close(struct lp_log_states *states)
{
    lp_heap_free(states);
}

size_t lp_log_states_count(const struct lp_log_states *states)
{
    return states->count;
}

enum lp_log_format lp_log_states_format(const struct lp_log_states *states)
{
    return states->format;
}

struct lp_log_template lp_log_states_get(const struct lp_log_states *states, uint16_t state)
{
    lp_assert(state < states->count);
    return (struct lp_log_template){.text = states->rows[state].text,
                                    .tag = states->rows[state].tag,
                                    .tag_id = states->rows[state].tag_id};
}

// Full: the first one stands for the rest.
uint16_t lp_log_states_take(struct lp_log_states *states, const char *tag, const char *text)
{
    uint32_t tag_id = 0;
    bool is_known = false;
    for (size_t i = 0; i < states->count; i++) {
        bool is_same = strncmp(states->rows[i].tag, tag, LP_LOG_TAG_BYTES) == 0;
        if (is_same && strncmp(states->rows[i].text, text, TEXT_BYTES - 1) == 0)
            return (uint16_t)i;
        if (is_same)
            tag_id = states->rows[i].tag_id;
        else if (!is_known && states->rows[i].tag_id >= tag_id)
            tag_id = states->rows[i].tag_id + 1;
        is_known |= is_same;
    }
    if (states->count == STATES)
        return 0;
    size_t at = states->count++;
    strncpy(states->rows[at].tag, tag, LP_LOG_TAG_BYTES);
    strncpy(states->rows[at].text, text, TEXT_BYTES - 1);
    states->rows[at].tag_id = tag_id;
    return (uint16_t)at;
}
