// The daemon's interface from outside: HTTP+JSON over <root>/limpet.sock, by libcurl.
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"

struct lp_cmd;
struct lp_client;

struct lp_call_spec {
    const char *method, *path; // path with its query, already encoded
    const char *body;          // JSON; NULL: none
};

// Does not connect yet. LP_EIO.
LP_MUST_CHECK int lp_client_open(const char *root, struct lp_client **ret_client,
                                 struct lp_err *err);
void lp_client_close(struct lp_client *client);
// Call and wait for the answer. ret_body (may be NULL): what was answered, to be given to
// json_decref. An error that the daemon answers becomes err with the code it names. LP_ETIMEOUT:
// no answer within two minutes; LP_EIO with lp_client_is_absent: no daemon answers.
LP_MUST_CHECK int lp_client_call(struct lp_client *client, const struct lp_call_spec *spec,
                                 json_t **ret_body, struct lp_err *err);
// Did the last call find no daemon?
bool lp_client_is_absent(const struct lp_client *client);
#define LP_QUERY_END ((const char *)0)
// GET path?key=value&... ; pairs of texts, then LP_QUERY_END; a NULL value leaves its key out.
LP_MUST_CHECK int lp_client_get(struct lp_client *client, json_t **ret_body, struct lp_err *err,
                                const char *path, ...) __attribute__((sentinel));

// Text or number of a member; "" and 0 when it is absent.
const char *lp_json_text(const json_t *object, const char *key);
long long lp_json_number(const json_t *object, const char *key);
// Does the array hold this value?
bool lp_json_holds(const json_t *array, const json_t *value);
// The object as text, in cmd's arena.
const char *lp_json_print(struct lp_cmd *cmd, const json_t *value);
// Print for -o json: compact, with a newline.
void lp_json_show(const json_t *value);
