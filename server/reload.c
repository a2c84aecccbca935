/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE

#include "server/reload.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "common/log.h"
#include "server/config.h"

#define RELOAD_MEMORY (8 * 1024 * 1024) /* a file of 1 MB, read and parsed */

/* Logs what is wrong, line by line; the first line goes to `why`. */
static void
say_faults(char *text, char *why, size_t size)
{
	char *rest = text, *line;

	snprintf(why, size, "the settings cannot be read");
	while ((line = strsep(&rest, "\n")) != NULL) {
		if (line[0] == '\0')
			continue;
		log_printable(line);
		if (line == text)
			snprintf(why, size, "%s", line);
		log_error("settings stay as they were: %s", line);
	}
}

static void
keep_text(char **fresh, const char *old, const char *key)
{
	const char *is = *fresh == NULL ? "" : *fresh;
	const char *was = old == NULL ? "" : old;

	if (strcmp(is, was) == 0)
		return;
	log_warn("%s stays as it was until a restart", key);
	free(*fresh);
	*fresh = old == NULL ? NULL : log_must_strdup(old);
}

static void
keep_number(unsigned *fresh, unsigned old, const char *key)
{
	if (*fresh != old)
		log_warn("%s stays %u until a restart", key, old);
	*fresh = old;
}

void
reload_keep(struct config *fresh, const struct config *old)
{
	keep_number(&fresh->max_tunnels, old->max_tunnels, "max-tunnels");
	keep_number(&fresh->max_workers, old->max_workers, "max-workers");
	keep_number(
	    &fresh->max_connections, old->max_connections, "max-connections");
	if (fresh->workers > fresh->max_workers)
		fresh->workers = fresh->max_workers;
	keep_text(&fresh->pid_file, old->pid_file, "pid-file");
	keep_text(
	    &fresh->control_socket, old->control_socket, "control-socket");
	keep_text(&fresh->user, old->user, "user");
	keep_text(&fresh->group, old->group, "group");
	keep_text(&fresh->sandbox, old->sandbox, "sandbox");
}

/* Without memory to read settings into the process ends, as it should when it
 * starts. So there must be some before it begins. */
static bool
has_memory(void)
{
	void *all = mmap(NULL, RELOAD_MEMORY, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return all != MAP_FAILED && munmap(all, RELOAD_MEMORY) == 0;
}

struct config *
reload_read(reload_read_fn *read, void *arg, const struct config *old,
    char *why, size_t size)
{
	struct config *fresh = NULL;
	char *text = NULL;
	size_t len;
	FILE *faults = has_memory() ? open_memstream(&text, &len) : NULL;

	snprintf(why, size, "out of memory");
	if (faults != NULL) {
		fresh = read(arg, faults);
		fclose(faults);
	}
	if (fresh != NULL)
		reload_keep(fresh, old);
	else if (text != NULL)
		say_faults(text, why, size);
	else
		log_error("settings stay as they were: %s", why);
	free(text);
	return fresh;
}
