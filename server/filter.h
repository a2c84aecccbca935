/* SPDX-License-Identifier: ISC
 *
 * The system calls that a worker makes: a list for the kernel, which lets
 * nothing else pass. Loaded by sandbox, the last of what it does. Nothing on
 * the list gives a process a file, a socket, another program or another
 * process; whoever adds to it has the master do it instead, if there is a way.
 */
#ifndef LT_SERVER_FILTER_H
#define LT_SERVER_FILTER_H

#include <stdbool.h>

/* From now on any other call ends the process with SIGSYS; with `names` the
 * log says which one it was. 0, or -1 with errno. */
int filter_load(bool names);

#endif
