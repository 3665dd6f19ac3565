// The inside of model/fault*.c: the table of kinds and which options each takes.
#pragma once

#include "model/fault.h"

enum { // options, as bits
    LP_FAULT_TAKES_DELAY = 1 << 0,
    LP_FAULT_TAKES_JITTER = 1 << 1, // and its distribution
    LP_FAULT_TAKES_SHARE = 1 << 2,
    LP_FAULT_TAKES_RATE = 1 << 3,
    LP_FAULT_TAKES_WORKERS = 1 << 4,
    LP_FAULT_TAKES_LEAVE = 1 << 5,
    LP_FAULT_TAKES_JUMP = 1 << 6,
    LP_FAULT_TAKES_DRIFT = 1 << 7,
    LP_FAULT_TAKES_LINK = 1 << 8, // direction, peer, network
    LP_FAULT_TAKES_COMMAND = 1 << 9,
    LP_FAULT_TAKES_VOLUME = 1 << 10,
    LP_FAULT_TAKES_UNDO = 1 << 11,
    LP_FAULT_TAKES_ON = 1 << 12, // which operations of a disk
};

struct lp_fault_row_of_kind {
    struct lp_fault_about about;
    uint32_t options, needs;
    uint32_t share; // permille when none is given
};
extern const struct lp_fault_row_of_kind lp_fault_kinds[LP_FAULT_KINDS];
