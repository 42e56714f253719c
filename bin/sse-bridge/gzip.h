/*
 * An answer that is compressed on its way from a pipe.
 */
#ifndef GZIP_H
#define GZIP_H

#include <sys/types.h>

#define GZIP_READ	16384	/* bytes taken from the pipe at a time */

struct gzip;

/* About 300 KiB.  NULL if there is no memory. */
struct gzip *gzip_new(void);
void gzip_free(struct gzip *g);		/* NULL is fine */

/*
 * Like read(2), but what comes is compressed: -1 with EAGAIN only when all
 * that the pipe gave was handed out, 0 at its end, when gzip_finish() has the
 * rest.  'max' is at least 64.
 */
ssize_t gzip_read(struct gzip *g, int fd, char *p, size_t max);

/* Bytes of the end; 0 when that was all. */
size_t gzip_finish(struct gzip *g, char *p, size_t max);

#endif
