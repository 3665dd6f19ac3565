// `limpet logs`.
#pragma once

// argv[0] is the verb. Returns the exit status: 0; 1 when a log cannot be read; 2 bad usage.
int lp_cmd_logs(const char *root, int argc, char **argv);
