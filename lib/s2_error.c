/* What S2's refusals mean, and how long to wait before the next try. */
#include <stdarg.h>

#include <jv.h>

#include "s2.h"

#define BACKOFF_BASE	100	/* ms */
#define BACKOFF_MAX	5000
#define MESSAGE_MAX	320	/* bytes of S2's message that are shown */

/*
 * Source: the error codes of S2's API, with what they promise.  A code that
 * comes with another status than its own is not trusted.  "unavailable" may
 * have had an effect: s2-lite says so of appends that become durable later.
 */
static const struct {
	const char *code;
	int status;
	bool retryable;
	bool no_side_effect;
} codes[] = {
	{ "bad_header", 400, false, true },
	{ "bad_path", 400, false, true },
	{ "bad_query", 400, false, true },
	{ "bad_json", 400, false, true },
	{ "bad_proto", 400, false, true },
	{ "bad_frame", 400, false, true },
	{ "decryption_failed", 400, false, true },
	{ "authn", 401, false, true },
	{ "permission_denied", 403, false, true },
	{ "quota_exhausted", 403, false, true },
	{ "basin_not_found", 404, false, true },
	{ "stream_not_found", 404, false, true },
	{ "access_token_not_found", 404, false, true },
	{ "request_timeout", 408, true, false },
	{ "resource_already_exists", 409, false, true },
	{ "basin_deletion_pending", 409, false, true },
	{ "stream_deletion_pending", 409, false, true },
	{ "transaction_conflict", 409, true, true },
	{ "invalid", 422, false, true },
	{ "rate_limited", 429, true, true },
	{ "client_hangup", 499, false, false },
	{ "other", 500, true, false },
	{ "storage", 500, true, false },
	{ "not_implemented", 501, false, true },
	{ "hot_server", 502, true, true },
	{ "unavailable", 503, true, false },
	{ "server_draining", 503, true, true },
	{ "upstream_timeout", 504, true, false },
};

static void
judge(struct s2_error *e)
{
	size_t i;

	for (i = 0; i < sizeof codes / sizeof *codes; i++)
		if (strcmp(codes[i].code, e->code) == 0 &&
		    codes[i].status == e->status) {
			e->retryable = codes[i].retryable;
			e->no_side_effect = codes[i].no_side_effect;
			return;
		}
	e->retryable = e->status == 408 || e->status == 429 ||
	    (e->status >= 500 && e->status <= 504 && e->status != 501);
}

static int
exit_of(const struct s2_error *e)
{
	if (e->retryable)
		return EXIT_TRYAGAIN;
	switch (e->status) {
	case 400:
	case 422:
		return EXIT_INPUT;
	case 401:
	case 403:
		return EXIT_DENIED;
	case 404:
		return EXIT_MISSING;
	case 412:
		return e->fenced ? EXIT_FENCED : EXIT_OTHER;
	}
	return EXIT_OTHER;
}

bool
s2_json_number(const void *json, size_t n, const char *key, uint64_t *out)
{
	const char *p, *end = (const char *)json + n;
	char quoted[64];
	uint64_t v = 0;

	snprintf(quoted, sizeof quoted, "\"%s\"", key);
	p = memmem(json, n, quoted, strlen(quoted));
	if (p == NULL)
		return false;
	p += strlen(quoted);
	while (p < end && (*p == ' ' || *p == ':'))
		p++;
	if (p == end || *p < '0' || *p > '9')
		return false;
	for (; p < end && *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v))
			return false;
	*out = v;
	return true;
}

/*
 * Copy the text at a key of an object, if there is one, or as many whole
 * characters of it as there is room for.  Its length or -1.
 */
static ssize_t
get_text(jv object, const char *key, char *out, size_t size)
{
	jv v = jv_object_get(jv_copy(object), jv_string(key));
	ssize_t n = -1;

	if (jv_get_kind(v) == JV_KIND_STRING) {
		const char *text = jv_string_value(v);

		n = jv_string_length_bytes(jv_copy(v));
		if ((size_t)n >= size)
			for (n = size - 1; n > 0 && (text[n] & 0xc0) == 0x80; )
				n--;
		memcpy(out, text, n);
		out[n] = '\0';
	}
	jv_free(v);
	return n;
}

void
s2_error_answer(struct s2_error *e, const char *what, int status,
    const void *body, size_t n)
{
	char message[MESSAGE_MAX] = "";
	ssize_t got;
	jv v;

	memset(e, 0, sizeof *e);
	e->status = status;
	v = n > 0 && n <= S2_ERROR_BODY_MAX ?
	    jv_parse_sized(body, (int)n) : jv_null();
	if (jv_get_kind(v) == JV_KIND_OBJECT) {
		get_text(v, "code", e->code, sizeof e->code);
		get_text(v, "message", message, sizeof message);
		if (status == 412) {
			got = get_text(v, "fencing_token_mismatch", e->fence,
			    sizeof e->fence);
			e->fenced = got >= 0;
			e->fence_len = got >= 0 ? (size_t)got : 0;
		}
	}
	jv_free(v);
	if (status == 412 && !e->fenced)
		e->mismatch = s2_json_number(body, n, "seq_num_mismatch",
		    &e->seq);
	if (status == 416) {
		e->unwritten = s2_json_number(body, n, "seq_num", &e->seq);
		s2_json_number(body, n, "timestamp", &e->time);
	}
	if (status == 412 || status == 416)
		e->no_side_effect = true;
	else
		judge(e);
	e->exit = exit_of(e);
	if (e->fenced && e->fence_len == 0)
		snprintf(e->text, sizeof e->text, "%s: refused: the stream has "
		    "no fencing token", what);
	else if (e->fenced)
		snprintf(e->text, sizeof e->text, "%s: refused: the stream is "
		    "fenced by '%s'", what, e->fence);
	else if (e->mismatch)
		snprintf(e->text, sizeof e->text, "%s: refused: the next "
		    "sequence number is %llu", what,
		    (unsigned long long)e->seq);
	else if (e->unwritten)
		snprintf(e->text, sizeof e->text, "%s: nothing is there; the "
		    "tail is %llu", what, (unsigned long long)e->seq);
	else if (status == 404 && strcmp(e->code, "stream_not_found") == 0)
		snprintf(e->text, sizeof e->text, "%s: there is no such stream",
		    what);
	else if (status == 404 && strcmp(e->code, "basin_not_found") == 0)
		snprintf(e->text, sizeof e->text, "%s: there is no such basin",
		    what);
	else
		snprintf(e->text, sizeof e->text, "%s: S2 answered %d%s%s%s%s",
		    what, status, e->code[0] != '\0' ? " " : "", e->code,
		    message[0] != '\0' ? ": " : "", message);
}

void
s2_error_local(struct s2_error *e, bool retryable, const char *fmt, ...)
{
	va_list ap;

	memset(e, 0, sizeof *e);
	e->retryable = retryable;
	e->exit = retryable ? EXIT_TRYAGAIN : EXIT_OTHER;
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof e->text, fmt, ap);
	va_end(ap);
}

unsigned
s2_backoff(unsigned failed)
{
	uint32_t most = BACKOFF_MAX;

	if (failed < 6)
		most = BACKOFF_BASE << failed;
	return arc4random_uniform(most + 1);
}

int64_t
s2_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}
