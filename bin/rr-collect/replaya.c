#include "replaya.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "http.h"
#include "record.h"
#include "scan.h"

#define TIME_MAX	32	/* bytes of an ISO time */

static const struct {
	const char *word;
	enum post_kind kind;
} routes[] = {
	{ "events", POST_LINES },
	{ "heartbeat", POST_BEAT },
	{ "stop", POST_STOP },
};

int
replaya_kind(const struct http_request *r)
{
	if (!http_segment_is(r, 1, "sessions"))
		return -1;
	if (r->nsegments == 2)
		return POST_OPEN;
	if (r->nsegments != 4)
		return -1;
	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++)
		if (http_segment_is(r, 3, routes[i].word))
			return (int)routes[i].kind;
	return -1;
}

const char *
replaya_file(const struct http_request *r)
{
	return strcmp(r->path, "/vendor/rrweb.min.js") == 0 ?
	    "rrweb.min.js" : r->path + 1;
}

static int
bad(struct judgement *j, const char *why, size_t column)
{
	j->why = why;
	j->line = column > 0 ? 1 : 0;
	j->column = column;
	return -1;
}

/* A member that is a string without escapes, without its quotes. */
static void
take_secret(const char *p, size_t n, const char *name,
    char secret[REPLAYA_SECRET_MAX + 1])
{
	const char *value;
	size_t len;

	secret[0] = '\0';
	if (scan_member(p, n, name, &value, &len) == -1 || len < 2 ||
	    value[0] != '"' || len - 2 > REPLAYA_SECRET_MAX ||
	    memchr(value, '\\', len) != NULL)
		return;
	memcpy(secret, value + 1, len - 2);
	secret[len - 2] = '\0';
}

/* Make the object of those members that are to be kept. */
static int
keep_members(struct buf *out, const char *p, size_t n,
    const char *const members[][2])
{
	const char *value;
	size_t len;

	if (buf_add(out, "{", 1) == -1)
		return -1;
	for (int i = 0; members[i][0] != NULL; i++)
		if (scan_member(p, n, members[i][0], &value, &len) == 0 &&
		    (buf_addf(out, "%s\"%s\":", out->len > 1 ? "," : "",
		    members[i][1]) == -1 ||
		    scan_add_line(out, value, len) == -1))
			return -1;
	return buf_add(out, "}", 1);
}

/* Make lines of the elements of an array, each as it stands there. */
static int
keep_events(struct buf *out, const char *start, const char *p, size_t n,
    struct judgement *j)
{
	const char *const end = p + n;
	struct scan scan;
	ssize_t len;

	for (p++;; p++) {
		while (p < end && strchr(" \t\r\n", *p) != NULL)
			p++;
		if (p < end && *p == ']' && buf_size(out) == 0)
			return bad(j, "there are no events in it", 0);
		len = scan_value(p, (size_t)(end - p), &scan);
		if (len <= 0)
			return bad(j, len == 0 ? "it is cut off" : scan.why,
			    (size_t)(p - start) + scan.column);
		if (scan_add_line(out, p, (size_t)len) == -1 ||
		    buf_add(out, "\n", 1) == -1)
			return bad(j, "there is no room for it", 0);
		p += len;
		while (p < end && strchr(" \t\r\n", *p) != NULL)
			p++;
		if (p < end && *p == ']')
			return 0;
		if (p == end || *p != ',')
			return bad(j, "no ',' or ']'",
			    (size_t)(p - start) + 1);
	}
}

int
replaya_mark(struct post *p)
{
	const char *line = (const char *)buf_bytes(&p->body.text), *eol;
	const char *const end = line + buf_size(&p->body.text);
	uint32_t n = 0;

	for (eol = line; eol < end; eol++)
		n += *eol == '\n';
	p->marks = malloc(sizeof(*p->marks) + n * sizeof(p->marks->sum[0]));
	if (p->marks == NULL)
		return -1;
	p->marks->n = 0;
	for (; line < end; line = eol + 1) {
		eol = memchr(line, '\n', (size_t)(end - line));
		p->marks->sum[p->marks->n++] = record_checksum(line,
		    (size_t)(eol - line));
	}
	return 0;
}

int
replaya_take(struct post *p, char secret[REPLAYA_SECRET_MAX + 1],
    struct judgement *j)
{
	static const char *const opening[][2] = {
		{ "title", "title" }, { "url", "url" },
		{ "source", "source" }, { "distinctId", "distinctId" },
		{ "userId", "user" }, { "sdk", "sdk" }, { NULL, NULL },
	};
	static const char *const stopping[][2] = {
		{ "title", "title" }, { "eventCount", "events" },
		{ NULL, NULL },
	};
	const char *text = (const char *)buf_bytes(&p->body.text), *value;
	size_t n = buf_size(&p->body.text), len;
	struct buf out = BUF_INIT(p->body.text.max);
	int ok = 0;

	memset(j, 0, sizeof(*j));
	secret[0] = '\0';
	if (p->kind == POST_LINES && n > 0 && text[0] == '[') {
		value = text;
		len = n;
	} else {
		if (body_judge_object(&p->body, p->body.text.max, j) == -1)
			return -1;
		text = (const char *)buf_bytes(&p->body.text);
		n = buf_size(&p->body.text);
		take_secret(text, n, p->kind == POST_OPEN ? "projectKey" :
		    "sessionToken", secret);
		if (p->kind == POST_LINES && (scan_member(text, n, "events",
		    &value, &len) == -1 || value[0] != '['))
			return bad(j, "no array 'events' in it", 0);
	}
	if (p->kind == POST_LINES)
		ok = keep_events(&out, text, value, len, j);
	else if (keep_members(&out, text, n, p->kind == POST_OPEN ? opening :
	    stopping) == -1)
		ok = bad(j, "there is no room for it", 0);
	if (ok == 0) {
		/*
		 * It is no longer than before: names are as long or shorter,
		 * and an LF stands where a ',' or ']' was.
		 */
		memcpy(p->body.text.data + p->body.text.off, out.data,
		    out.len);
		p->body.text.len = p->body.text.off + out.len;
	}
	buf_release(&out);
	return ok;
}

static const char *
iso_time(uint64_t ms, char text[TIME_MAX])
{
	time_t t = (time_t)(ms / 1000);
	struct tm tm;
	size_t n;

	gmtime_r(&t, &tm);
	n = strftime(text, TIME_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + n, TIME_MAX - n, ".%03uZ", (unsigned)(ms % 1000));
	return text;
}

unsigned
replaya_answer(struct buf *b, const struct post *p, const struct verdict *v,
    uint64_t now, const char *token, uint64_t expires)
{
	char made[TIME_MAX], until[TIME_MAX];

	if (p->kind == POST_OPEN) {
		iso_time(now, made);
		buf_addf(b, "{\"session\":{\"id\":\"%s\",\"status\":\"active\","
		    "\"createdAt\":\"%s\",\"updatedAt\":\"%s\","
		    "\"eventCount\":0,\"events\":[],\"metadataHistory\":[]},"
		    "\"appendToken\":\"%s\",\"appendTokenExpiresAt\":\"%s\"}\n",
		    p->id, made, made, token, iso_time(expires, until));
		return 201;
	}
	if (p->kind == POST_STOP) {
		buf_addf(b, "{\"session\":{\"id\":\"%s\",\"status\":\"stopped\","
		    "\"stopReason\":\"explicit-stop\",\"events\":[]}}\n",
		    p->id);
		return 200;
	}
	if (v->code != VERDICT_STORED) {	/* stopped, or deleted */
		buf_addf(b, "{\"appended\":0,\"tailSeqNum\":null}\n");
		return 200;
	}
	buf_addf(b, "{\"appended\":%u,\"tailSeqNum\":",
	    p->kind == POST_LINES ? p->marks->n : 1);
	if (v->has_seq)
		buf_addf(b, "%llu}\n", (unsigned long long)v->seq + 1);
	else
		buf_addf(b, "null}\n");
	return 200;
}
