// How many durable records a second the journal takes. usage: store_bench PATH RECORDS BATCH
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/own.h"
#include "drivers/store_sqlite.h"

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    struct lp_err err;
    struct lp_store store;
    size_t records = argc == 4 ? strtoul(argv[2], NULL, 10) : 0;
    size_t batch = argc == 4 ? strtoul(argv[3], NULL, 10) : 0;
    if (records == 0 || batch == 0) {
        fprintf(stderr, "usage: store_bench PATH RECORDS BATCH\n");
        return 2;
    }
    if (lp_store_sqlite_open(argv[1], &store, &err) < 0) {
        fprintf(stderr, "store_bench: %s\n", err.text);
        return 1;
    }
    LP_OWNS_ARENA struct lp_arena arena = {0};
    struct lp_record *list = lp_arena_new_array(&arena, struct lp_record, batch);
    double start_s = now_s();
    uint64_t seq = 0;
    while (seq < records) {
        uint64_t first = seq + 1;
        for (size_t i = 0; i < batch; i++)
            list[i] = (struct lp_record){.seq = first + i,
                                         .at_ms = (int64_t)(first + i),
                                         .kind = LP_RECORD_EVENT,
                                         .word = "app-exited",
                                         .subject = "demo/web-17/web",
                                         .body = "{\"kind\":\"app-exited\",\"node\":17,\"app\":0,"
                                                 "\"incarnation\":3,\"run\":12,\"status\":265,"
                                                 "\"is_oom\":false}"};
        seq += batch;
        if (store.ops->append(store.self, first, list, batch, &err) < 0) {
            fprintf(stderr, "store_bench: %s\n", err.text);
            return 1;
        }
    }
    printf("{\"records_per_s\": %.0f}\n", (double)records / (now_s() - start_s));
    store.ops->close(store.self);
    return 0;
}
