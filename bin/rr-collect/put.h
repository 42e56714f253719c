/*
 * Text onto a buf, for what is written for each request: as buf_addf(), which
 * takes ten times as long.
 */
#ifndef PUT_H
#define PUT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "buf.h"

#define PUT_DIGITS_MAX	20	/* of a number */

/* Append a string.  0, or -1 as buf_reserve(). */
static inline int
put(struct buf *b, const char *s)
{
	return buf_add(b, s, strlen(s));
}

/* Append a number in base 10 or 16, with at least so many digits. */
static inline int
put_number(struct buf *b, uint64_t n, unsigned base, size_t digits)
{
	char text[PUT_DIGITS_MAX], *p = text + sizeof(text);

	do
		*--p = "0123456789abcdef"[n % base];
	while ((n /= base) > 0 || (size_t)(text + sizeof(text) - p) < digits);
	return buf_add(b, p, (size_t)(text + sizeof(text) - p));
}

/* The two together: a word and a decimal number. */
static inline int
put_pair(struct buf *b, const char *s, uint64_t n)
{
	return put(b, s) == -1 ? -1 : put_number(b, n, 10, 1);
}

#endif
