/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE

#include "server/handoff.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "server/channel.h"
#include "server/counters.h"
#include "server/inbox.h"
#include "server/sealed.h"
#include "server/table.h"

/* Changes with anything that the structs below do not tell: what stands in the
 * parts, and what messages mean. */
#define MAGIC	 "localtunnel handoff 2"
#define VARIABLE "LTSERVER_HANDOFF"

struct handoff {
	json_t *root;
	json_t *fds; /* of the root: all that were noted */
};

/* The layout of what both programs look at, as the compiler has it. */
static json_t *
layout(void)
{
	return json_pack("[i,i,i,i,i,i]", table_layout(),
	    (int)sizeof(struct channel_msg), (int)sizeof(struct inbox_msg),
	    (int)sizeof(struct counters_master),
	    (int)sizeof(struct counters_worker),
	    (int)sizeof(struct counters_session));
}

static struct handoff *
wrap(json_t *root)
{
	struct handoff *h = log_must_alloc(1, sizeof(*h));

	h->root = root;
	h->fds = json_object_get(root, "fds");
	return h;
}

struct handoff *
handoff_new(void)
{
	json_t *root = json_pack(
	    "{s:s, s:o, s:[]}", "magic", MAGIC, "layout", layout(), "fds");

	if (root == NULL)
		fatal("out of memory");
	return wrap(root);
}

void
handoff_free(struct handoff *h)
{
	if (h == NULL)
		return;
	json_decref(h->root);
	free(h);
}

json_t *
handoff_root(struct handoff *h)
{
	return h->root;
}

void
handoff_put_fd(struct handoff *h, json_t *part, const char *key, int fd)
{
	if (fd == -1)
		return;
	json_object_set_new(part, key, json_integer(fd));
	json_array_append_new(h->fds, json_integer(fd));
}

int
handoff_take_fd(const json_t *part, const char *key)
{
	const json_t *value = json_object_get(part, key);
	int fd = json_is_integer(value) ? (int)json_integer_value(value) : -1;

	if (fd <= STDERR_FILENO || fcntl(fd, F_SETFD, FD_CLOEXEC) == -1)
		return -1;
	return fd;
}

int
handoff_seal(const struct handoff *h)
{
	char *text = json_dumps(h->root, JSON_COMPACT);
	int fd = -1;

	if (text == NULL)
		errno = ENOMEM;
	else if ((fd = sealed_begin("localtunnel handoff")) != -1)
		fd = sealed_end(fd, sealed_put(fd, text, strlen(text)));
	free(text);
	return fd;
}

static void
set_flags(const struct handoff *h, int fd, int flags)
{
	const json_t *each;
	size_t i;

	json_array_foreach(h->fds, i, each)
	{
		(void)fcntl((int)json_integer_value(each), F_SETFD, flags);
	}
	(void)fcntl(fd, F_SETFD, flags);
}

void
handoff_open_way(const struct handoff *h, int fd)
{
	char number[16];

	snprintf(number, sizeof(number), "%d", fd);
	setenv(VARIABLE, number, 1);
	set_flags(h, fd, 0);
}

void
handoff_close_way(const struct handoff *h, int fd)
{
	set_flags(h, fd, FD_CLOEXEC);
	unsetenv(VARIABLE);
}

static bool
fits(const json_t *root)
{
	const char *magic = json_string_value(json_object_get(root, "magic"));
	json_t *ours = layout();
	bool result = magic != NULL && strcmp(magic, MAGIC) == 0 &&
		      json_equal(ours, json_object_get(root, "layout"));

	json_decref(ours);
	return result;
}

struct handoff *
handoff_take(char why[HANDOFF_WHY_MAX])
{
	const char *number = getenv(VARIABLE), *wrong;
	json_t *root = NULL;
	size_t len;
	char *text;
	int fd;

	why[0] = '\0';
	if (number == NULL)
		return NULL;
	fd = atoi(number);
	if ((text = sealed_read(fd, &len, &wrong)) == NULL) {
		snprintf(why, HANDOFF_WHY_MAX,
		    "what was handed over cannot be read: %s", wrong);
		return NULL;
	}
	close(fd);
	root = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	free(text);
	if (fits(root))
		return wrap(root);
	json_decref(root);
	snprintf(why, HANDOFF_WHY_MAX,
	    "what was handed over is of another layout: this program cannot "
	    "take the place of the one that runs; restart it instead");
	return NULL;
}
