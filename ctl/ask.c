/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE

#include "ctl/ask.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define PATIENCE_S 10 /* for the next piece of an answer */

/* What to do about it, if connecting has failed. */
static const char *
hint(int error)
{
	switch (error) {
	case ENOENT:
		return "; does the server run, and is its control-socket set?";
	case ECONNREFUSED:
		return "; the server that made it does not run any more";
	case EACCES:
		return "; ask as root, or as a member of the group "
		       "localtunnel";
	default:
		return "";
	}
}

static int
dial(const char *path, char *why, size_t size)
{
	struct timeval patience = { .tv_sec = PATIENCE_S };
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(addr.sun_path)) {
		snprintf(why, size, "%s: the path is too long", path);
		return -1;
	}
	strcpy(addr.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd != -1 &&
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience,
		sizeof(patience)) == 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience,
		sizeof(patience)) == 0 &&
	    connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
		return fd;
	snprintf(why, size, "%s: %s%s", path, strerror(errno), hint(errno));
	if (fd != -1)
		close(fd);
	return -1;
}

static int
send_request(int fd, const char *command, const char *name)
{
	json_t *request = json_pack("{s:s}", "command", command);
	char *text;
	int result = -1;

	if (name != NULL)
		json_object_set_new(request, "name", json_string(name));
	text = json_dumps(request, JSON_COMPACT);
	if (text != NULL && send(fd, text, strlen(text), MSG_NOSIGNAL) != -1 &&
	    send(fd, "\n", 1, MSG_NOSIGNAL) != -1)
		result = 0;
	free(text);
	json_decref(request);
	return result;
}

/* One line of the answer: 1 if it was a row, 0 at the end, -1 with `why`. */
static int
take_line(const char *line, ask_row_fn *fn, void *arg, char *why, size_t size)
{
	json_t *object = json_loads(line, 0, NULL);
	const json_t *row = json_object_get(object, "row");
	const char *error = json_string_value(json_object_get(object, "error"));
	int result = json_is_true(json_object_get(object, "done")) ? 0 : -1;

	if (row != NULL) {
		fn(arg, row);
		result = 1;
	} else if (error != NULL) {
		snprintf(why, size, "%s", error);
	} else if (result == -1) {
		snprintf(why, size, "the answer makes no sense");
	}
	json_decref(object);
	return result;
}

static int
read_answer(FILE *in, ask_row_fn *fn, void *arg, char *why, size_t size)
{
	char *line = NULL;
	size_t line_size = 0;
	int result = 1;

	while (result == 1) {
		errno = 0;
		if (getline(&line, &line_size, in) == -1) {
			snprintf(why, size, "the server has not answered: %s",
			    errno == 0 ? "it closed the connection"
				       : strerror(errno));
			result = -1;
			break;
		}
		result = take_line(line, fn, arg, why, size);
	}
	free(line);
	return result;
}

int
ask(const char *socket, const char *command, const char *name, ask_row_fn *fn,
    void *arg, char why[ASK_WHY_MAX])
{
	int fd = dial(socket, why, ASK_WHY_MAX), result;
	FILE *in;

	if (fd == -1)
		return -1;
	if (send_request(fd, command, name) == -1 ||
	    (in = fdopen(fd, "r")) == NULL) {
		snprintf(why, ASK_WHY_MAX, "cannot ask: %s", strerror(errno));
		close(fd);
		return -1;
	}
	result = read_answer(in, fn, arg, why, ASK_WHY_MAX);
	fclose(in);
	return result;
}
