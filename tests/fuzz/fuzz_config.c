/* SPDX-License-Identifier: ISC
 *
 * A configuration file of any bytes: it is taken or refused, and what was
 * taken is within what the table allows.
 */
#define _GNU_SOURCE

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "server/config.h"
#include "server/config_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every number is in its range, whatever was read. */
static void
check(const struct config *c)
{
	for (size_t i = 0; i < config_options_n; i++) {
		const struct config_option *o = &config_options[i];
		unsigned n;

		if (o->type != CONFIG_NUMBER)
			continue;
		memcpy(&n, (const char *)c + o->offset, sizeof(n));
		assert(n >= o->min && n <= o->max);
	}
	assert(c->domain != NULL && strlen(c->domain) <= 190);
	assert(c->listen_n <= CONFIG_LISTEN_MAX);
	for (size_t i = 0; i < c->listen_n; i++)
		assert((c->listen[i].kinds & ~(unsigned)CONFIG_KINDS) == 0 &&
		       strlen(c->listen[i].public.host) < NET_HOST_MAX);
	assert(c->certificates.n <= CONFIG_PAIRS_MAX);
	assert(c->keys.n <= CONFIG_PAIRS_MAX);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config *c = config_new();
	FILE *terminal = stderr;
	char path[64], why[256];
	int fd = memfd_create("config", MFD_CLOEXEC);

	assert(fd != -1 && write(fd, data, size) == (ssize_t)size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	stderr = fopen("/dev/null", "we");
	config_file_read(c, path, true, stderr);
	fclose(stderr);
	stderr = terminal;
	check(c);
	config_finish(c, why, sizeof(why));
	config_free(c);
	close(fd);
	return 0;
}
