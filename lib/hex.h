/*
 * Hex digits, of either case.
 */
#ifndef HEX_H
#define HEX_H

#include <stddef.h>

/* What a digit stands for, or -1 if it is none. */
static inline int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The n bytes that are written in the 2 n digits at s.  0, or -1 if not. */
static inline int
hex_get(const char *s, unsigned char *p, size_t n)
{
	int high, low;

	for (; n > 0; n--, s += 2) {
		if ((high = hex_value(s[0])) == -1 ||
		    (low = hex_value(s[1])) == -1)
			return -1;
		*p++ = (unsigned char)(high << 4 | low);
	}
	return 0;
}

#endif
