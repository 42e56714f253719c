#include "session.h"

static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";

static int
digit_value(char c)
{
	const char *p = c == '\0' ? NULL : strchr(digits, c);

	return p == NULL ? -1 : (int)(p - digits);
}

void
session_id_make(uint64_t now, char id[SESSION_ID_LEN + 1])
{
	unsigned char random[SESSION_RANDOM_LEN];
	int i;

	/* 32 divides 256, so each digit is uniform. */
	arc4random_buf(random, sizeof random);
	for (i = 0; i < SESSION_RANDOM_LEN; i++)
		id[i] = digits[random[i] & 31];
	for (i = SESSION_ID_LEN - 1; i >= SESSION_RANDOM_LEN; i--) {
		id[i] = digits[now & 31];
		now >>= 5;
	}
	id[SESSION_ID_LEN] = '\0';
}

bool
session_id_is_valid(const char *s, size_t n)
{
	size_t i;

	if (n != SESSION_ID_LEN)
		return false;
	for (i = 0; i < n; i++)
		if (digit_value(s[i]) == -1)
			return false;
	return session_id_time(s) <= SESSION_TIME_MAX;
}

uint64_t
session_id_time(const char *id)
{
	uint64_t t = 0;
	int i;

	for (i = SESSION_RANDOM_LEN; i < SESSION_ID_LEN; i++)
		t = t << 5 | (uint64_t)digit_value(id[i]);
	return t;
}

int
session_stream(const char *prefix, const char *id, char *out, size_t size)
{
	int n;

	n = snprintf(out, size, "%s/%013llu-%.*s", prefix,
	    (unsigned long long)(SESSION_TIME_MAX - session_id_time(id)),
	    SESSION_ID_LEN, id);
	return n < 0 || (size_t)n >= size ? -1 : 0;
}

int
session_index(const char *prefix, char *out, size_t size)
{
	int n = snprintf(out, size, "%s.index", prefix);

	return n < 0 || (size_t)n >= size ? -1 : 0;
}

const char *
session_of_stream(const char *prefix, const char *name)
{
	char expect[SESSION_STREAM_MAX + 1];
	size_t len = strlen(name);
	const char *id;

	if (len < SESSION_ID_LEN)
		return NULL;
	id = name + len - SESSION_ID_LEN;
	if (!session_id_is_valid(id, SESSION_ID_LEN) ||
	    session_stream(prefix, id, expect, sizeof expect) == -1 ||
	    strcmp(expect, name) != 0)
		return NULL;
	return id;
}

bool
session_tab_parse(const char *s, size_t n, uint32_t *tab)
{
	uint32_t v = 0;

	if (n < 1 || n > SESSION_TAB_MAX)
		return false;
	for (; n > 0; s++, n--) {
		if (!(*s >= '0' && *s <= '9') && !(*s >= 'a' && *s <= 'f'))
			return false;
		v = v << 4 | (uint32_t)(*s <= '9' ? *s - '0' : *s - 'a' + 10);
	}
	*tab = v;
	return true;
}
