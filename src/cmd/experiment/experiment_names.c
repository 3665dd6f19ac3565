// Whether what an experiment names is there, before anything is touched: the descriptors, their
// services and nodes, words for the state of a node, figures of the report.
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/descriptor_file.h"
#include "cmd/experiment/experiment_file.h"
#include "cmd/experiment/experiment_report.h"
#include "core/state.h"
#include "base/own.h"
#include "base/spelling.h"
#include "cmd/experiment/experiment_aim.h"

enum { NAMES_MAX = 1024 };

struct names {
    const char *path; // of the experiment, as it was named
    const struct lp_experiment *experiment;
    const struct lp_descriptor *descriptor; // NULL: of what runs already, or none
    size_t wrong;
};

// Where in the file, and in which step, check or part.
struct where {
    const char *name;
    int line, column; // 0: not known
};

static void wrong_put(struct names *names, const struct where *where, const char *what)
{
    fprintf(stderr, "%s:", names->path);
    if (where->line)
        fprintf(stderr, "%d:%d:", where->line, where->column);
    fprintf(stderr, " '%s': %s\n", where->name, what);
    names->wrong++;
}

static void wrong_tell(struct names *names, const struct where *where, const char *what,
                       const char *text, const char *nearest)
{
    LP_OWNS_STR struct lp_str words = {0};
    lp_str_printf(&words, "%s '%s'", what, text);
    if (nearest)
        lp_str_printf(&words, "; did you mean '%s'?", nearest);
    wrong_put(names, where, lp_str_text(&words));
}

// To "wbe-1/x" the service "web".
static const char *service_nearest(const struct names *names, const char *text)
{
    const char *services[NAMES_MAX];
    char name[128];
    size_t count = 0, bytes = strcspn(text, "/");
    snprintf(name, sizeof(name), "%.*s", (int)bytes, text);
    char *dash = strrchr(name, '-');
    if (dash && dash[1] && dash[1 + strspn(dash + 1, "0123456789")] == '\0')
        *dash = '\0';
    for (; count < names->descriptor->service_count && count < NAMES_MAX; count++)
        services[count] = names->descriptor->services[count].name;
    return lp_spelling_nearest(name, services, count);
}

// "web", or with nodes "web-1" and "web-1/httpd" as well. The number is not looked at: services
// are scaled.
static void service_check(struct names *names, const struct where *where, const char *text,
                          bool has_nodes)
{
    bool is_node;
    if (!names->descriptor)
        return;
    const struct lp_service *service = lp_experiment_service_of(names->descriptor, text, &is_node);
    bool is_bare = strcspn(text, "/") == strlen(text);
    if (service && (has_nodes || (!is_node && is_bare)))
        return;
    wrong_tell(names, where, has_nodes ? "there is no node or service" : "there is no service",
               text, service_nearest(names, text));
}

static void target_check(struct names *names, const struct where *where, const char *target)
{
    if (strcmp(target, "host") != 0 && strcmp(target, "limpet") != 0 && !strchr(target, ':'))
        service_check(names, where, target, true);
}

// A step that breaks and bears this name.
static bool is_step(const struct lp_experiment_steps *steps, const char *name)
{
    for (size_t i = 0; i < steps->count; i++)
        if ((steps->items[i].kind == LP_EXPERIMENT_BREAK &&
             strcmp(steps->items[i].name, name) == 0) ||
            is_step(&steps->items[i].inner, name))
            return true;
    return false;
}

static void heal_check(struct names *names, const struct where *where,
                       const struct lp_experiment_step *step)
{
    bool is_known = strcmp(step->target, "all") == 0;
    for (size_t i = 0; i < names->experiment->stage_count; i++)
        is_known = is_known || is_step(&names->experiment->stages[i].steps, step->target);
    if (!is_known)
        target_check(names, where, step->target);
}

// What may fail may be aimed at what refuses it.
static void aim_check(struct names *names, const struct where *where,
                      const struct lp_experiment_step *step)
{
    struct lp_err err;
    if (names->descriptor && !step->may_fail &&
        lp_experiment_aim_check(names->descriptor, step, &err) < 0)
        wrong_put(names, where, err.text);
}

static void steps_check(struct names *names, const struct lp_experiment_steps *steps)
{
    for (size_t i = 0; i < steps->count; i++) {
        const struct lp_experiment_step *step = &steps->items[i];
        const struct where where = {step->name, step->line, step->column};
        if (step->kind == LP_EXPERIMENT_BREAK || step->kind == LP_EXPERIMENT_RESTART)
            target_check(names, &where, step->target);
        else if (step->kind == LP_EXPERIMENT_HEAL)
            heal_check(names, &where, step);
        else if (step->kind == LP_EXPERIMENT_SCALE || step->kind == LP_EXPERIMENT_SWIZZLE)
            service_check(names, &where, step->target, false);
        else if (step->kind == LP_EXPERIMENT_RUN && step->node)
            service_check(names, &where, step->node, true);
        if (step->kind == LP_EXPERIMENT_BREAK || step->kind == LP_EXPERIMENT_SWIZZLE)
            aim_check(names, &where, step);
        steps_check(names, &step->inner);
    }
}

static void word_check(struct names *names, const struct where *where,
                       const struct lp_experiment_check *check)
{
    const char *words[LP_VERDICT_GAVE_UP + LP_NODE_STOPPING + 2];
    size_t count = 0;
    for (int i = 0; i <= LP_VERDICT_GAVE_UP; i++)
        words[count++] = lp_verdict_word((enum lp_node_verdict)i);
    for (int i = 0; i <= LP_NODE_STOPPING; i++)
        words[count++] = lp_node_phase_word((enum lp_node_phase)i);
    for (size_t i = 0; i < count; i++)
        if (strcmp(words[i], check->is) == 0)
            return;
    wrong_tell(names, where, "no node is ever", check->is,
               lp_spelling_nearest(check->is, words, count));
}

static void count_check(struct names *names, const struct where *where, const char *metric)
{
    enum { COUNTS = 3 };
    const char *counts[COUNTS] = {"healthy", "nodes", "wanted"};
    for (size_t i = 0; i < COUNTS; i++)
        if (strcmp(metric, counts[i]) == 0)
            return;
    wrong_tell(names, where, "the controller does not count", metric,
               lp_spelling_nearest(metric, counts, COUNTS));
}

// A service that is asked from here publishes a port.
static void port_check(struct names *names, const struct where *where, const char *text)
{
    const struct lp_service *service =
        names->descriptor ? lp_descriptor_find_service(names->descriptor, text) : NULL;
    bool is_published = false;
    for (size_t i = 0; service && i < service->port_count; i++)
        is_published = is_published || service->ports[i].host_port;
    if (service && !is_published)
        wrong_tell(names, where, "no port is published by", text, NULL);
}

static void checks_check(struct names *names, const struct lp_experiment_checks *checks)
{
    for (size_t i = 0; i < checks->count; i++) {
        const struct lp_experiment_check *check = &checks->items[i];
        bool is_address = check->host && check->host[strspn(check->host, "0123456789.")] == '\0';
        const struct where where = {check->name, check->line, check->column};
        if (check->service)
            service_check(names, &where, check->service, false);
        if (check->service &&
            (check->kind == LP_EXPERIMENT_HTTP || check->kind == LP_EXPERIMENT_TCP))
            port_check(names, &where, check->service);
        if (check->kind == LP_EXPERIMENT_METRIC && !check->url)
            count_check(names, &where, check->metric);
        if (check->node)
            service_check(names, &where, check->node, true);
        if (check->kind == LP_EXPERIMENT_PING && check->host && !is_address)
            service_check(names, &where, check->host, true);
        if (check->kind == LP_EXPERIMENT_NODE)
            word_check(names, &where, check);
    }
}

static void load_check(struct names *names, const struct lp_load *load)
{
    const struct where where = {"load", 0, 0};
    for (size_t i = 0; i < load->request_count; i++) {
        const struct lp_load_request *request = &load->requests[i];
        if (request->target.service)
            service_check(names, &where, request->target.service, false);
        if (request->target.service)
            port_check(names, &where, request->target.service);
        if (request->is_read_back && request->read.service)
            service_check(names, &where, request->read.service, false);
    }
}

static void all_check(struct names *names)
{
    const struct lp_experiment *experiment = names->experiment;
    checks_check(names, &experiment->steady);
    checks_check(names, &experiment->guards);
    for (size_t i = 0; i < experiment->stage_count; i++) {
        steps_check(names, &experiment->stages[i].steps);
        checks_check(names, &experiment->stages[i].checks);
    }
    if (experiment->has_load)
        load_check(names, &experiment->load);
}

// What stands beside a figure of others is one that the report has.
static void figures_check(struct names *names)
{
    const char *figures[NAMES_MAX];
    size_t count = 0;
    for (; count < lp_report_figure_count && count < NAMES_MAX; count++)
        figures[count] = lp_report_figures[count].name;
    for (size_t i = 0; i < names->experiment->reference_count; i++) {
        const struct lp_experiment_reference *one = &names->experiment->references[i];
        if (one->figure && !lp_report_figure_find(one->figure))
            wrong_tell(names, &(struct where){one->what, 0, 0}, "the report has no figure",
                       one->figure, lp_spelling_nearest(one->figure, figures, count));
    }
}

// One variant: the file read with its settings, and its descriptor.
static int variant_check(struct lp_cmd *cmd, struct names *names, size_t variant)
{
    const struct lp_experiment *whole = names->experiment;
    const struct lp_experiment_variant *one =
        whole->compare_count ? &whole->compare[variant] : NULL;
    const struct lp_pairs *set = one && one->set.count ? &one->set : NULL;
    const char *text = one ? one->infrastructure : whole->infrastructure;
    struct lp_descriptor_file file;
    struct lp_experiment own;
    if (!text || !lp_descriptor_file_is(text)) {
        names->descriptor = NULL;
        all_check(names);
        return LP_EXIT_DONE;
    }
    const char *const *own_environment = (const char *const *)environ;
    environ = (char **)(uintptr_t)lp_experiment_environment(cmd, set);
    int status = lp_descriptor_file_read(cmd, text, &file);
    environ = (char **)(uintptr_t)own_environment;
    if (status == LP_EXIT_DONE && set)
        status = lp_experiment_file_read(cmd, names->path, set, &own, NULL);
    if (status != LP_EXIT_DONE)
        return status;
    names->experiment = set ? &own : whole;
    names->descriptor = file.descriptor;
    all_check(names);
    names->experiment = whole;
    return LP_EXIT_DONE;
}

int lp_experiment_names_check(struct lp_cmd *cmd, const char *path,
                              const struct lp_experiment *experiment)
{
    struct names names = {.path = path, .experiment = experiment};
    size_t count = experiment->compare_count ? experiment->compare_count : 1;
    figures_check(&names);
    // What is wrong in one variant is most often wrong in all: it is told once.
    for (size_t i = 0, told = names.wrong; i < count && names.wrong == told; i++) {
        int status = variant_check(cmd, &names, i);
        if (status != LP_EXIT_DONE)
            return status;
    }
    return names.wrong ? LP_EXIT_USAGE : LP_EXIT_DONE;
}
