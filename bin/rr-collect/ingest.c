#include "ingest.h"

#include <sys/stat.h>

#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "filter.h"
#include "lines.h"
#include "log.h"
#include "post.h"
#include "preset.h"
#include "put.h"
#include "record.h"
#include "replaya.h"

enum {
	LIMIT_OPENS,
	LIMIT_POSTS,
};

#define CONTENT_JSON	"application/json"
#define CONTENT_TEXT	"text/plain; charset=utf-8"
#define WEB_CACHE	"public, max-age=300"
#define KEY_NEWS_MS	60000	/* between two words about a key in the log */
#define FILTER_RETRY_MS	2000

/* ---- answers ---- */

/* Append s as a JSON string. */
static void
json_string(struct buf *b, const char *s)
{
	buf_add(b, "\"", 1);
	for (; *s != '\0'; s++) {
		if (*s == '"' || *s == '\\')
			buf_addf(b, "\\%c", *s);
		else if ((unsigned char)*s < ' ')
			buf_addf(b, "\\u%04x", *s);
		else
			buf_add(b, s, 1);
	}
	buf_add(b, "\"", 1);
}

static void
reply_json(struct http_request *r, unsigned status, uint64_t retry,
    const struct buf *b)
{
	struct http_header headers[6];
	const char *origin = http_header(r, "Origin");
	char after[24];
	int n = 0;

	headers[n++] = (struct http_header){ "Cache-Control", "no-store" };
	if (origin != NULL)
		headers[n++] = (struct http_header){
		    "Access-Control-Allow-Origin", origin };
	/* RePlaya's recorder leaves the page with a request that asks so. */
	if (origin != NULL && http_segment_is(r, 0, "api"))
		headers[n++] = (struct http_header){
		    "Access-Control-Allow-Credentials", "true" };
	if (retry > 0) {
		snprintf(after, sizeof(after), "%llu",
		    (unsigned long long)(retry + 999) / 1000);
		headers[n++] = (struct http_header){ "Retry-After", after };
	}
	if (status == 405)
		headers[n++] = (struct http_header){ "Allow",
		    "POST, OPTIONS" };
	headers[n].name = NULL;
	http_reply(r, status, CONTENT_JSON, buf_bytes(b), buf_size(b),
	    headers);
}

static const struct {
	const char *word;
	unsigned status;
} verdicts[] = {
	[VERDICT_OPEN] = { "open", 201 },
	[VERDICT_STORED] = { "stored", 200 },
	[VERDICT_STOPPED] = { "stopped", 200 },
	[VERDICT_CLOSED] = { "closed", 409 },
	[VERDICT_GONE] = { "gone", 410 },
	[VERDICT_BIG] = { "big", 413 },
	[VERDICT_BAD] = { "bad", 400 },
	[VERDICT_DENIED] = { "denied", 401 },
	[VERDICT_SLOW] = { "slow", 429 },
	[VERDICT_AWAY] = { "away", 503 },
};

static void
reply_verdict(struct http_request *r, const struct verdict *v)
{
	struct ingest *in = r->arg;
	struct buf *b = &in->answer;

	count_refused(v->code, v->reason);
	buf_clear(b);
	buf_addf(b, "{\"verdict\":\"%s\"", verdicts[v->code].word);
	if (v->error != NULL) {
		buf_addf(b, ",\"error\":");
		json_string(b, v->error);
	}
	if (v->line > 0)
		buf_addf(b, ",\"line\":%llu,\"column\":%llu",
		    (unsigned long long)v->line,
		    (unsigned long long)v->column);
	if (v->want > 0)
		buf_addf(b, ",\"want\":%u", v->want);
	if (v->retry > 0)
		buf_addf(b, ",\"retry\":%llu", (unsigned long long)v->retry);
	buf_addf(b, "}\n");
	reply_json(r, v->status != 0 ? v->status : verdicts[v->code].status,
	    v->retry, b);
}

static void
refuse(struct http_request *r, enum verdict_code code, enum reason reason,
    unsigned status, const char *error)
{
	const struct verdict v = { .code = code, .reason = reason,
	    .status = status, .error = error };

	reply_verdict(r, &v);
}

static void
refuse_body(struct http_request *r, const struct judgement *j)
{
	const struct verdict v = {
		.code = j->too_many ? VERDICT_BIG : VERDICT_BAD,
		.reason = REASON_BODY,
		.error = j->why, .line = j->line, .column = j->column,
	};

	reply_verdict(r, &v);
}

static void
refuse_for(struct http_request *r, enum verdict_code code,
    enum reason reason, uint64_t retry, const char *error)
{
	const struct verdict v = { .code = code, .reason = reason,
	    .error = error, .retry = retry };

	reply_verdict(r, &v);
}

/* A fresh token for p's session; until when it is good, in ms. */
static uint64_t
fresh_token(struct ingest *in, const struct post *p,
    char token[TOKEN_LEN + 1])
{
	uint32_t expires = (uint32_t)(in->clock / 1000) +
	    INGEST_TOKEN_SECONDS;

	token_make(in->signer, p->id, p->key->number, expires, token);
	return (uint64_t)expires * 1000;
}

static void
add_token(struct ingest *in, const struct post *p)
{
	char token[TOKEN_LEN + 1];
	uint64_t expires = fresh_token(in, p, token);

	buf_addf(&in->answer, ",\"token\":\"%s\",\"expires\":%llu", token,
	    (unsigned long long)expires);
}

/* Somebody watches the session: whoever serves them touches a file for it. */
static bool
is_watched(struct ingest *in, struct session *s)
{
	struct stat st;
	uint64_t touched;

	if (in->watched == -1 || s == NULL)
		return false;
	if (s->looked != 0 && in->store.now - s->looked < INGEST_LOOK_MS)
		return s->watched;
	s->looked = in->store.now;
	s->watched = false;
	if (fstatat(in->watched, s->id, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		touched = (uint64_t)st.st_mtim.tv_sec * 1000 +
		    (uint64_t)st.st_mtim.tv_nsec / 1000000;
		s->watched = touched + INGEST_WATCHED_MS > in->clock;
	}
	return s->watched;
}

static unsigned
flush_of(const struct ingest *in, bool watched)
{
	if (watched)
		return INGEST_FLUSH_WATCHED_MS;
	return in->store.ring.waiting > in->store.ring.nslots / 2 ?
	    INGEST_FLUSH_BUSY_MS : INGEST_FLUSH_MS;
}

static void
reply_ready(struct http_request *r, const struct verdict *v)
{
	static const struct http_header headers[] = {
		{ "Cache-Control", "no-store" }, { NULL, NULL },
	};
	struct ingest *in = r->arg;
	struct buf *b = &in->answer;

	buf_clear(b);
	if (v->code == VERDICT_STORED) {
		put(b, "{\"ready\":true}\n");
	} else {
		put(b, "{\"ready\":false,\"reason\":");
		json_string(b, v->error);
		put(b, "}\n");
	}
	http_reply(r, v->code == VERDICT_STORED ? 200 : 503, CONTENT_JSON,
	    buf_bytes(b), buf_size(b), headers);
}

static void
reply_replaya(struct http_request *r, const struct post *p,
    const struct verdict *v)
{
	struct ingest *in = r->arg;
	char token[TOKEN_LEN + 1] = "";
	uint64_t expires = 0;
	unsigned status;

	/* To its recorder an end is no error: it would try for ever. */
	if (v->error != NULL && v->code != VERDICT_CLOSED &&
	    v->code != VERDICT_GONE) {
		reply_verdict(r, v);
		return;
	}
	if (v->error != NULL)
		count_refused(v->code, v->reason);
	if (v->code == VERDICT_OPEN)
		expires = fresh_token(in, p, token);
	buf_clear(&in->answer);
	status = replaya_answer(&in->answer, p, v, in->clock, token, expires);
	reply_json(r, status, 0, &in->answer);
}

void
post_answer(struct post *p, const struct verdict *v)
{
	struct http_request *r = p->request;
	struct ingest *in = r->arg;
	struct buf *b = &in->answer;
	bool watched;

	if (p->kind == POST_READY) {
		reply_ready(r, v);
		return;
	}
	if (p->replaya) {
		reply_replaya(r, p, v);
		return;
	}
	if (v->error != NULL) {
		reply_verdict(r, v);
		return;
	}
	buf_clear(b);
	put(b, "{\"verdict\":\"");
	put(b, verdicts[v->code].word);
	put(b, "\"");
	if (v->code == VERDICT_OPEN) {
		buf_addf(b, ",\"id\":\"%s\"", p->id);
		add_token(in, p);
		buf_addf(b, ",\"time\":%llu,\"flush\":%u,\"beat\":%u",
		    (unsigned long long)in->clock, flush_of(in, false),
		    INGEST_BEAT_MS);
		if (p->key->preset != NULL)
			buf_addf(b, ",\"preset\":\"%s\"", p->key->preset);
	} else if (v->code == VERDICT_STORED) {
		if (p->kind == POST_LINES) {
			put(b, ",\"tab\":\"");
			put_number(b, p->tab, 16, 8);
			put_pair(b, "\",\"batch\":", p->batch);
		}
		if (v->has_seq)
			put_pair(b, ",\"seq\":", v->seq);
		if (v->repeat)
			put(b, ",\"repeat\":true");
		if (v->snapshot && p->kind == POST_LINES)
			put(b, ",\"snapshot\":true");
		if (p->offset != 0)
			buf_addf(b, ",\"offset\":%lld",
			    (long long)p->offset);
		watched = is_watched(in, p->session);
		put(b, watched ? ",\"watched\":true" : ",\"watched\":false");
		put_pair(b, ",\"flush\":", flush_of(in, watched));
		if (p->renew)
			add_token(in, p);
	}
	put(b, "}\n");
	reply_json(r, verdicts[v->code].status, 0, b);
}

/* ---- a request's head ---- */

static void
refuse_slow(struct http_request *r, const struct post *p,
    enum reason reason, uint64_t wait)
{
	refuse_for(r, VERDICT_SLOW, reason, wait, p->kind == POST_OPEN ?
	    "too many sessions at once" : "too many requests at once");
}

/* Too many from this address: -1, and it is refused. */
static int
check_address_rate(struct http_request *r, const struct post *p)
{
	struct ingest *in = r->arg;
	bool open = p->kind == POST_OPEN;
	uint64_t wait;

	if (http_is_crowded(r)) {
		refuse_slow(r, p, REASON_ADDRESS_RATE, 1000);
		return -1;
	}
	if (http_address_is_local(&r->client))
		return 0;
	wait = bucket_take(limiter_bucket(in->limiter, &r->client,
	    open ? LIMIT_OPENS : LIMIT_POSTS, in->store.now),
	    open ? &in->opens : &in->posts, in->store.now);
	if (wait == 0)
		return 0;
	refuse_slow(r, p, REASON_ADDRESS_RATE, wait);
	return -1;
}

/* True if the log may hear of this key again: once a minute. */
static bool
is_news(const struct ingest *in, struct key *k)
{
	if (k->told != 0 && in->store.now - k->told < KEY_NEWS_MS)
		return false;
	k->told = in->store.now;
	return true;
}

/* Too many with this key: -1, and it is refused. */
static int
check_key_rate(struct http_request *r, const struct post *p)
{
	struct ingest *in = r->arg;
	struct key *k = p->key;
	uint64_t wait = p->kind == POST_OPEN ?
	    bucket_take(&k->opens, &k->opens_rate, in->store.now) :
	    bucket_take(&k->posts, &k->posts_rate, in->store.now);

	if (wait == 0)
		return 0;
	if (is_news(in, k))
		log_about(LOG_LEVEL_WARN, p->kind == POST_OPEN ? NULL : p->id,
		    k->name, "key %s: its recorders %s more than %s= allows, "
		    "and are slowed down", k->name, p->kind == POST_OPEN ?
		    "open" : "post", p->kind == POST_OPEN ? "opens" : "posts");
	refuse_slow(r, p, REASON_KEY_RATE, wait);
	return -1;
}

/* The key may be used from this page and machine: 0, or refused with -1. */
static int
check_origin(struct http_request *r, const struct key *key)
{
	const char *origin = http_header(r, "Origin");

	if (key->local && !http_address_is_local(&r->client)) {
		refuse(r, VERDICT_DENIED, REASON_ORIGIN, 403,
		    "without a key file only this machine may record");
		return -1;
	}
	if (!key_allows(key, origin)) {
		refuse(r, VERDICT_DENIED, REASON_ORIGIN, 403,
		    "pages of this origin may not use this key");
		return -1;
	}
	return 0;
}

static int
check_key(struct http_request *r, struct post *p, const char *name)
{
	struct ingest *in = r->arg;

	p->key = name == NULL ? NULL : key_by_name(&in->keys, name);
	if (p->key == NULL) {
		refuse(r, VERDICT_DENIED, REASON_KEY, 401, "no such key");
		return -1;
	}
	if (check_origin(r, p->key) == -1)
		return -1;
	if (p->key->refuse_bots && agent_is_bot(http_header(r, "User-Agent"))) {
		refuse(r, VERDICT_DENIED, REASON_BOT, 403,
		    "this key takes no robots");
		return -1;
	}
	if (!p->replaya && arc4random_uniform(100) < p->key->unsampled) {
		count_add(COUNT_UNSAMPLED, 1);
		buf_clear(&in->answer);
		buf_addf(&in->answer, "{\"verdict\":\"unsampled\"}\n");
		reply_json(r, 200, 0, &in->answer);
		return -1;
	}
	return 0;
}

static int
check_token(struct http_request *r, struct post *p, const char *token)
{
	struct ingest *in = r->arg;
	uint64_t key, now = in->clock / 1000;
	uint32_t expires;

	if (!session_id_is_valid(r->segments[2].p, r->segments[2].len)) {
		refuse(r, VERDICT_DENIED, REASON_TOKEN, 401,
		    "no such session");
		return -1;
	}
	memcpy(p->id, r->segments[2].p, SESSION_ID_LEN);
	if (token == NULL ||
	    token_check(in->signer, p->id, token, &key, &expires) == -1) {
		refuse(r, VERDICT_DENIED, REASON_TOKEN, 401,
		    "the token is not for this session");
		return -1;
	}
	p->key = key_by_number(&in->keys, key);
	if (p->key == NULL) {
		refuse(r, VERDICT_DENIED, REASON_KEY, 401,
		    "the key was withdrawn");
		return -1;
	}
	if (check_origin(r, p->key) == -1)
		return -1;
	if (expires <= now) {
		refuse(r, VERDICT_CLOSED, REASON_EXPIRED, 0,
		    "the token has expired; open a new session");
		return -1;
	}
	p->renew = expires - now < INGEST_TOKEN_SECONDS / 2;
	return 0;
}

static bool
parse_number(const char *s, const char **end, uint32_t max, uint32_t *out)
{
	uint64_t n = 0;

	if (*s < '0' || *s > '9')
		return false;
	for (; *s >= '0' && *s <= '9'; s++)
		if ((n = n * 10 + (uint64_t)(*s - '0')) > max)
			return false;
	*end = s;
	*out = (uint32_t)n;
	return true;
}

static bool
query_number(const struct http_request *r, const char *key, uint32_t max,
    uint32_t *out, bool *there)
{
	const char *s = http_query(r, key), *end;

	*there = s != NULL;
	return s == NULL || (parse_number(s, &end, max, out) && *end == '\0');
}

static bool
query_tab(const struct http_request *r, uint32_t *tab, bool *there)
{
	const char *s = http_query(r, "tab");

	*there = s != NULL;
	return s == NULL || session_tab_parse(s, strlen(s), tab);
}

static bool
query_time(const struct http_request *r, const char *name, int64_t *out,
    bool *there)
{
	const char *s = http_query(r, name), *bad = NULL;

	*there = s != NULL;
	if (s != NULL)
		*out = strtonum(s, 1 - RECORD_TIME_MAX, RECORD_TIME_MAX - 1,
		    &bad);
	return bad == NULL;
}

/*
 * How far the clock is off by which the events have their times.  What is less
 * than the requests of a slow network differ by is left as it was: tabs of one
 * browser have one clock, and should have one offset.
 */
static const char *
parse_clock(const struct http_request *r, struct post *p)
{
	const struct ingest *in = r->arg;
	int64_t at, off;
	bool has_at, has_offset;

	if (!query_time(r, "offset", &p->offset, &has_offset) ||
	    !query_time(r, "at", &at, &has_at))
		return "at and offset must be numbers of milliseconds";
	if (has_at) {
		off = (int64_t)in->clock - at;
		if (llabs(off - p->offset) > INGEST_CLOCK_MS)
			p->offset = llabs(off) > INGEST_CLOCK_MS ? off : 0;
	}
	p->offset = record_offset(p->offset);
	return NULL;
}

static const char *
parse_lines(struct http_request *r, struct post *p)
{
	bool tab, batch;

	if (!query_tab(r, &p->tab, &tab))
		return "tab must be 1 to 8 lower-case hex digits";
	if (!query_number(r, "batch", RECORD_BATCH_MAX, &p->batch, &batch) ||
	    (batch && p->batch == 0))
		return "batch must be a number from 1";
	if (!query_number(r, "snap", RECORD_SNAP_MAX, &p->snap, &p->has_snap))
		return "snap must be a number";
	if (tab && !batch)
		return "tab without batch";
	p->numbered = batch;
	p->last = p->batch;
	return parse_clock(r, p);
}

static const char *
parse_gap(struct http_request *r, struct post *p)
{
	static const char *const causes[] = { "overflow", "privacy", "lost" };
	const char *batch = http_query(r, "batch"), *end;
	const char *cause = http_query(r, "cause");
	const char *within = http_query(r, "within");
	bool there;

	if (!query_tab(r, &p->tab, &there) || !there)
		return "tab must be 1 to 8 lower-case hex digits";
	if (batch == NULL || !parse_number(batch, &end, RECORD_BATCH_MAX,
	    &p->batch) || p->batch == 0)
		return "batch must be N or N-M";
	p->last = p->batch;
	if (*end == '-' && !parse_number(end + 1, &end, RECORD_BATCH_MAX,
	    &p->last))
		return "batch must be N or N-M";
	if (*end != '\0' || p->last < p->batch ||
	    p->last - p->batch >= RECORD_COUNT_MAX)
		return "batch must be N or N-M, of at most 16383 numbers";
	p->within = within != NULL && strcmp(within, "1") == 0;
	if (p->within && p->last != p->batch)
		return "within=1 is of one batch";
	if (!query_number(r, "events", RECORD_BATCH_MAX, &p->events, &there))
		return "events must be a number";
	for (size_t i = 0; cause != NULL &&
	    i < sizeof(causes) / sizeof(causes[0]); i++)
		if (strcmp(cause, causes[i]) == 0)
			p->cause = causes[i];
	if (p->cause == NULL)
		return "cause must be overflow, privacy or lost";
	p->numbered = true;
	return NULL;
}

static const struct {
	const char *word;
	enum post_kind kind;
} session_routes[] = {
	{ "lines", POST_LINES },
	{ "beat", POST_BEAT },
	{ "meta", POST_META },
	{ "gap", POST_GAP },
	{ "stop", POST_STOP },
};

/* The kind of post, from method and path.  -1: refused. */
static int
route(struct http_request *r, struct post *p)
{
	const size_t n = sizeof(session_routes) / sizeof(session_routes[0]);
	size_t i;

	if (!http_segment_is(r, 1, "sessions") || r->nsegments < 2) {
		refuse(r, VERDICT_BAD, REASON_ROUTE, 404, "no such route");
		return -1;
	}
	p->kind = POST_OPEN;
	if (r->nsegments != 2) {
		for (i = 0; i < n; i++)
			if (http_segment_is(r, 3, session_routes[i].word))
				break;
		if (r->nsegments != 4 || i == n) {
			refuse(r, VERDICT_BAD, REASON_ROUTE, 404,
			    "no such route");
			return -1;
		}
		p->kind = session_routes[i].kind;
	}
	if (r->method != HTTP_POST) {
		refuse(r, VERDICT_BAD, REASON_ROUTE, 405, "only POST");
		return -1;
	}
	return 0;
}

static int
parse_query(struct http_request *r, struct post *p)
{
	const char *why = NULL;
	bool there;

	if (p->kind == POST_LINES)
		why = parse_lines(r, p);
	else if (p->kind == POST_GAP)
		why = parse_gap(r, p);
	else if (p->kind == POST_BEAT && !query_tab(r, &p->tab, &there))
		why = "tab must be 1 to 8 lower-case hex digits";
	if (why == NULL)
		return 0;
	refuse(r, VERDICT_BAD, REASON_QUERY, 0, why);
	return -1;
}

static bool
query_is(const struct http_request *r, const char *key, const char *value)
{
	const char *s = http_query(r, key);

	return s != NULL && strcmp(s, value) == 0;
}

/* Make ready for the body, or refuse it for what its head says. */
static void
start_body(struct http_request *r, struct post *p)
{
	struct ingest *in = r->arg;
	size_t max = p->kind == POST_LINES ? in->body_max : INGEST_META_MAX;
	const char *coding = http_header(r, "Content-Encoding");
	bool gzip = query_is(r, "gz", "1") ||
	    (coding != NULL && strcmp(coding, "gzip") == 0);
	size_t expected = 0;

	if (r->length != HTTP_LENGTH_UNKNOWN && r->length > max) {
		refuse(r, VERDICT_BIG, REASON_LENGTH, 0,
		    p->kind == POST_LINES ?
		    "the batch is too long; split it" : "it is too long");
		return;
	}
	if (r->length != HTTP_LENGTH_UNKNOWN)
		expected = (size_t)r->length;
	body_start(&p->body, &in->budget, max, gzip, expected);
}

static void
begin_post(struct http_request *r)
{
	struct ingest *in = r->arg;
	struct post *p = calloc(1, sizeof(*p));

	if (p == NULL) {
		refuse_for(r, VERDICT_AWAY, REASON_MEMORY, 1000, "no memory");
		return;
	}
	p->request = r;
	r->state = p;
	if (route(r, p) == -1 ||
	    (p->kind == POST_OPEN ? check_key(r, p, http_query(r, "key")) :
	    check_token(r, p, http_query(r, "token"))) == -1 ||
	    check_address_rate(r, p) == -1 || check_key_rate(r, p) == -1 ||
	    parse_query(r, p) == -1)
		return;
	if (store_is_full(&in->store)) {
		refuse_for(r, VERDICT_AWAY, REASON_FULL, 2000,
		    "too much waits to be stored");
		return;
	}
	start_body(r, p);
}

/* ---- other routes ---- */

/* Who sends it, in RePlaya's words, and whether they may: 0 or refused. */
static int
check_replaya(struct http_request *r, struct post *p, const char *secret)
{
	if ((p->kind == POST_OPEN ? check_key(r, p, secret) :
	    check_token(r, p, secret)) == -1)
		return -1;
	return check_key_rate(r, p);
}

static int
check_replaya_head(struct http_request *r, struct post *p)
{
	const char *said = http_header(r, p->kind == POST_OPEN ?
	    "X-Replaya-Project-Key" : "X-Replaya-Session-Token");

	return said == NULL ? 0 : check_replaya(r, p, said);
}

/*
 * RePlaya's routes: who sends it may stand in the body, which is then received
 * first, as far as the address may send at all.
 */
static void
begin_replaya(struct http_request *r)
{
	struct ingest *in = r->arg;
	int kind = replaya_kind(r);
	struct post *p;

	if (kind == -1) {
		refuse(r, VERDICT_BAD, REASON_ROUTE, 404, "no such route");
		return;
	}
	if (r->method != HTTP_POST) {
		refuse(r, VERDICT_BAD, REASON_ROUTE, 405, "only POST");
		return;
	}
	if ((p = calloc(1, sizeof(*p))) == NULL) {
		refuse_for(r, VERDICT_AWAY, REASON_MEMORY, 1000, "no memory");
		return;
	}
	p->kind = (enum post_kind)kind;
	p->replaya = true;
	p->request = r;
	r->state = p;
	if (check_address_rate(r, p) == -1 || check_replaya_head(r, p) == -1)
		return;
	if (store_is_full(&in->store))
		refuse_for(r, VERDICT_AWAY, REASON_FULL, 2000,
		    "too much waits to be stored");
	else
		start_body(r, p);
}

/*
 * Its body is here: find out who sends it, and what is to be stored.  0, or
 * refused with -1.
 */
static int
end_replaya(struct http_request *r, struct post *p)
{
	char secret[REPLAYA_SECRET_MAX + 1];
	struct judgement j;

	if (replaya_take(p, secret, &j) == -1) {
		refuse_body(r, &j);
		return -1;
	}
	return p->key != NULL ? 0 : check_replaya(r, p, secret);
}

static void
reply_options(struct http_request *r)
{
	const char *origin = http_header(r, "Origin");
	bool replaya = http_segment_is(r, 0, "api");
	const struct http_header headers[] = {
		{ "Access-Control-Allow-Origin", origin },
		{ "Access-Control-Allow-Methods", "POST" },
		{ "Access-Control-Allow-Headers", replaya ? REPLAYA_HEADERS :
		    "content-type" },
		{ "Access-Control-Max-Age", "86400" },
		{ replaya ? "Access-Control-Allow-Credentials" : NULL,
		    "true" },
		{ NULL, NULL },
	};

	http_reply(r, 204, NULL, "", 0, origin != NULL ? headers : NULL);
}

static void
begin_health(struct http_request *r)
{
	static const struct http_header headers[] = {
		{ "Cache-Control", "no-store" }, { NULL, NULL },
	};
	struct post *p;

	if (http_segment_is(r, 1, "live") && r->nsegments == 2) {
		http_reply(r, 200, CONTENT_TEXT, "live\n", 5, headers);
		return;
	}
	if (!http_segment_is(r, 1, "ready") || r->nsegments != 2) {
		refuse(r, VERDICT_BAD, REASON_ROUTE, 404, "no such route");
		return;
	}
	if ((p = calloc(1, sizeof(*p))) == NULL) {
		refuse_for(r, VERDICT_AWAY, REASON_MEMORY, 1000, "no memory");
		return;
	}
	p->kind = POST_READY;
	p->request = r;
	r->state = p;
}

static void
begin(struct http_request *r)
{
	static const struct http_header any_page[] = {
		{ "Access-Control-Allow-Origin", "*" },
		{ "Cross-Origin-Resource-Policy", "cross-origin" },
		{ NULL, NULL },
	};
	struct ingest *in = r->arg;

	if (r->path[0] != '/') {
		refuse(r, VERDICT_BAD, REASON_ROUTE, 404, "no such route");
	} else if (http_segment_is(r, 0, "v1") || http_segment_is(r, 0, "api")) {
		if (r->method == HTTP_OPTIONS)
			reply_options(r);
		else if (http_segment_is(r, 0, "v1"))
			begin_post(r);
		else
			begin_replaya(r);
	} else if (r->method != HTTP_GET && r->method != HTTP_HEAD) {
		refuse(r, VERDICT_BAD, REASON_ROUTE, 404, "no such route");
	} else if (http_segment_is(r, 0, "health")) {
		begin_health(r);
	} else if (in->web == -1 || !http_reply_file(r, in->web,
	    replaya_file(r), WEB_CACHE, any_page)) {
		refuse(r, VERDICT_BAD, REASON_ROUTE, 404, "no such route");
	}
}

/* ---- its body and its end ---- */

static void
receive(struct http_request *r, const void *data, size_t n)
{
	struct post *p = r->state;

	if (p == NULL || p->kind == POST_READY)
		return;
	count_add(COUNT_WIRE, n);
	body_add(&p->body, data, n);
}

static int
check_body_state(struct http_request *r, struct post *p)
{
	switch (p->body.state) {
	case BODY_GOOD:
		return 0;
	case BODY_BIG:
		refuse(r, VERDICT_BIG, REASON_LENGTH, 0,
		    p->kind == POST_LINES ?
		    "the batch is too long; split it" : "it is too long");
		break;
	case BODY_BAD_GZIP:
		refuse(r, VERDICT_BAD, REASON_GZIP, 0, "it is not good gzip");
		break;
	case BODY_NO_ROOM:
		refuse_for(r, VERDICT_AWAY, REASON_MEMORY, 2000,
		    "too much comes in at once");
		break;
	}
	return -1;
}

/* What is stored of a batch's events. */
static void
take_judgement(struct post *p, const struct judgement *j)
{
	p->full = j->full;
	p->events = j->events;
	p->tally = j->tally;
	tally_shift(&p->tally, p->offset);
}

static int
judge_body(struct http_request *r, struct post *p)
{
	struct judgement j;
	int ok = 0;

	switch (p->kind) {
	case POST_LINES:
		ok = body_judge_lines(&p->body, &j);
		p->packed = j.packed;
		take_judgement(p, &j);
		break;
	case POST_OPEN:
	case POST_META:
	case POST_STOP:
		ok = body_judge_object(&p->body, INGEST_META_MAX, &j);
		break;
	case POST_BEAT:
	case POST_GAP:
	case POST_READY:
		break;
	}
	if (ok == -1)
		refuse_body(r, &j);
	return ok;
}

/* The network of 24 bits that an address is in, or of 48 bits; "": none. */
static void
truncate_address(const struct http_address *from,
    char text[HTTP_ADDRESS_MAX + 4])
{
	static const unsigned char v4[12] = { [10] = 0xff, 0xff };
	struct http_address a = *from;
	bool is_v4 = memcmp(a.ip, v4, sizeof(v4)) == 0;

	memset(a.ip + (is_v4 ? 15 : 6), 0, is_v4 ? 1 : 10);
	http_address_text(&a, text);
	if (strcmp(text, "-") == 0)
		text[0] = '\0';
	else
		strlcat(text, is_v4 ? "/24" : "/48", HTTP_ADDRESS_MAX + 4);
}

/* Add a member with a text that needs no escapes behind those of an object. */
static int
add_member(struct buf *b, const char *name, const char *text)
{
	if (text[0] == '\0')
		return 0;
	b->len--;			/* the '}' */
	return buf_addf(b, "%s\"%s\":\"%s\"}",
	    memchr(buf_bytes(b), ':', buf_size(b)) == NULL ? "" : ",", name,
	    text);
}

/*
 * What is said of a session is held to its key's preset; what the key itself
 * says of it goes behind that: it counts.
 */
static int
add_known(struct http_request *r, struct post *p)
{
	const struct key *k = p->key;
	struct buf *b = &p->body.text;
	char address[HTTP_ADDRESS_MAX + 4] = "";
	bool held = preset_hold(b, k->preset);

	if (p->kind == POST_STOP)
		return 0;
	if (k->keep_address)
		truncate_address(&r->client, address);
	b->max += KEY_SOURCE_MAX + HTTP_ADDRESS_MAX + 96;
	if (held && p->kind == POST_OPEN &&
	    add_member(b, "privacy", k->preset) == -1)
		return -1;
	return add_member(b, "source", k->source) == -1 ? -1 :
	    add_member(b, "address", address);
}

/* A batch is as it is to be stored. */
static void
submit_lines(struct http_request *r, struct post *p)
{
	struct ingest *in = r->arg;

	if (p->replaya && replaya_mark(p) == -1)
		refuse_for(r, VERDICT_AWAY, REASON_MEMORY, 1000, "no memory");
	else
		store_submit(&in->store, p);
}

static void
tell_of_failed(struct ingest *in, const struct post *p, const char *why)
{
	if (p->failed > 0 && is_news(in, p->key))
		log_about(LOG_LEVEL_WARN, p->id, p->key->name,
		    "key %s: its program failed on %u events of session %s, "
		    "which are left out%s%s", p->key->name, p->failed, p->id,
		    why == NULL ? "" : ": ", why == NULL ? "" : why);
}

void
ingest_filtered(void *arg, struct post *p, enum filter_outcome outcome,
    const char *why)
{
	struct ingest *in = arg;
	struct http_request *r = p->request;
	struct judgement j;

	switch (outcome) {
	case FILTER_DONE:
		tell_of_failed(in, p, why);
		/* All may be gone; what is there is as good as before. */
		body_judge_lines(&p->body, &j);
		take_judgement(p, &j);
		submit_lines(r, p);
		break;
	case FILTER_NO_MEMORY:
		refuse_for(r, VERDICT_AWAY, REASON_MEMORY, 1000, "no memory");
		break;
	case FILTER_NO_CHILD:
		refuse_for(r, VERDICT_AWAY, REASON_FILTER, FILTER_RETRY_MS,
		    "the key's program cannot be run");
		break;
	case FILTER_STOPPED:
		refuse_for(r, VERDICT_AWAY, REASON_STORAGE, FILTER_RETRY_MS,
		    "the collector is being stopped");
		break;
	}
}

static void
end_lines(struct http_request *r, struct post *p)
{
	struct ingest *in = r->arg;

	if (p->key->filter == NULL)
		submit_lines(r, p);
	else if (filter_take(&in->filters, p->key->filter, p) == -1)
		refuse_for(r, VERDICT_SLOW, REASON_FILTER, FILTER_RETRY_MS,
		    "too much waits for the key's program");
}

static void
end(struct http_request *r)
{
	struct ingest *in = r->arg;
	struct post *p = r->state;

	assert(p != NULL);
	if (p->kind != POST_READY) {
		body_end(&p->body);
		count_add(COUNT_UNPACKED, buf_size(&p->body.text));
		if (check_body_state(r, p) == -1 ||
		    (p->replaya && end_replaya(r, p) == -1) ||
		    judge_body(r, p) == -1)
			return;
	}
	if (p->kind == POST_LINES) {
		end_lines(r, p);
		return;
	}
	if (p->kind == POST_OPEN) {
		p->retention = p->key->retention;
		session_id_make(in->clock, p->id);
	}
	if ((p->kind == POST_OPEN || p->kind == POST_META ||
	    p->kind == POST_STOP) && add_known(r, p) == -1) {
		refuse_for(r, VERDICT_AWAY, REASON_MEMORY, 1000, "no memory");
		return;
	}
	store_submit(&in->store, p);
}

static void
done(struct http_request *r)
{
	struct ingest *in = r->arg;
	struct post *p = r->state;

	if (p == NULL)
		return;
	filter_forget(p);
	store_forget(&in->store, p);
	body_release(&p->body);
	free(p->marks);
	free(p);
}

const struct http_program ingest_program = { begin, receive, end, done, NULL };
