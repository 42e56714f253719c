/*
 * Text of a recording for a terminal: what moves the cursor, shows nothing or
 * turns the text around it is written out, so that nobody's page plays with the
 * screen of who looks at it.
 */
#ifndef VISIBLE_H
#define VISIBLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"

/*
 * True if c shows nothing or turns what is around it: Unicode's default
 * ignorables and bidirectional controls.  Joiners (U+200C, U+200D) belong to
 * scripts and emoji, and are none behind a character that is not ASCII.
 */
bool visible_is_unseen(uint32_t c, bool after_ascii);

/* True for C0, DEL and C1 (U+0080 to U+009F). */
static inline bool
visible_is_control(uint32_t c)
{
	return c < ' ' || (c >= 0x7f && c < 0xa0);
}

/* The character at p, which is whole and valid UTF-8, and its bytes. */
uint32_t visible_character(const unsigned char *p, int *size);

/* What was seen of a text that comes in pieces; {0} before the first one. */
struct visible {
	unsigned char held[4];	/* the beginning of a character */
	unsigned char n;
	bool after_other;	/* the last one was not ASCII */
};

/*
 * Add the n bytes at p to out: control characters but LF and tab, and bytes
 * that are no UTF-8, as '?', what cannot be seen as <U+202E>.  A character that
 * is cut off waits for the next piece.  0, or -1 with errno as buf_reserve().
 */
int visible_add(struct visible *, struct buf *out, const void *p, size_t n);

#endif
