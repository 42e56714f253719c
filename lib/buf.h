/*
 * A growable run of bytes with a limit.
 *
 * Invariants: 'off' <= 'len' <= 'cap' <= 'max'; the bytes in use are
 * data[off..len).  Bytes are added at the end and taken from the front, so it
 * serves as a queue as well.  A buf of all zeros with a 'max' is an empty one.
 * Not NUL-terminated.  A pointer into it is good until the next call that
 * adds.
 */
#ifndef BUF_H
#define BUF_H

#include <stddef.h>
#include <sys/types.h>

struct buf {
	unsigned char *data;
	size_t off;
	size_t len;
	size_t cap;
	size_t max;		/* bytes it may ever hold */
};

#define BUF_INIT(limit)	{ .max = (limit) }

/* Free its memory; it is then empty, with the same limit. */
void buf_release(struct buf *);

/* Forget its bytes, keep its memory. */
void buf_clear(struct buf *);

static inline size_t
buf_size(const struct buf *b)
{
	return b->len - b->off;
}

static inline unsigned char *
buf_bytes(const struct buf *b)
{
	/* NULL + 0 is undefined in C. */
	return b->off > 0 ? b->data + b->off : b->data;
}

/*
 * Make room for n more bytes and return where they go; 'len' is unchanged:
 * add what was written to it.  NULL with errno ENOBUFS if that would pass the
 * limit, ENOMEM if there is no memory; the buf is as it was.
 */
unsigned char *buf_reserve(struct buf *, size_t n);

/* Add n bytes.  0, or -1 as buf_reserve(). */
int buf_add(struct buf *, const void *, size_t n);

/* Add formatted text, without a NUL.  0, or -1 as buf_reserve(). */
int buf_addf(struct buf *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Take n bytes (at most its size) from the front. */
void buf_take(struct buf *, size_t n);

/*
 * Read once from fd, at most n bytes.  The count, 0 at the end, or -1 with
 * errno (EINTR is retried; ENOBUFS, ENOMEM as above).
 */
ssize_t buf_read(struct buf *, int fd, size_t n);

/*
 * Write once to fd from the front and take what was written.  The count, or
 * -1 with errno (EINTR is retried).
 */
ssize_t buf_write(struct buf *, int fd);

/* Write all of it to a blocking fd.  0, or -1 with errno. */
int buf_flush(struct buf *, int fd);

#endif
