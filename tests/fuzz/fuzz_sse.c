/*
 * bin/sse-bridge: any lines as server-sent events; none breaks out of the
 * message that it is in.
 */
#include <assert.h>

#include "../../bin/sse-bridge/sse.h"

static bool
begins(const char *p, size_t n, const char *word)
{
	return n >= strlen(word) && memcmp(p, word, strlen(word)) == 0;
}

/* A name, data, maybe a place; then a blank line, and nothing more. */
static void
check(void *arg, const struct sse_message *m)
{
	const char *p = m->data, *lf, *end;
	bool last = false;

	(void)arg;
	if (p == NULL)
		return;
	end = p + m->len;
	assert(begins(p, m->len, "event: "));
	assert(memchr(p, '\r', m->len) == NULL);
	for (; p < end; p = lf + 1) {
		assert(!last && (lf = memchr(p, '\n', end - p)) != NULL);
		if (lf == p)
			last = true;
		else
			assert(p == m->data || begins(p, lf - p, "data: ") ||
			    begins(p, lf - p, "id: "));
	}
	assert(last);
}

int LLVMFuzzerTestOneInput(const unsigned char *, size_t);

int
LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t n)
{
	struct sse s = SSE_INIT(2048, check, NULL);
	const char *p = (const char *)bytes, *const end = p + n, *lf, *why;

	for (; p < end; p = lf + 1) {
		if ((lf = memchr(p, '\n', end - p)) == NULL)
			lf = end;
		if (sse_line(&s, p, lf - p, &why) == -1)
			assert(why != NULL);
		if (lf == end)
			break;
	}
	sse_pause(&s);
	sse_release(&s);
	return 0;
}
