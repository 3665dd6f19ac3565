// The image driver driven by hand: one order, its events printed. Run by image.t:
// drive_image ROOT FILE SERVICE...: ensure the images of these services of a descriptor, all at
// once. Prints "progress N TEXT", "ready N PATH" or "failed N TEXT" for each, and ends with 1 when
// one failed.
#define _GNU_SOURCE
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "drivers/image/image.h"
#include "drivers/place.h"
#include "model/descriptor.h"

enum { IMAGES_MAX = 16, WAIT_MS = 600 * 1000 };

static struct lp_driver_env env;
static const struct lp_image *images[IMAGES_MAX];
static bool is_answered[IMAGES_MAX];
static size_t image_count, answers, failures;

static _Noreturn void bail(const char *text)
{
    fprintf(stderr, "drive_image: %s\n", text);
    exit(2);
}

static void put(struct lp_inbox *inbox, const struct lp_event *event)
{
    (void)inbox;
    const char *text = event->text ? event->text : "";
    if (event->kind == LP_EVENT_IMAGE_PROGRESS)
        printf("progress %u %s\n", event->image, text);
    else if (event->kind == LP_EVENT_IMAGE_FAILED)
        printf("failed %u %s\n", event->image, text);
    else if (event->kind == LP_EVENT_IMAGE_READY)
        printf("ready %u %s\n", event->image,
               lp_place_image(&env, images[event->image]->hash).text);
    else
        printf("%s\n", lp_event_word(event->kind));
    // What is begun twice may be answered twice.
    if ((event->kind == LP_EVENT_IMAGE_FAILED || event->kind == LP_EVENT_IMAGE_READY) &&
        !is_answered[event->image]) {
        is_answered[event->image] = true;
        answers++;
    }
    failures += event->kind == LP_EVENT_IMAGE_FAILED;
    fflush(stdout);
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void image_add(const struct lp_descriptor *descriptor, const char *service)
{
    const struct lp_service *found = lp_descriptor_find_service(descriptor, service);
    if (!found || image_count == IMAGES_MAX)
        bail("no such service, or too many");
    images[image_count++] = &found->image;
}

static void orders_begin(void *self)
{
    for (size_t i = 0; i < image_count; i++) {
        struct lp_err err = {0};
        struct lp_order order = {
            .action = {.id = i + 1, .kind = LP_ACTION_ENSURE_IMAGE, .image = (uint32_t)i},
            .image = images[i]};
        for (int times = 0; times < 2; times++) { // beginning twice does no harm
            if (lp_driver_image.begin(self, &order, &err) == 0)
                continue;
            if (times == 0) {
                printf("failed %zu %s\n", i, err.text);
                is_answered[i] = true;
                answers++, failures++;
            }
        }
    }
}

static void run(void *self)
{
    struct lp_inbox inbox = {put};
    int64_t start = now_ms();
    while (answers < image_count) {
        struct lp_err err = {0};
        struct pollfd wait = {.fd = lp_driver_image.wait_fd(self), .events = POLLIN};
        poll(&wait, 1, 1000);
        if (lp_driver_image.collect(self, &inbox, &err) < 0)
            bail(err.text);
        if (now_ms() - start > WAIT_MS)
            bail("no answer in 10 minutes");
    }
}

int main(int argc, char **argv)
{
    LP_OWNS_ARENA struct lp_arena arena = {0};
    LP_OWNS_STR struct lp_str text = {0};
    struct lp_err err = {0};
    struct lp_mistakes mistakes = {0};
    const struct lp_descriptor *descriptor = NULL;
    const int at = 2;
    if (argc < at + 2)
        bail("usage: drive_image ROOT FILE SERVICE...");
    env = (struct lp_driver_env){.root = argv[1], .root_id = "d21fe001"};
    if (lp_file_read(argv[at], 1 << 20, &text, &err) < 0)
        bail(err.text);
    static struct lp_pair variable = {"WORDPRESS_DB_PASSWORD", "x"};
    const struct lp_pairs environment = {&variable, 1};
    struct lp_parse_input input = {.path = argv[at],
                                   .text = lp_str_text(&text),
                                   .bytes = text.bytes,
                                   .environment = &environment};
    if (lp_descriptor_parse(&input, &arena, &mistakes, &descriptor, &err) < 0)
        bail(mistakes.count ? mistakes.items[0].text : err.text);
    for (int i = at + 1; i < argc; i++)
        image_add(descriptor, argv[i]);
    void *self;
    if (lp_driver_image.open(&env, &self, &err) < 0)
        bail(err.text);
    orders_begin(self);
    run(self);
    lp_driver_image.close(self);
    return failures > 0;
}
