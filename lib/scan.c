#include "hex.h"
#include "scan.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/*
 * Most bytes of a recording stand in strings, and most strings hold only
 * plain bytes: ASCII but '"', '\' and controls.  So strings are passed in
 * blocks of plain bytes, and the rest is a machine that goes by single bytes.
 */
#ifdef __SSE2__

#define BLOCK	16

/* A bit for each byte of the block that is not plain, the first one lowest. */
static inline unsigned
block_special(const char *p)
{
	const __m128i v = _mm_loadu_si128((const __m128i *)p);
	const __m128i control = _mm_cmplt_epi8(v, _mm_set1_epi8(0x20));
	const __m128i quote = _mm_cmpeq_epi8(v, _mm_set1_epi8('"'));
	const __m128i slash = _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'));

	/* As signed bytes, those above 0x7f are less than 0x20 too. */
	return (unsigned)_mm_movemask_epi8(
	    _mm_or_si128(control, _mm_or_si128(quote, slash)));
}

static inline int
block_first(unsigned special)
{
	return __builtin_ctz(special);
}

#else

#define BLOCK	8
#define ONES	0x0101010101010101u
#define HIGHS	0x8080808080808080u

/*
 * The same with the high bit of each byte.  The subtractions may borrow into
 * the byte above one that is special, so only the lowest bit is exact.
 */
static inline uint64_t
block_special(const char *p)
{
	uint64_t v, quote, slash;

	memcpy(&v, p, sizeof v);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	v = __builtin_bswap64(v);
#endif
	quote = v ^ ('"' * ONES);
	slash = v ^ ('\\' * ONES);
	return ((v - 0x20 * ONES) | (quote - ONES) | (slash - ONES) | v) &
	    HIGHS;
}

static inline int
block_first(uint64_t special)
{
	return __builtin_ctzll(special) / 8;
}

#endif

/* The state of a scan; the cursor itself is passed and returned. */
struct state {
	const char *end;
	const char *at;			/* where it went wrong */
	const char *why;
};

static const char incomplete[] = "the value is not complete";

static const char *
wrong(struct state *st, const char *at, const char *why)
{
	st->at = at;
	st->why = at == st->end ? incomplete : why;
	return NULL;
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/*
 * Pass one UTF-8 sequence of two to four bytes.  Source: Unicode, table 3-7
 * (well-formed byte sequences).
 */
static const char *
pass_utf8(const char *p, struct state *st)
{
	unsigned char c = (unsigned char)*p, low = 0x80, high = 0xbf;
	int more;

	if (c >= 0xc2 && c <= 0xdf) {
		more = 1;
	} else if (c >= 0xe0 && c <= 0xef) {
		more = 2;
		if (c == 0xe0)
			low = 0xa0;
		else if (c == 0xed)
			high = 0x9f;
	} else if (c >= 0xf0 && c <= 0xf4) {
		more = 3;
		if (c == 0xf0)
			low = 0x90;
		else if (c == 0xf4)
			high = 0x8f;
	} else {
		return wrong(st, p, "not UTF-8");
	}
	for (p++; more > 0; p++, more--) {
		if (p == st->end || (unsigned char)*p < low ||
		    (unsigned char)*p > high)
			return wrong(st, p, "not UTF-8");
		low = 0x80;
		high = 0xbf;
	}
	return p;
}

bool
scan_is_utf8(const char *p, size_t len)
{
	struct state st = { .end = p + len };

	while (p != NULL && p < st.end)
		p = (unsigned char)*p < 0x80 ? p + 1 : pass_utf8(p, &st);
	return p != NULL;
}

/* Pass an escape; p is at the backslash. */
static const char *
pass_escape(const char *p, struct state *st)
{
	int i;

	if (++p == st->end)
		return wrong(st, p, NULL);
	switch (*p) {
	case '"': case '\\': case '/':
	case 'b': case 'f': case 'n': case 'r': case 't':
		return p + 1;
	case 'u':
		for (i = 0, p++; i < 4; i++, p++)
			if (p == st->end || hex_value(*p) == -1)
				return wrong(st, p,
				    "\\u is not followed by four hex digits");
		return p;
	}
	return wrong(st, p, "no such escape");
}

/* Pass a string; p is behind its first quote. */
static inline const char *
pass_string(const char *p, struct state *st)
{
	const char *const end = st->end;

	for (;;) {
		while (end - p >= BLOCK) {
			__typeof__(block_special(p)) special =
			    block_special(p);

			if (special != 0) {
				p += block_first(special);
				break;
			}
			p += BLOCK;
		}
		if (p == end)
			return wrong(st, p, NULL);
		if (*p == '"')
			return p + 1;
		if (*p == '\\') {
			p = pass_escape(p, st);
		} else if ((unsigned char)*p >= 0x80) {
			do
				p = pass_utf8(p, st);
			while (p != NULL && p < end &&
			    (unsigned char)*p >= 0x80);
		} else if ((unsigned char)*p < 0x20) {
			return wrong(st, p,
			    "a control character inside a string");
		} else {
			p++;
		}
		if (p == NULL)
			return NULL;
	}
}

static inline const char *
pass_digits(const char *p, const char *end)
{
	while (p < end && is_digit(*p))
		p++;
	return p;
}

static const char *
pass_number(const char *p, struct state *st)
{
	const char *const end = st->end;

	if (*p == '-')
		p++;
	if (p == end || !is_digit(*p))
		return wrong(st, p, "a digit is missing");
	p = *p == '0' ? p + 1 : pass_digits(p, end);
	if (p < end && *p == '.') {
		if (++p == end || !is_digit(*p))
			return wrong(st, p, "a digit is missing");
		p = pass_digits(p, end);
	}
	if (p < end && (*p | 0x20) == 'e') {
		if (++p < end && (*p == '+' || *p == '-'))
			p++;
		if (p == end || !is_digit(*p))
			return wrong(st, p, "a digit is missing");
		p = pass_digits(p, end);
	}
	return p;
}

static const char *
pass_word(const char *p, struct state *st, const char *word)
{
	for (; *word != '\0'; word++, p++)
		if (p == st->end || *p != *word)
			return wrong(st, p, "no JSON value");
	return p;
}

/* What JSON calls white space; in a line, LF cannot be. */
static inline bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static inline const char *
pass_blanks(const char *p, const char *end)
{
	while (p < end && is_blank(*p))
		p++;
	return p;
}

/*
 * True if the string p[0..len), without its quotes, is 'key', a short word of
 * ASCII letters, whatever of it is escaped.
 */
static bool
key_is(const char *p, size_t len, const char *key)
{
	const char *const end = p + len;
	int c;

	if (memchr(p, '\\', len) == NULL)
		return strlen(key) == len && memcmp(p, key, len) == 0;
	for (; p < end && *key != '\0'; key++) {
		c = *p++;
		if (c == '\\') {
			/* Only \u can stand for a letter; others differ. */
			if (*p++ != 'u')
				return false;
			c = hex_value(p[0]) << 12 | hex_value(p[1]) << 8 |
			    hex_value(p[2]) << 4 | hex_value(p[3]);
			p += 4;
		}
		if (c != *key)
			return false;
	}
	return p == end && *key == '\0';
}

/*
 * A number's value rounded down, exactly, and whether it was whole.  False
 * if it is not less than 2^47 in size.
 */
static bool
number_floor(const char *p, const char *end, int64_t *floor, bool *whole)
{
	const int64_t limit = (int64_t)1 << 47;
	bool negative = *p == '-', in_fraction = false;
	const char *digit;
	int64_t v = 0, exponent = 0, point = 0;

	if (negative)
		p++;
	/* 'point' is where the point stands, counted in digits. */
	for (digit = p; digit < end && (*digit | 0x20) != 'e'; digit++) {
		if (*digit == '.')
			in_fraction = true;
		else if (!in_fraction)
			point++;
	}
	if (digit < end) {
		bool down = digit[1] == '-';

		digit += digit[1] == '-' || digit[1] == '+' ? 2 : 1;
		/* Beyond this no number of the length of a line matters. */
		for (; digit < end && exponent < (int64_t)1 << 40; digit++)
			exponent = exponent * 10 + (*digit - '0');
		point += down ? -exponent : exponent;
	}
	*whole = true;
	for (; p < end && (*p | 0x20) != 'e'; p++) {
		if (*p == '.')
			continue;
		if (point-- > 0)
			v = v * 10 + (*p - '0');
		else if (*p != '0')
			*whole = false;
		if (v >= limit)
			return false;
	}
	for (; v > 0 && point > 0; point--)
		if ((v *= 10) >= limit)
			return false;
	if (negative)
		v = *whole ? -v : -v - 1;
	*floor = v;
	return v > -limit;
}

/* Which of the two keys that matter a value at the top level belongs to. */
enum top_key {
	KEY_OTHER,
	KEY_TYPE,
	KEY_TIMESTAMP,
};

static enum top_key
top_key(const char *p, size_t len)
{
	if (key_is(p, len, "type"))
		return KEY_TYPE;
	if (key_is(p, len, "timestamp"))
		return KEY_TIMESTAMP;
	return KEY_OTHER;
}

static void
take_number(struct scan *s, enum top_key key, const char *p, const char *end)
{
	int64_t v;
	bool whole, usable;

	usable = number_floor(p, end, &v, &whole);
	if (key == KEY_TIMESTAMP) {
		s->has_time = usable;
		s->time = usable ? v : 0;
	} else {
		s->type = usable && whole && v >= 0 && v <= 255 ? (int)v :
		    EVENT_NONE;
	}
}

static void
forget(struct scan *s, enum top_key key)
{
	if (key == KEY_TYPE) {
		s->type = EVENT_NONE;
	} else if (key == KEY_TIMESTAMP) {
		s->has_time = false;
		s->time = 0;
	}
}

/* Pass one value of any kind and what it holds; p is before its end. */
static const char *
pass_value(const char *p, struct state *st, struct scan *s)
{
	const char *const end = st->end;
	bool stack[SCAN_DEPTH_MAX];	/* what is around: an object? */
	enum top_key key = KEY_OTHER;
	unsigned depth = 0;
	const char *start;
	bool object = false;

#define OPEN(is_object) do {						\
	if (depth == SCAN_DEPTH_MAX)					\
		return wrong(st, p, "nested more than 512 deep");	\
	stack[depth++] = object;					\
	object = (is_object);						\
} while (0)
#define CLOSE()	(object = stack[--depth])
/* p at the next byte that is not blank, if there is one. */
#define BLANKS() do {							\
	if (p < end && (unsigned char)*p <= ' ')			\
		p = pass_blanks(p, end);				\
	if (p == end)							\
		return wrong(st, p, NULL);				\
} while (0)

value:
	if (key != KEY_OTHER)
		forget(s, key);
	switch (*p) {
	case '"':
		if ((p = pass_string(p + 1, st)) == NULL)
			return NULL;
		break;
	case '{':
		OPEN(true);
		p++;
		BLANKS();
		if (*p != '}')
			goto member;
		p++;
		CLOSE();
		break;
	case '[':
		OPEN(false);
		key = KEY_OTHER;
		p++;
		BLANKS();
		if (*p != ']')
			goto value;
		p++;
		CLOSE();
		break;
	case '-':
	case '0': case '1': case '2': case '3': case '4':
	case '5': case '6': case '7': case '8': case '9':
		start = p;
		if ((p = pass_number(p, st)) == NULL)
			return NULL;
		if (key != KEY_OTHER)
			take_number(s, key, start, p);
		break;
	case 't':
		if ((p = pass_word(p, st, "true")) == NULL)
			return NULL;
		break;
	case 'f':
		if ((p = pass_word(p, st, "false")) == NULL)
			return NULL;
		break;
	case 'n':
		if ((p = pass_word(p, st, "null")) == NULL)
			return NULL;
		break;
	default:
		return wrong(st, p, "no JSON value");
	}
	for (;;) {
		if (depth == 0)
			return p;
		BLANKS();
		if (*p == ',')
			break;
		if (*p != (object ? '}' : ']'))
			return wrong(st, p, object ? "no ',' or '}'" :
			    "no ',' or ']'");
		p++;
		CLOSE();
	}
	p++;
	BLANKS();
	if (!object)
		goto value;
member:
	if (*p != '"')
		return wrong(st, p, "a key is not in quotes");
	start = p + 1;
	if ((p = pass_string(start, st)) == NULL)
		return NULL;
	key = depth == 1 ? top_key(start, p - 1 - start) : KEY_OTHER;
	BLANKS();
	if (*p != ':')
		return wrong(st, p, "no ':' behind a key");
	p++;
	BLANKS();
	goto value;
#undef OPEN
#undef CLOSE
#undef BLANKS
}

/* A value's end; it is known to be good. */
static const char *
value_end(const char *p, const char *end)
{
	struct state st = { .end = end };
	struct scan s;

	return pass_value(p, &st, &s);
}

int
scan_member(const char *p, size_t len, const char *key, const char **value,
    size_t *value_len)
{
	const char *const end = p + len;
	struct state st = { .end = end };
	const char *name, *q;
	size_t name_len;
	int found = -1;

	if (len == 0 || *p != '{')
		return -1;
	for (p = pass_blanks(p + 1, end); *p == '"';
	    p = pass_blanks(p + 1, end)) {
		name = p + 1;
		p = pass_string(name, &st);
		name_len = p - 1 - name;
		p = pass_blanks(pass_blanks(p, end) + 1, end);
		q = value_end(p, end);
		if (key_is(name, name_len, key)) {
			found = 0;
			*value = p;
			*value_len = q - p;
		}
		p = pass_blanks(q, end);
		if (*p != ',')
			break;
	}
	return found;
}

bool
scan_is_string(const char *value, size_t len, const char *s)
{
	return len >= 2 && value[0] == '"' && key_is(value + 1, len - 2, s);
}

/*
 * True for what a list of sessions shows as an error: console.error and
 * console.assert as rrweb's console plugin records them, and custom events
 * with our tag.
 */
static bool
is_error(const char *p, size_t len, int type)
{
	const char *data, *v;
	size_t data_len, n;

	if (scan_member(p, len, "data", &data, &data_len) == -1)
		return false;
	if (type == EVENT_CUSTOM)
		return scan_member(data, data_len, "tag", &v, &n) == 0 &&
		    scan_is_string(v, n, "rr.error");
	if (scan_member(data, data_len, "plugin", &v, &n) == -1 ||
	    !scan_is_string(v, n, "rrweb/console@1") ||
	    scan_member(data, data_len, "payload", &data, &data_len) == -1 ||
	    scan_member(data, data_len, "level", &v, &n) == -1)
		return false;
	return scan_is_string(v, n, "error") || scan_is_string(v, n, "assert");
}

/* The end of the event at p[0..len), or NULL with the reason in *s. */
static const char *
scan(const char *p, size_t len, struct scan *s)
{
	struct state st = { .end = p + len };
	const char *q;

	memset(s, 0, sizeof *s);
	s->type = EVENT_NONE;
	if (len == 0 || (*p != '{' && *p != '"'))
		q = wrong(&st, p, "no event: not an object or a string");
	else
		q = pass_value(p, &st, s);
	if (q == NULL) {
		s->column = st.at - p + 1;
		s->why = st.why;
		return NULL;
	}
	if (s->type == EVENT_CUSTOM || s->type == EVENT_PLUGIN)
		s->error = is_error(p, q - p, s->type);
	return q;
}

int
scan_event(const char *p, size_t len, struct scan *s)
{
	const char *q = scan(p, len, s);

	if (q == NULL)
		return -1;
	q = pass_blanks(q, p + len);
	if (q < p + len) {
		s->column = q - p + 1;
		s->why = "more behind the value";
		return -1;
	}
	return 0;
}

ssize_t
scan_value(const char *p, size_t len, struct scan *s)
{
	const char *q = scan(p, len, s);

	if (q == NULL)
		return s->why == incomplete ? 0 : -1;
	return q - p;
}

int
scan_add_line(struct buf *b, const char *p, size_t len)
{
	const char *const end = p + len;
	const char *lf;
	unsigned char *out;

	if ((out = buf_reserve(b, len)) == NULL)
		return -1;
	while ((lf = memchr(p, '\n', end - p)) != NULL) {
		memcpy(out, p, lf - p);
		out += lf - p;
		p = pass_blanks(lf, end);
	}
	memcpy(out, p, end - p);
	out += end - p;
	b->len = out - b->data;
	return 0;
}
