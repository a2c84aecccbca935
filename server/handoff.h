/* SPDX-License-Identifier: ISC
 *
 * What a master hands to the program that takes its place (USR2): the numbers
 * of descriptors that stay open across exec(2), and the little that is known
 * only by heart. Each module adds its own part to the root, an object of JSON,
 * and takes it out again; the whole travels in a sealed memfd whose number
 * stands in the environment.
 *
 * Memory shared with workers that live on, and messages to them, must look the
 * same to both programs. That is asked before the old one gives up.
 */
#ifndef LT_SERVER_HANDOFF_H
#define LT_SERVER_HANDOFF_H

#include <stdbool.h>

#include <jansson.h>

#define HANDOFF_WHY_MAX 160

/* What a good answer of `ltserver -t` ends with, when asked for an upgrade. */
#define HANDOFF_GOOD "upgrade: this program can take over\n"

struct handoff;

/* Empty. Fatal without memory. */
struct handoff *handoff_new(void);

/* NULL is fine. The descriptors are nobody's business here. */
void handoff_free(struct handoff *);

json_t *handoff_root(struct handoff *);

/* Notes in `part` a descriptor that has to stay open; -1 is fine. */
void handoff_put_fd(struct handoff *, json_t *part, const char *key, int fd);

/* Takes it out again, closed on exec as all are; -1 if there is none. */
int handoff_take_fd(const json_t *part, const char *key);

/* The whole as a sealed memfd; -1 with errno. */
int handoff_seal(const struct handoff *);

/* Lets `fd` and all that was noted pass the next exec(2), or nothing any
 * more; puts the number into the environment, or takes it out. */
void handoff_open_way(const struct handoff *, int fd);
void handoff_close_way(const struct handoff *, int fd);

/* What whoever started this program has handed over; NULL if that is nothing.
 * If it does not fit, NULL with `why`, which is empty otherwise. */
struct handoff *handoff_take(char why[HANDOFF_WHY_MAX]);

#endif
