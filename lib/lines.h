/*
 * The line format, rr-lines(5): reading lines, reading and writing
 * directives.  Events are judged by scan.h.
 */
#ifndef LINES_H
#define LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "buf.h"

#define LINE_MAX_BYTES		((64u << 20) - 1)	/* a line, without LF */
#define DIRECTIVE_MAX_BYTES	131072
#define DIRECTIVE_RECORD_MAX	1400000	/* a :record, with its BASE64 */
#define DIRECTIVE_ARGS_MAX	16

/*
 * Reads lines from a descriptor.  Set up with LINES_INIT; release with
 * buf_release(&l->buf).
 */
struct lines {
	int fd;
	bool eof;
	uint64_t number;	/* of the line last returned, from 1 */
	size_t searched;	/* bytes of buf known to hold no LF */
	size_t pending;		/* bytes of the last line, taken at next call */
	size_t max;		/* bytes of a line */
	struct buf buf;
};

#define LINES_INIT(descriptor, limit) {					\
	.fd = (descriptor), .max = (limit),				\
	.buf = BUF_INIT((limit) + LINES_READ + 1)			\
}
#define LINES_READ	(256u << 10)	/* bytes asked of one read() */

/*
 * The next line that is already here.  1 with *line and *len (no LF; good
 * until the next call on l); 0 if none is complete: call lines_fill(), or at
 * eof there are no more (a last line without LF is returned as a line);
 * -1 with errno EMSGSIZE if the line is longer than the limit.
 */
int lines_next(struct lines *l, const char **line, size_t *len);

/*
 * Read once.  The bytes read, 0 at the end of the file (then l->eof), -1 with
 * errno (EAGAIN on a non-blocking descriptor with nothing to read).
 */
ssize_t lines_fill(struct lines *l);

/* A directive, as directive_parse() found it; pointers into the line. */
struct directive {
	const char *name;
	size_t name_len;
	int nargs;
	struct {
		const char *key;
		size_t key_len;
		const char *value;	/* as written, %XX and all */
		size_t value_len;
	} args[DIRECTIVE_ARGS_MAX];
	const char *json;		/* NULL if there is none */
	size_t json_len;
};

/*
 * Take a line that starts with ':' apart.  0, or -1 with *why a constant
 * text.  That 'json' is JSON is for the caller to check.
 */
int directive_parse(const char *line, size_t len, struct directive *d,
    const char **why);

/* True if its name is 'name'. */
bool directive_is(const struct directive *d, const char *name);

/*
 * The value of a key, decoded and NUL-terminated in out of 'size' bytes.
 * Its length, or -1: no such key (*why NULL), or too long, or badly encoded
 * (*why says).
 */
ssize_t directive_value(const struct directive *d, const char *key, char *out,
    size_t size, const char **why);

/*
 * The value of a key as a decimal number of at most max.  1, 0 if there is no
 * such key, -1 with *why if it is no such number.
 */
int directive_number(const struct directive *d, const char *key, uint64_t max,
    uint64_t *out, const char **why);

/* The same for a time, or a difference of two: ms, |*out| <= 2^47. */
int directive_time(const struct directive *d, const char *key, int64_t *out,
    const char **why);

/* The same for a range, N or N-M; *last is not less than *first. */
int directive_range(const struct directive *d, const char *key, uint64_t max,
    uint64_t *first, uint64_t *last, const char **why);

/* The same for a tab: 1 to 8 lower-case hex digits. */
int directive_tab(const struct directive *d, const char *key, uint32_t *out,
    const char **why);

/*
 * Append " key=value" with the value encoded, or without a leading key if key
 * is NULL.  0, or -1 as buf_reserve().
 */
int directive_add(struct buf *b, const char *key, const void *value, size_t n);

/*
 * The same with the bytes in hex, or in base64; and the way back, the bytes
 * added to b: 1, 0 if there is no such key, -1 with *why.
 */
int directive_add_hex(struct buf *b, const char *key, const void *value,
    size_t n);
int directive_add_base64(struct buf *b, const char *key, const void *value,
    size_t n);
int directive_hex(const struct directive *d, const char *key, struct buf *b,
    const char **why);
int directive_base64(const struct directive *d, const char *key,
    struct buf *b, const char **why);

#endif
