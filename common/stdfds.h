/* SPDX-License-Identifier: ISC
 *
 * The three standard descriptors. Called first of all by main: a program that
 * is started with one of them closed would get its number for a socket, and
 * write there what was meant for people.
 */
#ifndef LT_COMMON_STDFDS_H
#define LT_COMMON_STDFDS_H

/* Opens /dev/null in place of each of 0, 1 and 2 that is closed. -1 and errno
 * if that fails. */
int stdfds_open(void);

#endif
