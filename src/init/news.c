// Putting news into frames for the control connection.
#include "init/news.h"

#include <signal.h>

#include "init/app.h"
#include "init/peer.h"
#include "model/limits.h"
#include "model/wire.h"
#include "base/clock.h"
#include "base/str.h"

static struct lp_news_self who;

void lp_news_open(const struct lp_news_self *self)
{
    who = *self;
}

// News are far below the bound of a frame: names and texts have their own.
static void seal(struct lp_str *out, size_t at)
{
    int code = lp_wire_seal(out, at, NULL);
    lp_assert(code == 0);
}

void lp_news_hello(struct lp_str *out)
{
    size_t at = lp_wire_head(out, LP_WIRE_HELLO, 0);
    lp_wire_add_number(out, "version", LP_WIRE_VERSION);
    lp_wire_add(out, "boot", who.boot);
    lp_wire_add(out, "node", who.node);
    lp_wire_add_number(out, "incarnation", who.incarnation);
    seal(out, at);
}

void lp_news_list(struct lp_str *out)
{
    for (uint32_t i = 0; i < LP_APPS_MAX; i++) {
        const struct lp_app_slot *slot = lp_app_slot(i);
        if (slot->phase == LP_INIT_IDLE)
            continue;
        size_t at = lp_wire_head(out, LP_WIRE_STATE, (uint16_t)i);
        lp_wire_add_number(out, "run", slot->run);
        lp_wire_add(out, "phase", lp_init_phase_word(slot->phase));
        lp_wire_add_number(out, "pid", slot->pid);
        lp_wire_add_number(out, "status", slot->status);
        lp_wire_add_number(out, "at_ms", slot->at_ms);
        lp_wire_add_number(out, "code", slot->code);
        lp_wire_add(out, "text", slot->text);
        seal(out, at);
    }
    seal(out, lp_wire_head(out, LP_WIRE_SYNCED, 0));
}

void lp_news_started(uint32_t app, const struct lp_app_slot *slot)
{
    struct lp_str *out = lp_control_out();
    if (!out)
        return;
    size_t at = lp_wire_head(out, LP_WIRE_STARTED, (uint16_t)app);
    lp_wire_add_number(out, "run", slot->run);
    lp_wire_add_number(out, "pid", slot->pid);
    lp_wire_add_number(out, "at_ms", slot->at_ms);
    seal(out, at);
    lp_control_flush();
}

void lp_news_exited(uint32_t app, const struct lp_app_slot *slot)
{
    struct lp_str *out = lp_control_out();
    if (!out)
        return;
    size_t at = lp_wire_head(out, LP_WIRE_EXITED, (uint16_t)app);
    lp_wire_add_number(out, "run", slot->run);
    lp_wire_add_number(out, "status", slot->status);
    lp_wire_add_number(out, "at_ms", slot->at_ms);
    lp_wire_add(out, "text", slot->text);
    seal(out, at);
    lp_control_flush();
}

void lp_news_gone(uint32_t app, uint32_t run)
{
    struct lp_app_slot gone = {.run = run, .status = LP_WIRE_STATUS_SIGNAL + SIGKILL};
    gone.at_ms = lp_wall_ms();
    lp_news_exited(app, &gone);
}

void lp_news_failed(uint32_t app, uint32_t run, int code, const char *text)
{
    struct lp_str *out = lp_control_out();
    if (!out)
        return;
    size_t at = lp_wire_head(out, LP_WIRE_FAILED, (uint16_t)app);
    lp_wire_add_number(out, "run", run);
    lp_wire_add_number(out, "code", code);
    lp_wire_add(out, "text", text);
    seal(out, at);
    lp_control_flush();
}
