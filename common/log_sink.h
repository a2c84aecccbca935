/* SPDX-License-Identifier: ISC
 *
 * Where lines of a log go: a descriptor that is written to and never waited
 * for. A line that cannot be written at once is lost, and the caller told so.
 * The other half is opening what a setting names. Used by log and by whoever
 * opens logs; like all of common/ it says nothing itself.
 */
#ifndef LT_COMMON_LOG_SINK_H
#define LT_COMMON_LOG_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct log_sink {
	int fd;		   /* -1: none */
	char *path;	   /* of a syslog that is looked for again; or NULL */
	uint64_t tried_ms; /* when it was looked for the last time */
	bool is_socket;
	bool may_block; /* it is asked before each write whether it would */
	bool was_torn;	/* a line was written in part: the next begins anew */
};

/* Takes over `fd`. `path`, of a syslog, is copied; without it, or memory for
 * that, nobody looks for it again. */
void log_sink_init(struct log_sink *, int fd, const char *path);
void log_sink_fini(struct log_sink *);

/* One line, its end included; false if it is lost, all of it or a part. */
bool log_sink_write(struct log_sink *, const char *line, size_t len);

/* Forgets the path. */
void log_sink_confine(struct log_sink *);

/* Looks for a syslog that is lost, if there is a path. The socket is one for
 * all processes that have it, so who finds it finds it for those, too, that may
 * not look for it. */
void log_sink_tend(struct log_sink *);

/* A file to append to, made if need be; a FIFO too, whether or not somebody
 * reads it. -1 with errno. */
int log_sink_open_file(const char *path);

/* A socket to a syslog, which need not be there yet. -1 with errno. */
int log_sink_open_syslog(const char *path);

/* Standard error, opened anew so that writing there cannot block others who
 * have the same terminal or pipe; -1 if that cannot be: use descriptor 2. */
int log_sink_open_stderr(void);

#endif
