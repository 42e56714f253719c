#include <errno.h>

#include "lines.h"

static const char hex[] = "0123456789abcdef";

int
lines_next(struct lines *l, const char **line, size_t *len)
{
	const unsigned char *start, *lf;
	size_t size;

	buf_take(&l->buf, l->pending);
	l->pending = 0;
	start = buf_bytes(&l->buf);
	size = buf_size(&l->buf);
	lf = size > l->searched ?
	    memchr(start + l->searched, '\n', size - l->searched) : NULL;
	if (lf == NULL) {
		l->searched = size;
		if (size > l->max) {
			errno = EMSGSIZE;
			return -1;
		}
		if (!l->eof || size == 0)
			return 0;
		lf = start + size;
		l->pending = size;
	} else {
		l->pending = lf - start + 1;
	}
	l->searched = 0;
	l->number++;
	*line = (const char *)start;
	*len = lf - start;
	if (*len > l->max) {
		errno = EMSGSIZE;
		return -1;
	}
	return 1;
}

ssize_t
lines_fill(struct lines *l)
{
	ssize_t n;

	n = buf_read(&l->buf, l->fd, LINES_READ);
	if (n == 0)
		l->eof = true;
	return n;
}

/* A value or name ends at a space or at the end of the line. */
static const char *
word_end(const char *p, const char *end)
{
	const char *space = memchr(p, ' ', end - p);

	return space == NULL ? end : space;
}

static bool
is_word(const char *p, const char *end)
{
	if (p == end)
		return false;
	for (; p < end; p++)
		if ((*p < 'a' || *p > 'z') && *p != '-')
			return false;
	return true;
}

static bool
is_value(const char *p, const char *end)
{
	for (; p < end; p++)
		if (*p < 0x21 || *p > 0x7e)
			return false;
	return true;
}

int
directive_parse(const char *line, size_t len, struct directive *d,
    const char **why)
{
	const char *end = line + len, *p, *e, *eq;

	memset(d, 0, sizeof *d);
	if (len > DIRECTIVE_MAX_BYTES) {
		*why = "a directive is longer than 131072 bytes";
		return -1;
	}
	d->name = line + 1;
	e = word_end(d->name, end);
	d->name_len = e - d->name;
	if (!is_word(d->name, e)) {
		*why = "a directive's name is not in lower-case letters";
		return -1;
	}
	for (p = e; p < end; p = e) {
		p++;
		if (p < end && *p == '{') {
			d->json = p;
			d->json_len = end - p;
			return 0;
		}
		e = word_end(p, end);
		eq = memchr(p, '=', e - p);
		if (eq == NULL || !is_word(p, eq) || !is_value(eq + 1, e)) {
			*why = "a directive's word is not KEY=VALUE";
			return -1;
		}
		if (d->nargs == DIRECTIVE_ARGS_MAX) {
			*why = "a directive has more than 16 words";
			return -1;
		}
		d->args[d->nargs].key = p;
		d->args[d->nargs].key_len = eq - p;
		d->args[d->nargs].value = eq + 1;
		d->args[d->nargs].value_len = e - eq - 1;
		d->nargs++;
	}
	return 0;
}

bool
directive_is(const struct directive *d, const char *name)
{
	return strlen(name) == d->name_len &&
	    memcmp(name, d->name, d->name_len) == 0;
}

static int
find(const struct directive *d, const char *key)
{
	size_t n = strlen(key);
	int i;

	for (i = 0; i < d->nargs; i++)
		if (d->args[i].key_len == n &&
		    memcmp(d->args[i].key, key, n) == 0)
			return i;
	return -1;
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

ssize_t
directive_value(const struct directive *d, const char *key, char *out,
    size_t size, const char **why)
{
	const char *p, *end;
	size_t n = 0;
	int i;

	*why = NULL;
	if ((i = find(d, key)) == -1)
		return -1;
	p = d->args[i].value;
	end = p + d->args[i].value_len;
	while (p < end) {
		if (n + 1 >= size) {
			*why = "a value is too long";
			return -1;
		}
		if (*p != '%') {
			out[n++] = *p++;
			continue;
		}
		if (end - p < 3 || hex_value(p[1]) == -1 ||
		    hex_value(p[2]) == -1) {
			*why = "a '%' is not followed by two hex digits";
			return -1;
		}
		out[n++] = (char)(hex_value(p[1]) << 4 | hex_value(p[2]));
		p += 3;
	}
	out[n] = '\0';
	return n;
}

int
directive_number(const struct directive *d, const char *key, uint64_t max,
    uint64_t *out, const char **why)
{
	const char *p, *end;
	uint64_t v = 0;
	int i;

	if ((i = find(d, key)) == -1)
		return 0;
	p = d->args[i].value;
	end = p + d->args[i].value_len;
	*why = "a number is missing or out of its range";
	if (p == end)
		return -1;
	for (; p < end; p++) {
		if (*p < '0' || *p > '9' || v > max / 10)
			return -1;
		v = v * 10 + (uint64_t)(*p - '0');
		if (v > max)
			return -1;
	}
	*out = v;
	return 1;
}

int
directive_tab(const struct directive *d, const char *key, uint32_t *out,
    const char **why)
{
	const char *p, *end;
	uint32_t v = 0;
	int i;

	if ((i = find(d, key)) == -1)
		return 0;
	p = d->args[i].value;
	end = p + d->args[i].value_len;
	*why = "a tab is not 1 to 8 lower-case hex digits";
	if (p == end || end - p > 8)
		return -1;
	for (; p < end; p++) {
		if (hex_value(*p) == -1 || (*p >= 'A' && *p <= 'F'))
			return -1;
		v = v << 4 | (uint32_t)hex_value(*p);
	}
	*out = v;
	return 1;
}

int
directive_add(struct buf *b, const char *key, const void *value, size_t n)
{
	const unsigned char *s = value;
	unsigned char *start, *p;
	size_t key_len = key == NULL ? 0 : strlen(key), i;

	if ((start = buf_reserve(b, key_len + 2 + 3 * n)) == NULL)
		return -1;
	p = start;
	if (key != NULL) {
		*p++ = ' ';
		memcpy(p, key, key_len);
		p += key_len;
		*p++ = '=';
	}
	for (i = 0; i < n; i++) {
		if (s[i] >= 0x21 && s[i] <= 0x7e && s[i] != '%') {
			*p++ = s[i];
		} else {
			*p++ = '%';
			*p++ = hex[s[i] >> 4];
			*p++ = hex[s[i] & 15];
		}
	}
	b->len += p - start;
	return 0;
}
