#include "gzip.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#define WINDOW_BITS	(15 + 16)	/* 32 KiB; with gzip's head and tail */
#define MEMORY		8

struct gzip {
	z_stream z;
	bool held;		/* deflate may have kept some to itself */
	unsigned char in[GZIP_READ];
};

struct gzip *
gzip_new(void)
{
	struct gzip *g = calloc(1, sizeof *g);

	if (g == NULL)
		return NULL;
	/* It is to cost less time than it saves, on a fast line too. */
	if (deflateInit2(&g->z, Z_BEST_SPEED, Z_DEFLATED, WINDOW_BITS, MEMORY,
	    Z_DEFAULT_STRATEGY) == Z_OK)
		return g;
	free(g);
	return NULL;
}

void
gzip_free(struct gzip *g)
{
	if (g == NULL)
		return;
	deflateEnd(&g->z);
	free(g);
}

/* Compress what is there.  How many bytes that made. */
static size_t
squeeze(struct gzip *g, char *p, size_t max, int flush)
{
	g->z.next_out = (unsigned char *)p;
	g->z.avail_out = (unsigned)max;
	deflate(&g->z, flush);
	return max - g->z.avail_out;
}

/* Read more.  As read(2). */
static ssize_t
take(struct gzip *g, int fd)
{
	ssize_t n;

	do
		n = read(fd, g->in, sizeof g->in);
	while (n == -1 && errno == EINTR);
	if (n > 0) {
		g->z.next_in = g->in;
		g->z.avail_in = (unsigned)n;
		g->held = true;
	}
	return n;
}

ssize_t
gzip_read(struct gzip *g, int fd, char *p, size_t max)
{
	size_t made;
	ssize_t n;

	for (;;) {
		if (g->z.avail_in == 0) {
			n = take(g, fd);
			if (n == 0 || (n == -1 && errno != EAGAIN) ||
			    (n == -1 && !g->held))
				return n;
			if (n == -1) {
				/* The pipe rests: let all of it go. */
				made = squeeze(g, p, max, Z_SYNC_FLUSH);
				g->held = made == max;
				if (made > 0)
					return (ssize_t)made;
				errno = EAGAIN;
				return -1;
			}
		}
		made = squeeze(g, p, max, Z_NO_FLUSH);
		if (made > 0)
			return (ssize_t)made;
	}
}

size_t
gzip_finish(struct gzip *g, char *p, size_t max)
{
	return squeeze(g, p, max, Z_FINISH);
}
