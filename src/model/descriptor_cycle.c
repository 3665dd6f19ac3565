// Dependencies that wait for each other. Vertices: for each service the start of its nodes and the
// service as a whole, and every application; an edge says "waits for".
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "model/descriptor_parts.h"

enum { START, WHOLE, FIRST_APP }; // places of a service's vertices

enum colour { WHITE, GREY, BLACK };

struct graph {
    struct lp_reader *reader;
    const struct lp_descriptor *descriptor;
    size_t *base;          // [service_count + 1]: its first vertex
    size_t *owner;         // [vertices]: the service
    unsigned char *colour; // [vertices]
    size_t *stack, *edge;  // [vertices]: path, and the next edge to follow
    size_t depth;
};

static size_t depend_vertex(const struct graph *graph, const struct lp_depend *depend)
{
    const struct lp_service *services = graph->descriptor->services;
    const struct lp_service *service =
        lp_descriptor_find_service(graph->descriptor, depend->service);
    size_t base = graph->base[service - services];
    if (!depend->app)
        return base + WHOLE;
    return base + FIRST_APP + (size_t)(lp_service_find_app(service, depend->app) - service->apps);
}

static size_t app_edge(const struct graph *graph, const struct lp_service *service, size_t base,
                       size_t app, size_t edge)
{
    const struct lp_depends *depends = &service->apps[app].depends;
    if (edge < depends->count)
        return depend_vertex(graph, &depends->items[edge]);
    edge -= depends->count;
    if (edge == 0)
        return base + START;
    // Setup steps run one after the other, and before every application.
    size_t before = app;
    while (before > 0 && service->apps[before - 1].kind != LP_APP_SETUP)
        before--;
    return edge == 1 && before > 0 ? base + FIRST_APP + before - 1 : SIZE_MAX;
}

// The vertex at the end of the given edge; SIZE_MAX when there are no more.
static size_t edge_follow(const struct graph *graph, size_t vertex, size_t edge)
{
    size_t index = graph->owner[vertex];
    const struct lp_service *service = &graph->descriptor->services[index];
    size_t base = graph->base[index];
    switch (vertex - base) {
    case START:
        return edge < service->depends.count ? depend_vertex(graph, &service->depends.items[edge])
                                             : SIZE_MAX;
    case WHOLE:
        if (edge < service->app_count)
            return base + FIRST_APP + edge;
        return edge == service->app_count ? base + START : SIZE_MAX;
    default:
        return app_edge(graph, service, base, vertex - base - FIRST_APP, edge);
    }
}

static void vertex_print(const struct graph *graph, size_t vertex, struct lp_str *text)
{
    const struct lp_service *service = &graph->descriptor->services[graph->owner[vertex]];
    size_t place = vertex - graph->base[graph->owner[vertex]];
    lp_str_add(text, service->name);
    if (place >= FIRST_APP && strcmp(service->apps[place - FIRST_APP].name, service->name) != 0)
        lp_str_printf(text, "/%s", service->apps[place - FIRST_APP].name);
}

// The last vertices of the stack, from `vertex` on, wait for each other.
static void cycle_report(const struct graph *graph, size_t vertex)
{
    LP_OWNS_STR struct lp_str text = {0}, name = {0}, last = {0};
    size_t first = graph->depth;
    while (graph->stack[first - 1] != vertex)
        first--;
    for (size_t i = first - 1; i <= graph->depth; i++) {
        lp_str_clear(&name);
        vertex_print(graph, i == graph->depth ? vertex : graph->stack[i], &name);
        if (strcmp(lp_str_text(&name), lp_str_text(&last)) == 0)
            continue;
        lp_str_printf(&text, "%s%s", text.bytes ? " -> " : "", lp_str_text(&name));
        lp_str_clear(&last);
        lp_str_add(&last, lp_str_text(&name));
    }
    const struct lp_service *service = &graph->descriptor->services[graph->owner[vertex]];
    lp_mistake_put(&graph->reader->sink, lp_mark_place(graph->reader, service->name),
                   "these wait for each other: %s", lp_str_text(&text));
}

static void push(struct graph *graph, size_t vertex)
{
    graph->colour[vertex] = GREY;
    graph->edge[graph->depth] = 0;
    graph->stack[graph->depth++] = vertex;
}

static void visit(struct graph *graph, size_t root)
{
    push(graph, root);
    while (graph->depth) {
        size_t vertex = graph->stack[graph->depth - 1];
        size_t target = edge_follow(graph, vertex, graph->edge[graph->depth - 1]++);
        if (target == SIZE_MAX) {
            graph->colour[vertex] = BLACK;
            graph->depth--;
        } else if (graph->colour[target] == GREY) {
            cycle_report(graph, target);
        } else if (graph->colour[target] == WHITE) {
            push(graph, target);
        }
    }
}

void lp_descriptor_check_cycles(struct lp_reader *reader)
{
    const struct lp_descriptor *d = reader->descriptor;
    struct lp_arena *arena = reader->arena;
    struct graph graph = {.reader = reader, .descriptor = d};
    size_t count = 0;
    graph.base = lp_arena_new_array(arena, size_t, d->service_count + 1);
    for (size_t i = 0; i < d->service_count; i++) {
        graph.base[i] = count;
        count += FIRST_APP + d->services[i].app_count;
    }
    graph.owner = lp_arena_new_array(arena, size_t, count);
    graph.colour = lp_arena_new_array(arena, unsigned char, count);
    graph.stack = lp_arena_new_array(arena, size_t, count);
    graph.edge = lp_arena_new_array(arena, size_t, count);
    for (size_t i = 0; i < d->service_count; i++)
        for (size_t k = 0; k < FIRST_APP + d->services[i].app_count; k++)
            graph.owner[graph.base[i] + k] = i;
    for (size_t vertex = 0; vertex < count; vertex++)
        if (graph.colour[vertex] == WHITE)
            visit(&graph, vertex);
}
