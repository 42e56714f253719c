#include <errno.h>

#include "hex.h"
#include "lines.h"
#include "record.h"
#include "session.h"

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
			l->number++;
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
	d->name = line + 1;
	e = word_end(d->name, end);
	d->name_len = e - d->name;
	if (len > (directive_is(d, "record") ? DIRECTIVE_RECORD_MAX :
	    DIRECTIVE_MAX_BYTES)) {
		*why = "a directive is too long";
		return -1;
	}
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

static int
number(const char *p, const char *end, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;
	unsigned digit;

	if (p == end)
		return -1;
	for (; p < end; p++) {
		if (*p < '0' || *p > '9')
			return -1;
		digit = (unsigned)(*p - '0');
		if (v > max / 10 || digit > max - v * 10)
			return -1;
		v = v * 10 + digit;
	}
	*out = v;
	return 0;
}

int
directive_number(const struct directive *d, const char *key, uint64_t max,
    uint64_t *out, const char **why)
{
	const char *p;
	int i;

	if ((i = find(d, key)) == -1)
		return 0;
	p = d->args[i].value;
	if (number(p, p + d->args[i].value_len, max, out) == 0)
		return 1;
	*why = "a number is missing or out of its range";
	return -1;
}

int
directive_time(const struct directive *d, const char *key, int64_t *out,
    const char **why)
{
	const char *p;
	uint64_t v;
	bool minus;
	int i;

	if ((i = find(d, key)) == -1)
		return 0;
	p = d->args[i].value;
	minus = d->args[i].value_len > 0 && *p == '-';
	if (number(p + minus, p + d->args[i].value_len, RECORD_TIME_MAX,
	    &v) == 0) {
		*out = minus ? -(int64_t)v : (int64_t)v;
		return 1;
	}
	*why = "a time is no number";
	return -1;
}

int
directive_range(const struct directive *d, const char *key, uint64_t max,
    uint64_t *first, uint64_t *last, const char **why)
{
	const char *p, *end, *dash;
	int i;

	if ((i = find(d, key)) == -1)
		return 0;
	p = d->args[i].value;
	end = p + d->args[i].value_len;
	*why = "a range is not N or N-M";
	if ((dash = memchr(p, '-', end - p)) == NULL) {
		if (number(p, end, max, first) == -1)
			return -1;
		*last = *first;
		return 1;
	}
	if (number(p, dash, max, first) == -1 ||
	    number(dash + 1, end, max, last) == -1 || *last < *first)
		return -1;
	return 1;
}

int
directive_tab(const struct directive *d, const char *key, uint32_t *out,
    const char **why)
{
	int i;

	if ((i = find(d, key)) == -1)
		return 0;
	*why = "a tab is not 1 to 8 lower-case hex digits";
	return session_tab_parse(d->args[i].value, d->args[i].value_len,
	    out) ? 1 : -1;
}

/* " key=" with room for n more bytes; where those go, or NULL. */
static unsigned char *
add_key(struct buf *b, const char *key, size_t n)
{
	size_t len = key == NULL ? 0 : strlen(key);

	if (buf_reserve(b, len + 2 + n) == NULL)
		return NULL;
	if (key != NULL) {
		buf_add(b, " ", 1);
		buf_add(b, key, len);
		buf_add(b, "=", 1);
	}
	return b->data + b->len;
}

int
directive_add(struct buf *b, const char *key, const void *value, size_t n)
{
	const unsigned char *s = value;
	unsigned char *p;
	size_t i;

	if ((p = add_key(b, key, 3 * n)) == NULL)
		return -1;
	for (i = 0; i < n; i++) {
		if (s[i] >= 0x21 && s[i] <= 0x7e && s[i] != '%') {
			*p++ = s[i];
		} else {
			*p++ = '%';
			*p++ = hex[s[i] >> 4];
			*p++ = hex[s[i] & 15];
		}
	}
	b->len = p - b->data;
	return 0;
}

int
directive_add_hex(struct buf *b, const char *key, const void *value, size_t n)
{
	const unsigned char *s = value;
	unsigned char *p;
	size_t i;

	if ((p = add_key(b, key, 2 * n)) == NULL)
		return -1;
	for (i = 0; i < n; i++) {
		*p++ = hex[s[i] >> 4];
		*p++ = hex[s[i] & 15];
	}
	b->len = p - b->data;
	return 0;
}

int
directive_hex(const struct directive *d, const char *key, struct buf *b,
    const char **why)
{
	unsigned char *out;
	const char *p;
	size_t n;
	int arg;

	if ((arg = find(d, key)) == -1)
		return 0;
	p = d->args[arg].value;
	n = d->args[arg].value_len;
	*why = "a value is not in hex";
	if (n % 2 != 0 || (out = buf_reserve(b, n / 2)) == NULL ||
	    hex_get(p, out, n / 2) == -1)
		return -1;
	b->len += n / 2;
	return 1;
}

/* RFC 4648, section 4: with padding, without white space. */
static const char base64[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int
directive_add_base64(struct buf *b, const char *key, const void *value,
    size_t n)
{
	const unsigned char *s = value;
	unsigned char *p;
	unsigned v, left;
	size_t i;

	if ((p = add_key(b, key, (n + 2) / 3 * 4)) == NULL)
		return -1;
	for (i = 0; i < n; i += 3) {
		left = n - i < 3 ? (unsigned)(n - i) : 3;
		v = (unsigned)s[i] << 16;
		if (left > 1)
			v |= (unsigned)s[i + 1] << 8;
		if (left > 2)
			v |= s[i + 2];
		*p++ = base64[v >> 18];
		*p++ = base64[v >> 12 & 63];
		*p++ = left > 1 ? base64[v >> 6 & 63] : '=';
		*p++ = left > 2 ? base64[v & 63] : '=';
	}
	b->len = p - b->data;
	return 0;
}

int
directive_base64(const struct directive *d, const char *key, struct buf *b,
    const char **why)
{
	unsigned char *out;
	const char *p, *digit;
	size_t n, i, padding = 0;
	uint32_t v = 0;
	int arg;

	if ((arg = find(d, key)) == -1)
		return 0;
	p = d->args[arg].value;
	n = d->args[arg].value_len;
	*why = "a value is not in base64";
	if (n % 4 != 0 || (out = buf_reserve(b, n / 4 * 3)) == NULL)
		return -1;
	while (padding < 2 && padding < n && p[n - padding - 1] == '=')
		padding++;
	for (i = 0; i < n; i++) {
		digit = i < n - padding ? strchr(base64, p[i]) : base64;
		if (digit == NULL)
			return -1;
		v = v << 6 | (uint32_t)(digit - base64);
		if (i % 4 == 3) {
			*out++ = (unsigned char)(v >> 16);
			*out++ = (unsigned char)(v >> 8);
			*out++ = (unsigned char)v;
		}
	}
	b->len += n / 4 * 3 - padding;
	return 1;
}
