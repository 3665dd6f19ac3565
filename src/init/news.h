// What limpet-init tells the daemon. Without a control connection nothing is sent and nothing lost:
// the rows of app.h remember, and LIST tells them.
#pragma once

#include <stdint.h>

struct lp_app_slot;
struct lp_str;

// Who we are, for HELLO; lent for the process's life.
struct lp_news_self {
    const char *node, *boot;
    uint32_t incarnation;
};
void lp_news_open(const struct lp_news_self *self);
void lp_news_hello(struct lp_str *out);
void lp_news_list(struct lp_str *out); // STATE of each application, SYNCED
void lp_news_started(uint32_t app, const struct lp_app_slot *slot);
void lp_news_exited(uint32_t app, const struct lp_app_slot *slot);
void lp_news_gone(uint32_t app, uint32_t run); // EXITED of a run that nothing is known of
void lp_news_failed(uint32_t app, uint32_t run, int code, const char *text);
