// The canonical text of a descriptor: compact JSON in a fixed order. It is YAML too, and
// lp_descriptor_parse reads it back.
#define _GNU_SOURCE // sigabbrev_np
#include <arpa/inet.h>
#include <signal.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "model/descriptor_parts.h"

// Characters that YAML does not take as they are, or takes as line breaks, are escaped.
static bool is_escaped(uint32_t code)
{
    return (code >= 0x7f && code < 0xa0) || code == 0x2028 || code == 0x2029 || code == 0xfeff ||
           code == 0xfffe || code == 0xffff;
}

void lp_print_text(struct lp_str *out, const char *text)
{
    LP_OWNS_STR struct lp_str json = {0};
    lp_str_add_json(&json, text);
    const unsigned char *at = (const unsigned char *)lp_str_text(&json);
    const unsigned char *start = at;
    while (*at) {
        uint32_t code = 0;
        size_t bytes = *at >= 0xf0 ? 4 : *at >= 0xe0 ? 3 : *at >= 0xc0 ? 2 : 1;
        if (bytes == 2 || bytes == 3) {
            code = *at & (bytes == 2 ? 0x1fu : 0x0fu);
            for (size_t i = 1; i < bytes; i++)
                code = code << 6 | (at[i] & 0x3fu);
        }
        if (is_escaped(code)) {
            lp_str_add_n(out, (const char *)start, (size_t)(at - start));
            lp_str_printf(out, "\\u%04x", code);
            start = at + bytes;
        }
        at += bytes;
    }
    lp_str_add_n(out, (const char *)start, (size_t)(at - start));
}

// A comma, unless this is the first entry.
static void next(struct lp_str *out)
{
    char last = out->bytes ? out->text[out->bytes - 1] : '{';
    if (last != '{' && last != '[')
        lp_str_add_char(out, ',');
}

static void key(struct lp_str *out, const char *name)
{
    next(out);
    lp_print_text(out, name);
    lp_str_add_char(out, ':');
}

static void open_key(struct lp_str *out, const char *name, char bracket)
{
    key(out, name);
    lp_str_add_char(out, bracket);
}

static void text_print(struct lp_str *out, const char *name, const char *value)
{
    if (!value)
        return;
    key(out, name);
    lp_print_text(out, value);
}

static void number_print(struct lp_str *out, const char *name, uint64_t value)
{
    key(out, name);
    lp_str_printf(out, "%llu", (unsigned long long)value);
}

// A switch that is on unless it is said to be off.
static void false_print(struct lp_str *out, const char *name, bool is_off)
{
    if (!is_off)
        return;
    key(out, name);
    lp_str_add(out, "false");
}

static void true_print(struct lp_str *out, const char *name, bool value)
{
    if (!value)
        return;
    key(out, name);
    lp_str_add(out, "true");
}

static void time_print(struct lp_str *out, const char *name, uint32_t ms)
{
    key(out, name);
    lp_str_printf(out, "\"%ums\"", ms);
}

static void mode_print(struct lp_str *out, uint32_t mode)
{
    key(out, "mode");
    lp_str_printf(out, "\"0%03o\"", mode);
}

static void texts_print(struct lp_str *out, const char *name, const struct lp_texts *texts)
{
    if (!texts->count)
        return;
    open_key(out, name, '[');
    for (size_t i = 0; i < texts->count; i++) {
        next(out);
        lp_print_text(out, texts->items[i]);
    }
    lp_str_add_char(out, ']');
}

// As a list: keys of a mapping are bounded, these are not.
static void pairs_print(struct lp_str *out, const char *name, const struct lp_pairs *pairs)
{
    if (!pairs->count)
        return;
    LP_OWNS_STR struct lp_str pair = {0};
    open_key(out, name, '[');
    for (size_t i = 0; i < pairs->count; i++) {
        lp_str_clear(&pair);
        lp_str_printf(&pair, "%s=%s", pairs->items[i].key, pairs->items[i].value);
        next(out);
        lp_print_text(out, lp_str_text(&pair));
    }
    lp_str_add_char(out, ']');
}

static void signal_print(struct lp_str *out, const char *name, int number)
{
    key(out, name);
    if (sigabbrev_np(number))
        lp_str_printf(out, "\"SIG%s\"", sigabbrev_np(number));
    else
        lp_str_printf(out, "\"%d\"", number);
}

static void address_print(struct lp_str *out, const char *name, uint32_t address, uint32_t prefix)
{
    char text[INET_ADDRSTRLEN];
    struct in_addr in = {htonl(address)};
    inet_ntop(AF_INET, &in, text, sizeof(text));
    key(out, name);
    if (prefix)
        lp_str_printf(out, "\"%s/%u\"", text, prefix);
    else
        lp_str_printf(out, "\"%s\"", text);
}

static void test_print(struct lp_str *out, const struct lp_check *check)
{
    static const char *const words[] = {"NONE", "CMD", "HTTP", "TCP", "PING"};
    open_key(out, "test", '[');
    lp_print_text(out, words[check->kind]);
    for (size_t i = 0; check->kind == LP_CHECK_COMMAND && i < check->argv.count; i++) {
        next(out);
        lp_print_text(out, check->argv.items[i]);
    }
    if (check->kind == LP_CHECK_HTTP) {
        next(out);
        lp_print_text(out, check->url);
    }
    if (check->kind == LP_CHECK_TCP)
        lp_str_printf(out, ",%u", check->port);
    lp_str_add_char(out, ']');
}

static void check_print(struct lp_str *out, const char *name, const struct lp_check *check)
{
    if (check->kind == LP_CHECK_NONE)
        return;
    open_key(out, name, '{');
    test_print(out, check);
    time_print(out, "interval", check->interval_ms);
    time_print(out, "timeout", check->timeout_ms);
    number_print(out, "retries", check->retries);
    time_print(out, "start_period", check->start_period_ms);
    time_print(out, "start_interval", check->start_interval_ms);
    lp_str_add_char(out, '}');
}

static void depends_print(struct lp_str *out, const struct lp_depends *depends)
{
    static const char *const words[] = {"service_started", "service_healthy",
                                        "service_completed_successfully"};
    if (!depends->count)
        return;
    LP_OWNS_STR struct lp_str name = {0};
    open_key(out, "depends_on", '{');
    for (size_t i = 0; i < depends->count; i++) {
        const struct lp_depend *depend = &depends->items[i];
        lp_str_clear(&name);
        lp_str_add(&name, depend->service);
        if (depend->app)
            lp_str_printf(&name, "/%s", depend->app);
        open_key(out, lp_str_text(&name), '{');
        text_print(out, "condition", words[depend->condition]);
        lp_str_add_char(out, '}');
    }
    lp_str_add_char(out, '}');
}

static void restart_print(struct lp_str *out, const struct lp_restart_policy *policy)
{
    static const char *const words[] = {"none", "on-failure", "any"};
    open_key(out, "restart_policy", '{');
    text_print(out, "condition", words[policy->condition]);
    time_print(out, "delay", policy->delay_ms);
    number_print(out, "max_attempts", policy->max_attempts);
    time_print(out, "window", policy->window_ms);
    lp_str_add_char(out, '}');
}

static void reload_print(struct lp_str *out, const struct lp_reload *reload)
{
    if (reload->kind == LP_RELOAD_RESTART)
        return;
    if (reload->kind == LP_RELOAD_NOTHING) {
        text_print(out, "reload", "nothing");
        return;
    }
    open_key(out, "reload", '{');
    if (reload->kind == LP_RELOAD_COMMAND)
        texts_print(out, "command", &reload->argv);
    else
        signal_print(out, "signal", reload->signal);
    lp_str_add_char(out, '}');
}

static void app_print(struct lp_str *out, const struct lp_app *app, bool is_node_only)
{
    if (app->kind == LP_APP_SETUP)
        text_print(out, "name", app->name);
    texts_print(out, "command", &app->argv);
    text_print(out, "user", app->user);
    text_print(out, "working_dir", app->working_dir);
    pairs_print(out, "environment", &app->environment);
    if (app->kind == LP_APP_SETUP) {
        text_print(out, "creates", app->creates);
        time_print(out, "timeout", app->timeout_ms);
    } else {
        check_print(out, "readiness", &app->readiness);
        check_print(out, "healthcheck", &app->health);
    }
    signal_print(out, "stop_signal", app->stop_signal);
    if (is_node_only)
        return;
    time_print(out, "stop_grace_period", app->stop_grace_ms);
    if (app->kind == LP_APP_SETUP)
        return;
    depends_print(out, &app->depends);
    restart_print(out, &app->restart);
    reload_print(out, &app->reload);
}

static void apps_print(struct lp_str *out, const struct lp_service *service, bool is_node_only)
{
    size_t steps = 0;
    while (steps < service->app_count && service->apps[steps].kind == LP_APP_SETUP)
        steps++;
    if (steps)
        open_key(out, "setup", '[');
    for (size_t i = 0; i < steps; i++) {
        next(out);
        lp_str_add_char(out, '{');
        app_print(out, &service->apps[i], is_node_only);
        lp_str_add(out, i + 1 == steps ? "}]" : "}");
    }
    if (steps == service->app_count)
        return;
    open_key(out, "applications", '{');
    for (size_t i = steps; i < service->app_count; i++) {
        open_key(out, service->apps[i].name, '{');
        app_print(out, &service->apps[i], is_node_only);
        lp_str_add_char(out, '}');
    }
    lp_str_add_char(out, '}');
}

static void recipe_print(struct lp_str *out, const struct lp_recipe *recipe)
{
    open_key(out, "build", '{');
    text_print(out, "base", recipe->base);
    texts_print(out, "packages", &recipe->packages);
    if (recipe->file_count)
        open_key(out, "files", '[');
    for (size_t i = 0; i < recipe->file_count; i++) {
        const struct lp_recipe_file *file = &recipe->files[i];
        next(out);
        lp_str_add_char(out, '{');
        text_print(out, "path", file->path);
        text_print(out, file->source ? "source" : "content",
                   file->source ? file->source : file->content);
        mode_print(out, file->mode);
        lp_str_add(out, i + 1 == recipe->file_count ? "}]" : "}");
    }
    texts_print(out, "run", &recipe->run);
    lp_str_add_char(out, '}');
}

static void image_print(struct lp_str *out, const struct lp_image *image)
{
    static const char *const prefixes[] = {"", "directory:", "tar:", "oci:", "registry:"};
    if (image->kind == LP_IMAGE_RECIPE) {
        recipe_print(out, image->recipe);
    } else {
        LP_OWNS_STR struct lp_str text = {0};
        lp_str_printf(&text, "%s%s", prefixes[image->kind], image->reference);
        text_print(out, "image", lp_str_text(&text));
    }
    text_print(out, "image_hash", image->hash);
}

static void ports_print(struct lp_str *out, const struct lp_service *service)
{
    if (service->port_count)
        open_key(out, "ports", '[');
    for (size_t i = 0; i < service->port_count; i++) {
        const struct lp_port *port = &service->ports[i];
        next(out);
        lp_str_add_char(out, '{');
        number_print(out, "target", port->node_port);
        if (port->host_port)
            number_print(out, "published", port->host_port);
        text_print(out, "host_ip", port->host_ip);
        text_print(out, "protocol", port->is_udp ? "udp" : "tcp");
        lp_str_add(out, i + 1 == service->port_count ? "}]" : "}");
    }
}

static void mounts_print(struct lp_str *out, const struct lp_service *service)
{
    static const char *const words[] = {"volume", "bind", "tmpfs"};
    if (service->mount_count)
        open_key(out, "volumes", '[');
    for (size_t i = 0; i < service->mount_count; i++) {
        const struct lp_mount *mount = &service->mounts[i];
        next(out);
        lp_str_add_char(out, '{');
        text_print(out, "type", words[mount->kind]);
        text_print(out, "source", mount->source);
        text_print(out, "target", mount->target);
        true_print(out, "read_only", mount->is_read_only);
        true_print(out, "faults", mount->has_layer);
        if (mount->size_bytes) {
            open_key(out, "tmpfs", '{');
            number_print(out, "size", mount->size_bytes);
            lp_str_add_char(out, '}');
        }
        lp_str_add(out, i + 1 == service->mount_count ? "}]" : "}");
    }
}

static void uses_print(struct lp_str *out, const char *name, const struct lp_file_use *uses,
                       size_t count)
{
    if (count)
        open_key(out, name, '[');
    for (size_t i = 0; i < count; i++) {
        next(out);
        lp_str_add_char(out, '{');
        text_print(out, "source", uses[i].source);
        text_print(out, "target", uses[i].target);
        number_print(out, "uid", uses[i].uid);
        number_print(out, "gid", uses[i].gid);
        mode_print(out, uses[i].mode);
        lp_str_add(out, i + 1 == count ? "}]" : "}");
    }
}

static void network_uses_print(struct lp_str *out, const struct lp_service *service,
                               bool is_node_only)
{
    open_key(out, "networks", '{');
    for (size_t i = 0; i < service->network_count; i++) {
        const struct lp_network_use *use = &service->networks[i];
        open_key(out, use->network, '{');
        if (!is_node_only)
            texts_print(out, "aliases", &use->aliases);
        if (use->address)
            address_print(out, "ipv4_address", use->address, 0);
        lp_str_add_char(out, '}');
    }
    lp_str_add_char(out, '}');
}

static void limits_print(struct lp_str *out, const struct lp_service *service, bool is_node_only)
{
    open_key(out, "deploy", '{');
    if (!is_node_only)
        number_print(out, "replicas", service->replicas);
    open_key(out, "resources", '{');
    open_key(out, "limits", '{');
    if (service->cpu_permille) {
        key(out, "cpus");
        lp_str_printf(out, "\"%u.%03u\"", service->cpu_permille / 1000,
                      service->cpu_permille % 1000);
    }
    if (service->memory_bytes)
        number_print(out, "memory", service->memory_bytes);
    if (service->pids)
        number_print(out, "pids", service->pids);
    lp_str_add(out, "}}}");
}

void lp_print_service(struct lp_str *out, const struct lp_service *service, bool is_node_only)
{
    lp_str_add_char(out, '{');
    if (is_node_only) // two recipes with one hash are one image
        text_print(out, "image_hash", service->image.hash);
    else
        image_print(out, &service->image);
    text_print(out, "hostname", service->hostname);
    apps_print(out, service, is_node_only);
    mounts_print(out, service);
    uses_print(out, "configs", service->configs, service->config_count);
    uses_print(out, "secrets", service->secrets, service->secret_count);
    network_uses_print(out, service, is_node_only);
    limits_print(out, service, is_node_only);
    true_print(out, "read_only", service->is_read_only);
    true_print(out, "privileged", service->is_privileged);
    text_print(out, "clock", service->is_clock_adjustable ? "adjustable" : NULL);
    texts_print(out, "cap_add", &service->cap_add);
    texts_print(out, "cap_drop", &service->cap_drop);
    if (!is_node_only) {
        ports_print(out, service);
        depends_print(out, &service->depends);
        pairs_print(out, "labels", &service->labels);
        time_print(out, "stop_grace_period", service->stop_grace_ms);
        false_print(out, "breakable", service->is_unbreakable);
    }
    lp_str_add_char(out, '}');
}
