// Why something is done: the reasons' words, and the clause that follows "because".
#define _GNU_SOURCE
#include <signal.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "model/action.h"

enum form { PLAIN, NUMBER, TIMES, STATUS, SECONDS };

static const struct {
    const char *word, *before;
    enum form form; // how `a` is said between the two texts
    const char *after;
} reasons[LP_REASONS] = {
    [LP_REASON_NONE] = {"none", "no reason is known", PLAIN, ""},
    [LP_REASON_WANTED] = {"wanted", "it is wanted and not there", PLAIN, ""},
    [LP_REASON_NOT_WANTED] = {"not-wanted", "it is there and no longer wanted", PLAIN, ""},
    [LP_REASON_CHANGED] = {"changed", "its description changed", PLAIN, ""},
    [LP_REASON_SCALED] = {"scaled", "the number of replicas changed", PLAIN, ""},
    [LP_REASON_ASKED] = {"asked", "somebody asked for it", PLAIN, ""},
    [LP_REASON_DEPENDENCY_READY] = {"dependency-ready", "what it waited for is ready", PLAIN, ""},
    [LP_REASON_APP_EXITED] = {"app-exited", "it ", STATUS, ""},
    [LP_REASON_APP_HUNG] = {"app-hung", "its check failed ", TIMES, " in a row"},
    [LP_REASON_APP_SUSPECTED] = {"app-suspected", "its check failed ", TIMES,
                                 ", and another sensor doubts it, too"},
    [LP_REASON_APP_START_FAILED] = {"app-start-failed", "it could not be started", PLAIN, ""},
    [LP_REASON_OOM] = {"oom", "it was killed for lack of memory", PLAIN, ""},
    [LP_REASON_NODE_DEAD] = {"node-dead", "the node ", STATUS, ""},
    [LP_REASON_NODE_MUTE] = {"node-mute", "the node runs but does not answer", PLAIN, ""},
    [LP_REASON_NODE_START_FAILED] = {"node-start-failed", "the node could not be started (attempt ",
                                     NUMBER, ")"},
    [LP_REASON_RESTARTS_NO_HELP] = {"restarts-no-help", "restarting it in the same node ", TIMES,
                                    " did not help"},
    [LP_REASON_HOST_DEAD] = {"host-dead", "its host is dead", PLAIN, ""},
    [LP_REASON_NO_REPLY] = {"no-reply", "nothing was heard of the order for ", SECONDS, ""},
    [LP_REASON_ADDRESS_CHANGED] = {"address-changed", "addresses that it uses changed", PLAIN, ""},
    [LP_REASON_FENCE_FIRST] = {"fence-first",
                               "a new life may only begin once the old one is confirmed dead",
                               PLAIN, ""},
    [LP_REASON_FAULT_OVER] = {"fault-over", "its time is over", PLAIN, ""},
    [LP_REASON_FAULT_GONE] = {"fault-gone", "what it was aimed at goes, or has gone", PLAIN, ""},
    [LP_REASON_FAULT_FAILED] = {"fault-failed",
                                "it could not be injected, and nothing of it may be left", PLAIN,
                                ""},
    [LP_REASON_DONE] = {"done", "the step before it is done", PLAIN, ""},
    [LP_REASON_NODE_VANISHED] = {"node-vanished", "the node was gone when Limpet looked for it",
                                 PLAIN, ""},
};

const char *lp_reason_word(enum lp_reason reason)
{
    lp_assert((unsigned)reason < LP_REASONS);
    return reasons[reason].word;
}

static void print_status(uint32_t status, struct lp_str *text)
{
    if (status < 256) {
        lp_str_printf(text, "exited with code %u", status);
        return;
    }
    lp_str_printf(text, "was killed by signal %u", status - 256);
    const char *name = sigabbrev_np((int)(status - 256));
    if (name)
        lp_str_printf(text, " (SIG%s)", name);
}

static void print_number(enum form form, uint32_t a, struct lp_str *text)
{
    switch (form) {
    case PLAIN:
        break;
    case NUMBER:
        lp_str_printf(text, "%u", a);
        break;
    case TIMES:
        if (a == 1)
            lp_str_add(text, "once");
        else
            lp_str_printf(text, "%u times", a);
        break;
    case STATUS:
        print_status(a, text);
        break;
    case SECONDS:
        lp_str_printf(text, "%u.%u s", a / 1000, a % 1000 / 100);
        break;
    }
}

void lp_because_print(const struct lp_because *because, struct lp_str *ret_text)
{
    lp_assert(because->reason < LP_REASONS);
    lp_str_add(ret_text, reasons[because->reason].before);
    print_number(reasons[because->reason].form, because->a, ret_text);
    lp_str_add(ret_text, reasons[because->reason].after);
}
