// ICMP echo (RFC 792): one question and its answer.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { LP_PING_BYTES = 16 };

// A non-blocking socket in the namespace, connected to the address. *ret_is_raw: answers start
// with an IP header, because the kernel does not let this user ping otherwise.
LP_MUST_CHECK int lp_ping_open(int netns_fd, uint32_t address, int *ret_fd, bool *ret_is_raw,
                               struct lp_err *err);
void lp_ping_print(uint16_t id, uint16_t sequence, uint8_t ret_bytes[LP_PING_BYTES]);
// Is this the answer? With a raw socket also the id is compared; else the kernel has done so.
bool lp_ping_is_answer(const uint8_t *bytes, size_t count, bool is_raw, uint16_t id,
                       uint16_t sequence);
