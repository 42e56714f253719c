/*
 * Which sessions there are: S2's list of streams.  It is ordered by name, and
 * names are made so that the newest session comes first.
 */
#include <errno.h>

#include "ls.h"

#define PAGE_MAX	1000	/* S2's */
#define SESSIONS_MIN	64

struct session *
sessions_add(struct sessions *list, const char *stream, const char *id)
{
	struct session *s;
	size_t cap;

	if (list->n == list->cap) {
		cap = list->cap < SESSIONS_MIN ? SESSIONS_MIN : 2 * list->cap;
		s = reallocarray(list->v, cap, sizeof *s);
		if (s == NULL)
			return NULL;
		list->v = s;
		list->cap = cap;
	}
	s = &list->v[list->n++];
	memset(s, 0, sizeof *s);
	strlcpy(s->stream, stream, sizeof s->stream);
	strlcpy(s->id, id, sizeof s->id);
	s->created = session_id_time(id);
	s->meta = jv_object();
	s->late = jv_object();
	s->stop = jv_null();
	return s;
}

void
sessions_release(struct sessions *list)
{
	size_t i;

	for (i = 0; i < list->n; i++) {
		free(list->v[i].error);
		jv_free(list->v[i].meta);
		jv_free(list->v[i].late);
		jv_free(list->v[i].stop);
	}
	free(list->v);
	memset(list, 0, sizeof *list);
}

/* Get up to 'limit' streams behind 'after'. 0 with *answer, or -1. */
static int
get_streams(struct ls *ls, struct s2_call *call, const char *after,
    size_t limit, jv *answer)
{
	struct s2_request req = { .method = "GET", .basin = ls->basin,
	    .timeout = LS_TRY_MAX, .what = "list of sessions" };
	struct buf path = BUF_INIT(S2_PATH_MAX);
	int rc;

	*answer = jv_invalid();
	if (buf_addf(&path, "/v1/streams?limit=%zu&prefix=", limit) == -1 ||
	    s2_escape(&path, ls->prefix, strlen(ls->prefix)) == -1 ||
	    buf_add(&path, "%2F", 3) == -1 ||
	    (after != NULL && (buf_addf(&path, "&start_after=") == -1 ||
	    s2_escape(&path, after, strlen(after)) == -1)) ||
	    buf_add(&path, "", 1) == -1) {
		s2_error_local(&call->error, false, "list of sessions: %s",
		    strerror(errno));
		buf_release(&path);
		return -1;
	}
	req.path = (char *)buf_bytes(&path);
	rc = s2_call_wait(call, &req, LS_PATIENCE);
	buf_release(&path);
	if (rc == -1)
		return -1;
	*answer = jv_parse_sized((char *)buf_bytes(&call->body),
	    (int)buf_size(&call->body));
	if (jv_get_kind(*answer) == JV_KIND_OBJECT)
		return 0;
	jv_free(*answer);
	s2_error_local(&call->error, false,
	    "list of sessions: the answer is no JSON object");
	return -1;
}

static bool
get_true(jv object, const char *key)
{
	jv v = jv_object_get(jv_copy(object), jv_string(key));
	bool is = jv_get_kind(v) == JV_KIND_TRUE;

	jv_free(v);
	return is;
}

struct walk {
	struct ls *ls;
	bool (*each)(void *arg, const char *stream, const char *id);
	void *arg;
	jv last;		/* name of the last stream looked at, or null */
	bool ended;		/* each() wanted no more */
};

/* Look at one stream of the list, which is consumed. */
static void
take_stream(struct walk *w, jv stream)
{
	jv name = jv_object_get(jv_copy(stream), jv_string("name"));
	jv deleted = jv_object_get(stream, jv_string("deleted_at"));
	bool alive = jv_get_kind(deleted) == JV_KIND_NULL;
	const char *id;

	jv_free(deleted);
	if (jv_get_kind(name) != JV_KIND_STRING) {
		jv_free(name);
		return;
	}
	id = session_of_stream(w->ls->prefix, jv_string_value(name));
	if (alive && id != NULL && !w->each(w->arg, jv_string_value(name), id))
		w->ended = true;
	jv_free(w->last);
	w->last = name;
}

/* Take an answer, which is consumed.  True if there is more to ask for. */
static bool
take_streams(struct walk *w, jv answer)
{
	bool more = get_true(answer, "has_more");
	jv list = jv_object_get(answer, jv_string("streams"));
	int i, n = 0;

	if (jv_get_kind(list) == JV_KIND_ARRAY)
		n = jv_array_length(jv_copy(list));
	for (i = 0; i < n && !w->ended; i++) {
		jv stream = jv_array_get(jv_copy(list), i);

		if (jv_get_kind(stream) == JV_KIND_OBJECT)
			take_stream(w, stream);
		else
			jv_free(stream);
	}
	jv_free(list);
	return more && n > 0 && !w->ended;
}

/* Tell that there is no basin; without it there would be no list of none. */
static void
set_missing(const struct ls *ls, struct s2_call *call)
{
	snprintf(call->error.text, sizeof call->error.text,
	    "there is no basin '%s': is it the RR_BASIN of the collector, which "
	    "makes it when it starts?", ls->basin);
}

static int
walk(struct walk *w, const char *after, size_t limit, struct s2_error *error)
{
	struct s2_call *call = s2_call_new(w->ls->s2, 0);
	jv answer;
	bool more;
	int rc;

	if (call == NULL) {
		s2_error_local(error, false, "list of sessions: %s",
		    strerror(errno));
		return -1;
	}
	w->last = jv_null();
	do {
		if (jv_get_kind(w->last) == JV_KIND_STRING)
			after = jv_string_value(w->last);
		rc = get_streams(w->ls, call, after, limit, &answer);
		more = rc == 0 && take_streams(w, answer);
	} while (more);
	if (rc == 0 && after == NULL && jv_get_kind(w->last) == JV_KIND_NULL &&
	    s2_basin_is_missing(call, w->ls->basin, NULL, LS_TRY_MAX))
		rc = -1;
	if (rc == -1 && strcmp(call->error.code, "basin_not_found") == 0)
		set_missing(w->ls, call);
	jv_free(w->last);
	*error = call->error;
	s2_call_free(call);
	return rc;
}

int
list_each(struct ls *ls, bool (*each)(void *arg, const char *stream,
    const char *id), void *arg, struct s2_error *error)
{
	struct walk w = { .ls = ls, .each = each, .arg = arg };

	return walk(&w, NULL, PAGE_MAX, error);
}

struct page {
	struct sessions *list;
	size_t left;
	bool more;		/* one too many was seen */
	bool no_memory;
};

static bool
add_to_page(void *arg, const char *stream, const char *id)
{
	struct page *page = arg;

	if (page->left == 0) {
		page->more = true;
		return false;
	}
	page->left--;
	if (sessions_add(page->list, stream, id) == NULL)
		page->no_memory = true;
	return !page->no_memory;
}

int
list_place(struct ls *ls, uint64_t time, char *out, size_t size)
{
	int n;

	/* Digits less by one millisecond sort before all of that time. */
	n = snprintf(out, size, "%s/%013llu", ls->prefix,
	    (unsigned long long)(SESSION_TIME_MAX - time + 1));
	return n < 0 || (size_t)n >= size ? -1 : 0;
}

int
list_page(struct ls *ls, const char *after, size_t count,
    struct sessions *list, bool *more, struct s2_error *error)
{
	struct page page = { .list = list, .left = count };
	struct walk w = { .ls = ls, .each = add_to_page, .arg = &page };

	/* One more than asked for tells whether there are more. */
	if (walk(&w, after, count < PAGE_MAX ? count + 1 : PAGE_MAX,
	    error) == -1)
		return -1;
	if (page.no_memory) {
		s2_error_local(error, false, "list of sessions: %s",
		    strerror(ENOMEM));
		return -1;
	}
	*more = page.more;
	return 0;
}
