/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE

#include "server/ctl.h"

#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/net.h"
#include "server/config.h"
#include "server/config_text.h"
#include "server/handoff.h"
#include "server/rundir.h"

#define BACKLOG	     1024
#define CALLERS_MAX  32
#define BURST	     32	   /* accepted in one turn of the loop */
#define REQUEST_MS   5000  /* until the command must be there */
#define ANSWER_MS    60000 /* until the answer must be read */
#define AHEAD	     65536 /* bytes of an answer that wait to be sent */
#define LINES_MAX    64	   /* made in one turn of the loop */
#define PAUSE_MS     200   /* after EMFILE and its like */
#define SOCKET_UMASK 0117  /* leaves 0660 */

/* What a caller is at. */
enum stage {
	STAGE_ASKING,
	STAGE_ROWS,    /* rows of the answer are made */
	STAGE_UPGRADE, /* what comes of it is waited for */
	STAGE_LAST,    /* all of it is made, and goes out */
};

struct caller {
	TAILQ_ENTRY(caller) link; /* in the order of coming */
	struct ctl *ctl;
	struct bufferevent *bev;
	struct event *limit;
	enum stage stage;
	struct command command;
	struct report report;
	bool acts; /* the command is carried out at the end */
};

TAILQ_HEAD(caller_list, caller);

struct ctl {
	int fd;
	char *path;
	dev_t dev; /* of the socket's file */
	ino_t ino;
	struct event *readable;
	struct event *resume; /* its timer */
	struct caller_list callers;
	size_t callers_n;
	const struct ctl_ops *ops;
	struct report_source source;
};

/* --- one caller ------------------------------------------------------------
 */

static void
caller_free(struct caller *c)
{
	struct ctl *o = c->ctl;

	TAILQ_REMOVE(&o->callers, c, link);
	o->callers_n--;
	if (c->limit != NULL)
		event_free(c->limit);
	bufferevent_free(c->bev);
	free(c);
}

/* The answer is out, or nobody wants it any more: what was asked for happens
 * in either case. */
static void
finish(struct caller *c)
{
	struct ctl *o = c->ctl;
	enum command_kind kind = c->command.kind;
	bool acts = c->acts;

	caller_free(c);
	if (acts)
		o->ops->act(o->source.arg, kind);
}

static void
put_line(struct caller *c, char *line)
{
	if (line != NULL)
		bufferevent_write(c->bev, line, strlen(line));
	free(line);
}

static void
put_end(struct caller *c, const char *error)
{
	c->stage = STAGE_LAST;
	put_line(c, report_end(error));
}

/* Makes rows while there is room for them; what is sent calls for more. */
static void
put_rows(struct caller *c)
{
	struct evbuffer *out = bufferevent_get_output(c->bev);
	char *line;

	for (int i = 0; i < LINES_MAX && evbuffer_get_length(out) < AHEAD;
	     i++) {
		line =
		    report_next(&c->ctl->source, c->command.kind, &c->report);
		if (line == NULL) {
			put_end(c, NULL);
			return;
		}
		put_line(c, line);
	}
	/* Nothing but slots without a row: go on in the next turn. */
	if (evbuffer_get_length(out) == 0)
		bufferevent_trigger(c->bev, EV_WRITE, BEV_TRIG_DEFER_CALLBACKS);
}

static void
close_tunnel(struct caller *c)
{
	struct ctl *o = c->ctl;

	if (o->ops->close(o->source.arg, c->command.name))
		put_end(c, NULL);
	else
		put_end(c, "there is no tunnel of this name");
}

static void
reload(struct caller *c)
{
	struct ctl *o = c->ctl;
	char why[COMMAND_WHY_MAX];

	put_end(c, o->ops->reload(o->source.arg, why) ? NULL : why);
}

static void
upgrade(struct caller *c)
{
	struct ctl *o = c->ctl;
	char why[COMMAND_WHY_MAX];

	c->stage = STAGE_UPGRADE;
	if (!o->ops->upgrade(o->source.arg, why))
		put_end(c, why);
}

void
ctl_upgraded(struct ctl *o, const char *wrong)
{
	struct caller *c;

	TAILQ_FOREACH (c, &o->callers, link)
		if (c->stage == STAGE_UPGRADE)
			put_end(c, wrong);
}

/* Whoever changes something is named in the log. */
static void
say(const struct caller *c)
{
	struct ucred who = { .uid = (uid_t)-1 };
	socklen_t len = sizeof(who);

	(void)getsockopt(
	    bufferevent_getfd(c->bev), SOL_SOCKET, SO_PEERCRED, &who, &len);
	log_info("operator asked command=%s%s%s uid=%d pid=%d",
	    command_word(c->command.kind),
	    c->command.name[0] == '\0' ? "" : " tunnel=", c->command.name,
	    (int)who.uid, (int)who.pid);
}

static void
carry_out(struct caller *c)
{
	struct timeval limit = clock_span(ANSWER_MS);

	evtimer_add(c->limit, &limit);
	bufferevent_disable(c->bev, EV_READ);
	switch (c->command.kind) {
	case COMMAND_STATUS:
	case COMMAND_TUNNELS:
	case COMMAND_WORKERS:
	case COMMAND_CONFIG:
		c->stage = STAGE_ROWS;
		put_rows(c);
		return;
	case COMMAND_CLOSE:
		say(c);
		close_tunnel(c);
		return;
	case COMMAND_RELOAD:
		say(c);
		reload(c);
		return;
	case COMMAND_UPGRADE:
		say(c);
		upgrade(c);
		return;
	case COMMAND_REOPEN:
	case COMMAND_DRAIN:
	case COMMAND_STOP:
		say(c);
		c->acts = true;
		put_end(c, NULL);
		return;
	}
}

static void
read_cb(struct bufferevent *bev, void *arg)
{
	struct evbuffer *in = bufferevent_get_input(bev);
	size_t len = evbuffer_get_length(in);
	struct caller *c = arg;
	char why[COMMAND_WHY_MAX];
	const char *text;

	if (c->stage != STAGE_ASKING) {
		evbuffer_drain(in, len);
		return;
	}
	len = len > COMMAND_MAX ? COMMAND_MAX : len;
	text = (const char *)evbuffer_pullup(in, (ev_ssize_t)len);
	if (text == NULL) {
		finish(c);
		return;
	}
	switch (command_parse(&c->command, text, len, why)) {
	case COMMAND_MORE:
		return;
	case COMMAND_OK:
		carry_out(c);
		return;
	case COMMAND_BAD:
		bufferevent_disable(bev, EV_READ);
		put_end(c, why);
		return;
	}
}

static void
write_cb(struct bufferevent *bev, void *arg)
{
	struct caller *c = arg;

	(void)bev;
	if (c->stage == STAGE_ROWS)
		put_rows(c);
	else if (c->stage == STAGE_LAST)
		finish(c);
}

static void
event_cb(struct bufferevent *bev, short what, void *arg)
{
	(void)bev;
	(void)what;
	finish(arg);
}

static void
limit_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	finish(arg);
}

/* --- the socket ------------------------------------------------------------
 */

/* Too many at once: whoever has been here longest goes. */
static void
make_room(struct ctl *o)
{
	while (o->callers_n >= CALLERS_MAX)
		finish(TAILQ_FIRST(&o->callers));
}

static void
take(struct ctl *o, int fd)
{
	struct event_base *base = event_get_base(o->readable);
	struct timeval limit = clock_span(REQUEST_MS);
	struct caller *c = calloc(1, sizeof(*c));

	if (c != NULL)
		c->bev =
		    bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (c == NULL || c->bev == NULL) {
		free(c);
		close(fd);
		return;
	}
	c->ctl = o;
	TAILQ_INSERT_TAIL(&o->callers, c, link);
	o->callers_n++;
	c->limit = evtimer_new(base, limit_cb, c);
	if (c->limit == NULL || evtimer_add(c->limit, &limit) == -1) {
		caller_free(c);
		return;
	}
	bufferevent_setcb(c->bev, read_cb, write_cb, event_cb, c);
	bufferevent_enable(c->bev, EV_READ);
}

static void
resume_cb(evutil_socket_t fd, short what, void *arg)
{
	struct ctl *o = arg;

	(void)fd;
	(void)what;
	event_add(o->readable, NULL);
}

/* Out of descriptors or memory: whoever calls waits a moment. */
static void
pause_accept(struct ctl *o)
{
	struct timeval tv = clock_span(PAUSE_MS);

	event_del(o->readable);
	evtimer_add(o->resume, &tv);
}

static void
accept_cb(evutil_socket_t sock, short what, void *arg)
{
	struct ctl *o = arg;
	int fd;

	(void)what;
	for (int i = 0; i < BURST; i++) {
		fd = accept4(sock, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd == -1 && (errno == EAGAIN || errno == ECONNABORTED))
			return;
		if (fd == -1) {
			pause_accept(o);
			return;
		}
		make_room(o);
		take(o, fd);
	}
}

/* Removes what a dead server has left; fatal() if it is not dead, or if that
 * is no socket. */
static void
clear_path(const char *path)
{
	struct stat st;
	int fd;

	if (lstat(path, &st) == -1)
		return;
	if (!S_ISSOCK(st.st_mode))
		fatal("control-socket: %s is there, and no socket", path);
	fd = net_connect_unix(path);
	if (fd != -1 || errno == EAGAIN)
		fatal("control-socket: another server answers at %s", path);
	(void)unlink(path);
}

static int
bind_path(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	mode_t mask;
	int result;

	if (strlen(path) >= sizeof(addr.sun_path))
		fatal("control-socket: %s: the path is too long", path);
	strcpy(addr.sun_path, path);
	mask = umask(SOCKET_UMASK);
	result =
	    fd == -1 ? -1 : bind(fd, (struct sockaddr *)&addr, sizeof(addr));
	(void)umask(mask);
	if (result == -1 || listen(fd, BACKLOG) == -1)
		fatal("control-socket: %s: %s", path, strerror(errno));
	return fd;
}

/* The group may connect, if it is there and we may give it something. */
static void
give_to_group(const char *path)
{
	const struct group *group = getgrnam(CTL_GROUP);

	if (group == NULL || geteuid() != 0)
		return;
	if (lchown(path, (uid_t)-1, group->gr_gid) == -1)
		log_warn("control-socket: %s: %s", path, strerror(errno));
}

struct ctl *
ctl_new(const struct config *config)
{
	const char *path = config->control_socket;
	struct ctl *o;
	struct stat st;

	if (strcmp(path, CONFIG_TEXT_NONE) == 0)
		return NULL;
	o = log_must_alloc(1, sizeof(*o));
	o->path = log_must_strdup(path);
	TAILQ_INIT(&o->callers);
	rundir_make(path);
	clear_path(path);
	o->fd = bind_path(path);
	give_to_group(path);
	if (lstat(path, &st) == 0) {
		o->dev = st.st_dev;
		o->ino = st.st_ino;
	}
	return o;
}

void
ctl_save(const struct ctl *o, struct handoff *h)
{
	json_t *part = json_pack(
	    "{s:I, s:I}", "dev", (json_int_t)o->dev, "ino", (json_int_t)o->ino);

	handoff_put_fd(h, part, "fd", o->fd);
	json_object_set_new(handoff_root(h), "control", part);
}

struct ctl *
ctl_adopt(struct handoff *h, const struct config *config)
{
	const json_t *part = json_object_get(handoff_root(h), "control");
	int fd = handoff_take_fd(part, "fd");
	struct ctl *o;

	if (fd == -1)
		return NULL;
	o = log_must_alloc(1, sizeof(*o));
	o->fd = fd;
	o->path = log_must_strdup(config->control_socket);
	o->dev = (dev_t)json_integer_value(json_object_get(part, "dev"));
	o->ino = (ino_t)json_integer_value(json_object_get(part, "ino"));
	TAILQ_INIT(&o->callers);
	return o;
}

void
ctl_start(struct ctl *o, struct event_base *base, const struct ctl_ops *ops,
    const struct report_source *source)
{
	o->ops = ops;
	o->source = *source;
	o->readable =
	    event_new(base, o->fd, EV_READ | EV_PERSIST, accept_cb, o);
	o->resume = evtimer_new(base, resume_cb, o);
	if (o->readable == NULL || o->resume == NULL ||
	    event_add(o->readable, NULL) == -1)
		fatal("cannot wait for the operator");
}

void
ctl_use(struct ctl *o, const struct config *config)
{
	o->source.config = config;
}

void
ctl_forget(struct ctl *o)
{
	if (o == NULL)
		return;
	while (!TAILQ_EMPTY(&o->callers))
		caller_free(TAILQ_FIRST(&o->callers));
	if (o->readable != NULL)
		event_free(o->readable);
	if (o->resume != NULL)
		event_free(o->resume);
	close(o->fd);
	free(o->path);
	free(o);
}

void
ctl_free(struct ctl *o)
{
	struct stat st;

	if (o == NULL)
		return;
	if (lstat(o->path, &st) == 0 && st.st_dev == o->dev &&
	    st.st_ino == o->ino)
		(void)unlink(o->path);
	ctl_forget(o);
}
