#include <stdio.h>

#include "visible.h"

/* Sorted. */
static const struct {
	uint32_t first, last;
} unseen[] = {
	{ 0xad, 0xad }, { 0x61c, 0x61c }, { 0x115f, 0x1160 },
	{ 0x17b4, 0x17b5 }, { 0x180b, 0x180f }, { 0x200b, 0x200b },
	{ 0x200e, 0x200f }, { 0x2028, 0x202e }, { 0x2060, 0x206f },
	{ 0x3164, 0x3164 }, { 0xfeff, 0xfeff }, { 0xffa0, 0xffa0 },
	{ 0xfff0, 0xfffb }, { 0x1d173, 0x1d17a }, { 0xe0000, 0xe0fff },
};

bool
visible_is_unseen(uint32_t c, bool after_ascii)
{
	size_t i;

	if (c == 0x200c || c == 0x200d)
		return after_ascii;
	for (i = 0; i < sizeof unseen / sizeof *unseen; i++)
		if (c <= unseen[i].last)
			return c >= unseen[i].first;
	return false;
}

/* How many bytes a character has that begins so; 0 if none does. */
static int
length(unsigned char c)
{
	return c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 :
	    c < 0xf5 ? 4 : 0;
}

uint32_t
visible_character(const unsigned char *p, int *size)
{
	uint32_t c;
	int i;

	*size = length(*p);
	c = *size == 1 ? *p : *p & (0x7f >> *size);
	for (i = 1; i < *size; i++)
		c = c << 6 | (p[i] & 0x3f);
	return c;
}

/* Add what is held, as many bytes as a character has. */
static int
add_character(struct visible *v, struct buf *out)
{
	bool after_ascii = !v->after_other;
	char name[16];
	int size;
	uint32_t c = visible_character(v->held, &size);

	v->n = 0;
	v->after_other = c >= 0x80;
	/* An overlong form, or half of a pair. */
	if ((size == 3 && (c < 0x800 || (c >= 0xd800 && c < 0xe000))) ||
	    (size == 4 && (c < 0x10000 || c > 0x10ffff)) ||
	    (visible_is_control(c) && c != '\n' && c != '\t'))
		return buf_add(out, "?", 1);
	if (!visible_is_unseen(c, after_ascii))
		return buf_add(out, v->held, (size_t)size);
	size = snprintf(name, sizeof name, "<U+%04X>", c);
	return buf_add(out, name, (size_t)size);
}

int
visible_add(struct visible *v, struct buf *out, const void *bytes, size_t n)
{
	const unsigned char *p = bytes, *end = p + n;

	while (p < end) {
		if (v->n == 0) {
			if (length(*p) == 0) {
				v->after_other = true;
				p++;
				if (buf_add(out, "?", 1) == -1)
					return -1;
				continue;
			}
		} else if ((*p & 0xc0) != 0x80) {
			/* What was begun is no character; this may be one. */
			v->n = 0;
			v->after_other = true;
			if (buf_add(out, "?", 1) == -1)
				return -1;
			continue;
		}
		v->held[v->n++] = *p++;
		if (v->n == length(v->held[0]) && add_character(v, out) == -1)
			return -1;
	}
	return 0;
}
