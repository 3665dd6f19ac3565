// Who holds a port of this machine.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The process that listens on the port in the caller's network namespace (TCP: listening, UDP:
// bound), as text "nginx (pid 1234)". false: nobody, or it cannot be told (no right to look).
// Reads /proc/net and, when something is found there, the handles of every process.
bool lp_port_find_holder(uint16_t port, bool is_udp, char *ret_text, size_t bytes);
