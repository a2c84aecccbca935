/* SPDX-License-Identifier: ISC
 *
 * The directory for what a running server leaves: /run is empty after each
 * start of the machine, so somebody has to make it.
 */
#ifndef LT_SERVER_RUNDIR_H
#define LT_SERVER_RUNDIR_H

/* Makes the directory that `path` is in, if that is all that is missing. That
 * it could not be made is found out when the path is used. */
void rundir_make(const char *path);

#endif
