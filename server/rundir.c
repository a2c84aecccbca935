/* SPDX-License-Identifier: ISC */
#include "server/rundir.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

void
rundir_make(const char *path)
{
	char *dir = strdup(path);
	char *slash = dir == NULL ? NULL : strrchr(dir, '/');

	if (slash != NULL && slash != dir) {
		*slash = '\0';
		/* Others find their way through it, whatever umask says. */
		if (mkdir(dir, 0755) == 0)
			(void)chmod(dir, 0755);
	}
	free(dir);
}
