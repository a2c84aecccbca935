/* SPDX-License-Identifier: ISC
 *
 * Everything that ltclient says. Results go to standard output and are
 * flushed at once: the line with the URL, or with --json one object a line
 * for every event. All else goes to standard error.
 *
 * Errors go to both with --json: a program reads the event, and whoever looks
 * at the log of that program finds the text. Wrong usage is found before it
 * is known what is wanted, and is only told on standard error.
 *
 * Texts of the server must have gone through log_escape() before they come
 * here.
 */
#ifndef LT_CLIENT_DISPLAY_H
#define LT_CLIENT_DISPLAY_H

#include <stdbool.h>
#include <stdint.h>

struct status;
struct traffic;

/* Where a whole line goes. */
enum display_to {
	DISPLAY_OUT,	/* standard output */
	DISPLAY_ERR,	/* standard error, or above the block on the terminal */
	DISPLAY_STATUS, /* it is the last error, for the status */
};

/* Who writes in place of this process; the text is borrowed. */
struct display_pen {
	void (*write)(void *arg, enum display_to, const char *line);
	void *arg;
};

struct display {
	const char *tunnel;  /* which one it is about, for events; NULL */
	bool is_one_of_many; /* so that people are told that too */
	bool json;	     /* events on standard output instead of the URL */
	bool quiet; /* nothing on standard error but errors, the loss of the
		       server among them */
	bool verbose;
	bool as_lt;	       /* requests as lt prints them */
	struct status *status; /* hears of all, and may have the terminal; NULL:
				  nobody wants it */
	const struct display_pen *pen; /* NULL: this process writes */
};

/* Writes a line, without its end, that is ready; -1 and errno if that is known
 * to have failed. */
int display_write(const struct display *, enum display_to, const char *line);

/* The tunnel is up, for the first time or with another URL. -1 and errno if
 * that could not be written. */
int display_up(const struct display *, const char *url, const char *name);

/* Behind display_up(): the server keeps copies of pages at that URL. */
void display_cached(const struct display *, const char *url);

/* The tunnel is up again, with the URL that it had. */
void display_again(const struct display *, const char *url, const char *name);

/* The server was lost; told with --quiet too. */
void display_down(const struct display *, const char *why);

/* The next try is begun after `wait_ms`, because of `why`. Told to people
 * only if `is_news`, then with --quiet too, or with --verbose. */
void display_reconnecting(
    const struct display *, const char *why, uint64_t wait_ms, bool is_news);

/* The tunnel is over; why was told. */
void display_over(const struct display *);

/* One request of a visitor and its answer; status 0: there was none. */
struct display_request {
	const char *method;
	const char *path;
	int status;
	uint64_t ms;
};

/* A request has come. Nothing is said of it until it is answered, but as lt. */
void display_request_begun(
    const struct display *, const char *method, const char *path);

void display_request(const struct display *, const struct display_request *);

/* An event of what has passed so far. */
void display_traffic(const struct display *, const struct traffic *);

/* Something worth knowing; not an event. */
void display_note(const struct display *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* The same, with --verbose only. */
void display_detail(const struct display *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* What the user must know, with --quiet too; an event. */
void display_error(const struct display *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Writes out what standard output holds; false, and told, if that failed. */
bool display_flush(void);

#endif
