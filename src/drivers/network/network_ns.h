// Network namespaces by name: made, entered for a moment, removed.
#pragma once

#include <stdbool.h>

#include "base/err.h"

// Make a namespace and pin it at path (/run/netns/NAME, as `ip netns` does). *ret_is_new: false
// when a namespace was there already, which is left as it is.
LP_MUST_CHECK int lp_netns_make(const char *path, bool *ret_is_new, struct lp_err *err);
// Unpin it; absent is fine. The kernel frees it when the last process and handle are gone.
LP_MUST_CHECK int lp_netns_remove(const char *path, struct lp_err *err);
// A handle of the namespace pinned at path, which the caller closes. LP_ENOTFOUND: none there
// (also when the path is a plain file, which is what a reboot or a crash may leave).
LP_MUST_CHECK int lp_netns_open(const char *path, int *ret_fd, struct lp_err *err);
// The calling thread's own namespace.
LP_MUST_CHECK int lp_netns_open_own(int *ret_fd, struct lp_err *err);
// Move the calling thread into the namespace. Going back to where it came from cannot fail for
// reasons other than a bug, so that lp_netns_leave asserts.
LP_MUST_CHECK int lp_netns_enter(int netns_fd, struct lp_err *err);
void lp_netns_leave(int home_fd);
// Both at once for a short visit: *ret_home_fd is for lp_netns_leave, and the caller closes it.
LP_MUST_CHECK int lp_netns_visit(int netns_fd, int *ret_home_fd, struct lp_err *err);
// A socket that belongs to the namespace, close-on-exec; the thread is back home afterwards.
LP_MUST_CHECK int lp_netns_socket(int netns_fd, const int kind[3], int *ret_fd,
                                  struct lp_err *err); // kind: domain, type, protocol
// Write a value into a file below /proc/sys/net as the current namespace sees it; an absent file
// is fine when is_optional.
LP_MUST_CHECK int lp_netns_set(const char *path, const char *value, bool is_optional,
                               struct lp_err *err);
