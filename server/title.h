/* SPDX-License-Identifier: ISC
 *
 * What ps(1) shows of a process: "ltserver: master", "ltserver: worker 2". The
 * title is written over the memory where the kernel has left the arguments,
 * so main moves these away first of all. One static struct is its state, as
 * that memory is one for the process.
 */
#ifndef LT_SERVER_TITLE_H
#define LT_SERVER_TITLE_H

/* Copies arguments and environment out of the way; returns the arguments as
 * they are to be used from then on, for the life of the process. Without
 * memory all stays as it is and there are no titles. */
char **title_init(int argc, char **argv);

/* Sets the title; one that does not fit is cut. */
void title_set(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
