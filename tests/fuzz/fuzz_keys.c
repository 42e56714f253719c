/*
 * bin/rr-collect: any text as the file of keys, and what stands behind a NUL
 * as the file when it is read again.
 */
#include <sys/mman.h>

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../../bin/rr-collect/keys.h"

#define ORIGIN	"https://shop.example"

int LLVMFuzzerTestOneInput(const unsigned char *, size_t);

static int
read_keys(struct keys *keys, const unsigned char *p, size_t n)
{
	static int fd = -1;
	char path[32], why[512] = "";
	int r;

	if (fd == -1)
		fd = memfd_create("keys", 0);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	assert(ftruncate(fd, 0) == 0 && pwrite(fd, p, n, 0) == (ssize_t)n);
	r = keys_load(keys, path, why, sizeof why);
	assert((r == -1) == (why[0] != '\0'));
	return r;
}

int
LLVMFuzzerTestOneInput(const unsigned char *p, size_t n)
{
	struct keys keys = { 0 };
	const unsigned char *again = memchr(p, '\0', n);
	size_t first = again == NULL ? n : (size_t)(again - p);
	struct key *k;

	/* No program of another directory. */
	if (memmem(p, n, "filter=/", 8) != NULL)
		return 0;
	if (read_keys(&keys, p, first) == 0) {
		for (int i = 0; i < keys.n; i++) {
			k = keys.list[i];
			assert(key_by_name(&keys, k->name) == k);
			assert(key_by_number(&keys, k->number) == k);
			key_allows(k, NULL);
			key_allows(k, ORIGIN);
			key_allows(k, "null");
		}
		if (again != NULL)
			read_keys(&keys, again + 1, n - first - 1);
		for (int i = 0; i < keys.n; i++) {
			k = keys.list[i];
			assert((key_by_name(&keys, k->name) == NULL) ==
			    k->revoked);
		}
	}
	keys_free(&keys);
	return 0;
}
