// `limpet exec`.
#pragma once

// argv[0] is the verb. Returns the exit status: the command's own; 128 + N when it was killed by
// signal N; 127 not found, 126 not executable; 2 bad usage; 1 else.
int lp_cmd_exec(const char *root, int argc, char **argv);
