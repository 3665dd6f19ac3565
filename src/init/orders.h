// The daemon's orders: frames of the control connection, checked and carried out.
#pragma once

struct lp_wire_frame;

// LP_ECORRUPT: malformed, nothing was done; the connection is to be closed.
int lp_orders_take(const struct lp_wire_frame *frame);
