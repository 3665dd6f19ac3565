// Lines of a story about faults on purpose.
#include "step_scenario_fault.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"

bool scenario_is_fault(int kind)
{
    return kind >= LP_EVENT_FAULT_ASKED && kind <= LP_EVENT_FAULT_HEALED;
}

static int asked(const struct lp_state *state, char **rest, struct lp_event *event,
                 struct lp_err *err)
{
    const char *word = strtok_r(NULL, " ", rest), *time = strtok_r(NULL, " ", rest);
    struct lp_pair given[4][2] = {{{"delay", "1ms"}},
                                  {{"delay", "1ms"}},
                                  {{"command", "true"}, {"undo", "true"}},
                                  {{"jump", "1h"}, {"drift", "100ppm"}}};
    static const char *const with_options[] = {"delay", "disk-slow", "exec", "clock"};
    struct lp_pairs options = {0};
    for (size_t i = 0; word && i < 4; i++)
        if (strcmp(word, with_options[i]) == 0)
            options = (struct lp_pairs){given[i], i < 2 ? 1 : 2};
    const char *duration = time && strncmp(time, "for=", 4) == 0 ? time + 4 : NULL;
    event->service = lp_state_node(state, event->node)->service;
    event->infra = lp_state_node(state, event->node)->infra;
    event->fault = 0;
    while (event->fault < LP_FAULTS_MAX && lp_state_fault(state, event->fault)->is_used)
        event->fault++;
    event->revision = lp_state_faults_asked(state) + 1;
    return lp_fault_parse(word ? word : "", duration, &options, &event->fault_spec, err);
}

int scenario_fault_read(const struct lp_state *state, char **rest, struct lp_event *event,
                        struct lp_err *err)
{
    if (event->kind == LP_EVENT_FAULT_ASKED)
        return asked(state, rest, event, err);
    const char *word = strtok_r(NULL, " ", rest);
    if (!word)
        return lp_err_set(err, LP_EINPUT, "which fault?");
    if (event->kind == LP_EVENT_FAULTS_LOCKED) {
        event->is_ok = strcmp(word, "locked") == 0;
        return 0;
    }
    event->revision = strtoull(word + 1, NULL, 10);
    for (uint32_t i = 0; i < LP_FAULTS_MAX; i++) {
        const struct lp_fault_row *row = lp_state_fault(state, i);
        if (!row->is_used || row->number != event->revision)
            continue;
        event->fault = i;
        event->node = row->node;
        event->app = row->app;
        event->incarnation = row->incarnation;
        event->run = row->run;
        return 0;
    }
    return lp_err_set(err, LP_EINPUT, "there is no fault %s", word);
}

void scenario_faults_show(const struct lp_state *state, struct lp_str *text)
{
    for (uint32_t i = 0; i < LP_FAULTS_MAX; i++) {
        const struct lp_fault_row *row = lp_state_fault(state, i);
        if (row->is_used)
            lp_str_printf(text, "  f%u %s: %s\n", row->number, lp_fault_words[row->spec.kind],
                          lp_fault_phase_word((enum lp_fault_phase)row->phase));
    }
}
