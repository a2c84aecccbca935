/* SPDX-License-Identifier: ISC
 *
 * Reads ltserver.conf(5), with libconfuse: key = value lines, # comments,
 * lists in braces, and a section for each listener. What the values mean is
 * the business of config and config_listen.
 */
#ifndef LT_SERVER_CONFIG_FILE_H
#define LT_SERVER_CONFIG_FILE_H

#include <stdbool.h>
#include <stdio.h>

struct config;

/*
 * Reads a file. 0; -1 with what is wrong in it written to `faults`, a line
 * each and in their order, "FILE:LINE: ...": every wrong value, about a
 * hundred at most, and the first
 * place that is no setting at all, where reading ends. A file that is absent is
 * an error only if `must_exist`. What was set before stays unless the file sets
 * it again; so the file is read first, then the command line.
 */
int config_file_read(
    struct config *, const char *path, bool must_exist, FILE *faults);

#endif
