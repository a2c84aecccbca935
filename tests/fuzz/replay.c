/* SPDX-License-Identifier: ISC
 *
 * Runs a fuzz target over files instead of a fuzzer's inventions, with any
 * compiler: each file twice, so that state kept between two calls shows, from
 * a heap block of exactly its size, so that a read past its end shows under
 * ASan. Linked with one tests/fuzz/fuzz_*.c.
 *
 *	replay_ltp FILE|DIRECTORY...
 */
#include <dirent.h>
#include <err.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
replay_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	struct stat st;
	uint8_t *data;
	size_t size;

	if (file == NULL || fstat(fileno(file), &st) == -1)
		err(1, "%s", path);
	size = (size_t)st.st_size;
	data = malloc(size);
	if (data == NULL && size > 0)
		err(1, "%s", path);
	if (fread(data, 1, size, file) != size)
		err(1, "%s", path);
	fclose(file);
	printf("%s\n", path);
	fflush(stdout);
	LLVMFuzzerTestOneInput(data, size);
	LLVMFuzzerTestOneInput(data, size);
	free(data);
}

static int
is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static int
replay_directory(const char *path)
{
	struct dirent **entries;
	char file[4096];
	int count = scandir(path, &entries, is_visible, alphasort);

	if (count == -1)
		err(1, "%s", path);
	for (int i = 0; i < count; i++) {
		snprintf(file, sizeof(file), "%s/%s", path, entries[i]->d_name);
		replay_file(file);
		free(entries[i]);
	}
	free(entries);
	return count;
}

int
main(int argc, char **argv)
{
	struct stat st;
	int count = 0;

	for (int i = 1; i < argc; i++) {
		if (stat(argv[i], &st) == -1)
			err(1, "%s", argv[i]);
		if (S_ISDIR(st.st_mode)) {
			count += replay_directory(argv[i]);
		} else {
			replay_file(argv[i]);
			count++;
		}
	}
	if (count == 0)
		errx(1, "no input");
	return 0;
}
