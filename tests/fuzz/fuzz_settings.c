/*
 * lib/settings.c: any text as the file.  What it gives out must stand in the
 * file, and a file that it refuses must be told of by its line.
 */
#include <sys/mman.h>

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "settings.h"

int LLVMFuzzerTestOneInput(const unsigned char *, size_t);

int
LLVMFuzzerTestOneInput(const unsigned char *p, size_t n)
{
	static const char *const names[] = { "RR_BASIN", "RR_PREFIX",
	    "S2_ACCESS_TOKEN", "S2_BASIN_ENDPOINT", "NOBODY_ASKS" };
	static struct settings s;
	static int fd = -1;
	char path[32];
	const char *value;
	bool yes;

	if (fd == -1)
		fd = memfd_create("settings", 0);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	setenv("RR_CONF", path, 1);
	assert(ftruncate(fd, 0) == 0 && pwrite(fd, p, n, 0) == (ssize_t)n);
	if (settings_load(&s) == -1) {
		assert(strncmp(s.why, path, strlen(path)) == 0 ||
		    strstr(s.why, path) != NULL);
	} else {
		for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
			value = settings_get(&s, names[i]);
			assert(value == NULL || (*value != '\0' &&
			    memmem(p, n, value, strlen(value)) != NULL));
		}
		assert(*settings_basin(&s) != '\0');
		settings_prefix(&s);
		settings_bool(&s, "S2_SSL_NO_VERIFY", false, &yes);
		/* Of a file that settings name nothing is asked here. */
		if (memmem(p, n, "_FILE", 5) == NULL)
			settings_secret(&s, "S2_ACCESS_TOKEN", &value);
	}
	settings_release(&s);
	return 0;
}
