/* SPDX-License-Identifier: ISC
 *
 * Preloaded (LD_PRELOAD) it lets allocations fail: so many of 10,000 as a word
 * in the file NO_MEMORY says. 15-no-memory.py writes that word. The file is
 * mapped before main(), so workers need neither the file system nor a system
 * call for it, and all processes draw from one row of numbers.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct word {
	_Atomic uint64_t rate; /* of 10,000 */
	_Atomic uint64_t drawn;
	_Atomic uint64_t failed;
};

static struct word none;
static struct word *word = &none;

/* What the C library's own are called beside their usual names. */
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);

__attribute__((constructor)) static void
map_word(void)
{
	const char *path = getenv("NO_MEMORY");
	int fd = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
	void *at;

	if (fd == -1)
		return;
	at = mmap(
	    NULL, sizeof(*word), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (at != MAP_FAILED)
		word = at;
}

/* Draws a number (splitmix64): the row is always the same, who draws which one
 * is not. */
static bool
fails(void)
{
	uint64_t rate = word->rate, n;

	if (rate == 0)
		return false;
	n = (word->drawn++ + 1) * 0x9e3779b97f4a7c15;
	n = (n ^ n >> 30) * 0xbf58476d1ce4e5b9;
	n = (n ^ n >> 27) * 0x94d049bb133111eb;
	if ((n ^ n >> 31) % 10000 >= rate)
		return false;
	word->failed++;
	errno = ENOMEM;
	return true;
}

void *
malloc(size_t size)
{
	return fails() ? NULL : __libc_malloc(size);
}

void *
calloc(size_t n, size_t size)
{
	return fails() ? NULL : __libc_calloc(n, size);
}

void *
realloc(void *p, size_t size)
{
	return fails() ? NULL : __libc_realloc(p, size);
}
