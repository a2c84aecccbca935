/* SPDX-License-Identifier: ISC
 *
 * Takes the comments out of a configuration file before libconfuse reads it:
 * that counts a line that ends with one more than once (3.3 does), and then
 * says wrong line numbers. Pure but for uncomment_open().
 */
#ifndef LT_COMMON_UNCOMMENT_H
#define LT_COMMON_UNCOMMENT_H

#include <stddef.h>
#include <stdio.h>

/* Overwrites comments with blanks; lines stay where they are. */
void uncomment(char *text, size_t len);

/* Reads the rest of a file and closes it; returns the same text without
 * comments, for reading. NULL and errno; then the file is closed too. */
FILE *uncomment_open(FILE *);

#endif
