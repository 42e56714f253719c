/*
 * lib/scan.c against libjq's parser and a plain reading of JSON's grammar.
 *
 * jq 1.6 takes more than we do: bytes that are not UTF-8, control characters
 * in strings, numbers such as 01 and nan, values of any kind; and less: 256
 * levels, no half of a surrogate pair.  So jq must take what we take, and read
 * the same type and time in it; and whether we should take it is decided by
 * the plain reading below.
 */
#include <assert.h>
#include <math.h>

#include <jv.h>

#include "scan.h"

#define JQ_DEPTH_MAX	256
#define JQ_DIGITS_MAX	15	/* that a double holds in any case */

/* The next byte, or -1 at the end. */
struct text {
	const unsigned char *p;
	const unsigned char *end;
};

static int
peek(const struct text *t)
{
	return t->p < t->end ? *t->p : -1;
}

static bool
take(struct text *t, int c)
{
	if (peek(t) != c)
		return false;
	t->p++;
	return true;
}

static void
blanks(struct text *t)
{
	while (take(t, ' ') || take(t, '\t') || take(t, '\n') || take(t, '\r'))
		continue;
}

static bool
digits(struct text *t)
{
	const unsigned char *start = t->p;

	while (peek(t) >= '0' && peek(t) <= '9')
		t->p++;
	return t->p > start;
}

static bool
number(struct text *t)
{
	take(t, '-');
	if (!take(t, '0') && !digits(t))
		return false;
	if (take(t, '.') && !digits(t))
		return false;
	if (take(t, 'e') || take(t, 'E')) {
		if (!take(t, '+'))
			take(t, '-');
		return digits(t);
	}
	return true;
}

/* The code point, by its length; then what the length does not say. */
static bool
utf8(struct text *t)
{
	unsigned c = *t->p++, n, i;
	unsigned long v;

	n = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
	if (c < 0xc0 || c >= 0xf8)
		return false;
	v = c & (0x3f >> n);
	for (i = 0; i < n; i++, t->p++) {
		if (peek(t) == -1 || (*t->p & 0xc0) != 0x80)
			return false;
		v = v << 6 | (*t->p & 0x3f);
	}
	return v >= (n == 1 ? 0x80u : n == 2 ? 0x800u : 0x10000u) &&
	    v <= 0x10ffff && (v < 0xd800 || v > 0xdfff);
}

static bool
string(struct text *t)
{
	int i;

	if (!take(t, '"'))
		return false;
	while (peek(t) != '"') {
		if (peek(t) < 0x20)
			return false;
		if (peek(t) >= 0x80) {
			if (!utf8(t))
				return false;
		} else if (!take(t, '\\')) {
			t->p++;
		} else if (take(t, 'u')) {
			for (i = 0; i < 4; i++, t->p++)
				if (peek(t) <= 0 ||
				    strchr("0123456789abcdefABCDEF",
				    peek(t)) == NULL)
					return false;
		} else if (peek(t) <= 0 ||
		    strchr("\"\\/bfnrt", peek(t)) == NULL) {
			return false;
		} else {
			t->p++;
		}
	}
	return take(t, '"');
}

static bool
word(struct text *t, const char *s)
{
	while (*s != '\0')
		if (!take(t, *s++))
			return false;
	return true;
}

/* *deepest is the greatest depth met. */
static bool
value(struct text *t, int depth, int *deepest)
{
	const int close = peek(t) == '{' ? '}' : ']';

	if (peek(t) == '"')
		return string(t);
	if (peek(t) == 't')
		return word(t, "true");
	if (peek(t) == 'f')
		return word(t, "false");
	if (peek(t) == 'n')
		return word(t, "null");
	if (peek(t) != '{' && peek(t) != '[')
		return number(t);
	if (++depth > *deepest)
		*deepest = depth;
	if (depth > SCAN_DEPTH_MAX)
		return false;
	t->p++;
	blanks(t);
	if (take(t, close))
		return true;
	do {
		blanks(t);
		if (close == '}') {
			if (!string(t))
				return false;
			blanks(t);
			if (!take(t, ':'))
				return false;
			blanks(t);
		}
		if (!value(t, depth, deepest))
			return false;
		blanks(t);
	} while (take(t, ','));
	return take(t, close);
}

/* How many digits the text has: jq's numbers are exact up to some. */
static int
count_digits(const unsigned char *p, size_t n)
{
	int most = 0, now = 0;

	for (; n > 0; n--, p++) {
		if (*p >= '0' && *p <= '9')
			now++;
		else if (*p != '.')
			now = 0;
		if (now > most)
			most = now;
	}
	return most;
}

static void
compare(const unsigned char *p, size_t n, const struct scan *s)
{
	jv v = jv_parse_sized((const char *)p, (int)n), type, time;
	double d;

	if (!jv_is_valid(v)) {
		v = jv_invalid_get_msg(v);
		assert(strstr(jv_string_value(v), "surrogate pair") != NULL);
		jv_free(v);
		return;
	}
	if (jv_get_kind(v) == JV_KIND_STRING) {
		assert(s->type == EVENT_NONE && !s->has_time);
		jv_free(v);
		return;
	}
	type = jv_object_get(jv_copy(v), jv_string("type"));
	time = jv_object_get(v, jv_string("timestamp"));
	if (count_digits(p, n) <= JQ_DIGITS_MAX) {
		d = jv_get_kind(type) == JV_KIND_NUMBER ?
		    jv_number_value(type) : -1;
		assert(s->type == (d == floor(d) && d >= 0 && d <= 255 ?
		    (int)d : EVENT_NONE));
		d = jv_get_kind(time) == JV_KIND_NUMBER ?
		    floor(jv_number_value(time)) : INFINITY;
		assert(s->has_time == (fabs(d) < 0x1p47));
		assert(!s->has_time || (double)s->time == d);
	}
	jv_free(type);
	jv_free(time);
}

int LLVMFuzzerTestOneInput(const unsigned char *, size_t);

int
LLVMFuzzerTestOneInput(const unsigned char *p, size_t n)
{
	/* Of exactly this size, so that reading beyond is seen. */
	char *copy = malloc(n > 0 ? n : 1);
	struct text t = { p, p + n };
	struct buf line = BUF_INIT(n + 1);
	struct scan s, again;
	const char *member;
	size_t len, member_len;
	int deepest = 0;
	bool good;
	ssize_t r;

	memcpy(copy, p, n);
	good = (peek(&t) == '{' || peek(&t) == '"') && value(&t, 0, &deepest);
	len = t.p - p;

	/* As an element of an array: its end is where the value ends. */
	r = scan_value(copy, n, &s);
	assert((r > 0) == good);
	assert(r <= 0 || (size_t)r == len);
	assert(r >= 0 || (s.column >= 1 && s.column <= n));
	if (good && len < n) {
		/* Cut off anywhere before, it is not complete. */
		assert(scan_value(copy, len - 1, &again) == 0);
		assert(scan_value(copy, len / 2, &again) == 0);
	}

	/* As a line. */
	blanks(&t);
	good = good && t.p == t.end;
	assert((scan_event(copy, n, &s) == 0) == good);
	if (!good) {
		assert(s.column >= 1 && s.column <= n + 1 && s.why != NULL);
	} else {
		if (deepest <= JQ_DEPTH_MAX)
			compare(p, n, &s);
		assert(scan_add_line(&line, copy, n) == 0);
		assert(memchr(buf_bytes(&line), '\n', buf_size(&line)) == NULL);
		assert(scan_event((char *)buf_bytes(&line), buf_size(&line),
		    &again) == 0);
		assert(again.type == s.type && again.time == s.time);
		scan_member(copy, n, "data", &member, &member_len);
	}
	buf_release(&line);
	free(copy);
	return 0;
}
