/*
 * Which sessions are wanted: conditions on what is known of them.
 */
#include <errno.h>
#include <time.h>

#include "ls.h"

#define SECONDS_MAX	(10 * 365 * 86400LL)

static const char *
parse_number(const char *value, long long most, double *out, double unit)
{
	const char *bad;
	long long n = strtonum(value, 0, most, &bad);

	if (*value < '0' || *value > '9' || bad != NULL)
		return "is no such number";
	*out = (double)n * unit;
	return NULL;
}

/* 1767225600000 (ms), 2026-01-31[T12:30], or 30m, 12h, 7d ago. */
static const char *
parse_time(const char *value, uint64_t now, uint64_t *out)
{
	static const struct {
		char letter;
		uint64_t ms;
	} units[] = {
		{ 'm', 60000 }, { 'h', 3600000 }, { 'd', 86400000 },
	};
	struct tm tm = { .tm_isdst = -1 };
	const char *end;
	char *rest;
	unsigned long long n;
	size_t i;

	errno = 0;
	n = strtoull(value, &rest, 10);
	if (*value >= '0' && *value <= '9' && errno == 0 &&
	    n <= SESSION_TIME_MAX) {
		for (i = 0; i < sizeof units / sizeof *units; i++)
			if (rest[0] == units[i].letter && rest[1] == '\0') {
				n = n > now / units[i].ms ? 0 :
				    now - n * units[i].ms;
				rest++;
				break;
			}
		*out = n;
		if (*rest == '\0')
			return NULL;
	}
	end = strptime(value, "%Y-%m-%d", &tm);
	if (end != NULL && *end == 'T')
		end = strptime(end, "T%H:%M", &tm);
	if (end == NULL || *end != '\0' || mktime(&tm) < 0)
		return "is no time: 2026-01-31, 2026-01-31T12:30, 30m, 12h "
		    "or 7d (ago), or milliseconds since 1970";
	*out = (uint64_t)mktime(&tm) * 1000;
	return NULL;
}

static const char *
parse_state(const char *value, enum where_state *out)
{
	static const char *const words[] = {
		[WHERE_LIVE] = "live", [WHERE_PAST] = "past",
		[WHERE_STOPPED] = "stopped", [WHERE_ENDED] = "ended",
	};
	size_t i;

	for (i = WHERE_LIVE; i < sizeof words / sizeof *words; i++)
		if (strcmp(value, words[i]) == 0) {
			*out = i;
			return NULL;
		}
	return "is none of live, past, stopped and ended";
}

const char *
where_add(struct where *w, const char *text, uint64_t now)
{
	const struct {
		const char *key;
		const char **text;
		uint64_t *time;
		double *number;
		double unit;
	} keys[] = {
		{ "text", &w->text, NULL, NULL, 0 },
		{ "url", &w->url, NULL, NULL, 0 },
		{ "user", &w->user, NULL, NULL, 0 },
		{ "source", &w->source, NULL, NULL, 0 },
		{ "since", NULL, &w->since, NULL, 0 },
		{ "until", NULL, &w->until, NULL, 0 },
		{ "min", NULL, NULL, &w->min, 1000 },
		{ "max", NULL, NULL, &w->max, 1000 },
		{ "active", NULL, NULL, &w->counts[LS_ACTIVE], 1000 },
		{ "events", NULL, NULL, &w->counts[LS_EVENTS], 1 },
		{ "pages", NULL, NULL, &w->counts[LS_PAGES], 1 },
		{ "errors", NULL, NULL, &w->counts[LS_ERRORS], 1 },
		{ "rage", NULL, NULL, &w->counts[LS_RAGE], 1 },
		{ "dead", NULL, NULL, &w->counts[LS_DEAD], 1 },
	};
	const char *value = strchr(text, '=');
	size_t i, len;

	if (value == NULL)
		return "is not KEY=VALUE";
	len = (size_t)(value++ - text);
	w->any = true;
	w->inside |= (len != 5 || memcmp(text, "since", 5) != 0) &&
	    (len != 5 || memcmp(text, "until", 5) != 0);
	if (len == 5 && memcmp(text, "state", 5) == 0)
		return parse_state(value, &w->state);
	for (i = 0; i < sizeof keys / sizeof *keys; i++) {
		if (strlen(keys[i].key) != len ||
		    memcmp(text, keys[i].key, len) != 0)
			continue;
		if (keys[i].time != NULL)
			return parse_time(value, now, keys[i].time);
		if (keys[i].number != NULL)
			return parse_number(value, SECONDS_MAX,
			    keys[i].number, keys[i].unit);
		*keys[i].text = value;
		return NULL;
	}
	return "is no condition that there is";
}

static bool
text_has(const struct session *s, const char *key, const char *part)
{
	jv v = jv_object_get(jv_copy(s->meta), jv_string(key));
	bool is = jv_get_kind(v) == JV_KIND_STRING &&
	    strcasestr(jv_string_value(v), part) != NULL;

	jv_free(v);
	return is;
}

static bool
text_is(const struct session *s, const char *key, const char *whole)
{
	jv v = jv_object_get(jv_copy(s->meta), jv_string(key));
	bool is = jv_get_kind(v) == JV_KIND_STRING &&
	    strcmp(jv_string_value(v), whole) == 0;

	jv_free(v);
	return is;
}

/* Each of its words is in one of the texts. */
static bool
has_words(const struct session *s, const char *text)
{
	static const char *const keys[] = { "url", "title", "user",
	    "source" };
	char copy[LS_TEXT_MAX + 1], *p = copy, *word;
	size_t i;

	strlcpy(copy, text, sizeof copy);
	while ((word = strsep(&p, " ")) != NULL) {
		bool found = strstr(s->id, word) != NULL;

		for (i = 0; !found && i < sizeof keys / sizeof *keys; i++)
			found = text_has(s, keys[i], word);
		if (!found)
			return false;
	}
	return true;
}

static bool
state_fits(const struct session *s, enum where_state state)
{
	switch (state) {
	case WHERE_ANY:
		return true;
	case WHERE_LIVE:
		return s->state == SESSION_LIVE;
	case WHERE_PAST:
		return s->state == SESSION_STOPPED ||
		    s->state == SESSION_ENDED;
	case WHERE_STOPPED:
		return s->state == SESSION_STOPPED;
	case WHERE_ENDED:
		return s->state == SESSION_ENDED;
	}
	return false;
}

static bool
time_fits(const struct where *w, const struct session *s)
{
	return s->created >= w->since &&
	    (w->until == 0 || s->created < w->until);
}

bool
where_is_open(const struct where *w, const struct session *s)
{
	return w->inside && s->error != NULL && !s->gone && time_fits(w, s);
}

bool
where_fits(const struct where *w, const struct session *s)
{
	int i;

	if (!time_fits(w, s))
		return false;
	if (!w->inside)
		return true;
	if (s->error != NULL || !state_fits(s, w->state) ||
	    (w->min > 0 && session_duration(s) < w->min) ||
	    (w->max > 0 && session_duration(s) > w->max))
		return false;
	for (i = 0; i < LS_COUNTS; i++)
		if (session_count(s, i) < w->counts[i])
			return false;
	return (w->text == NULL || has_words(s, w->text)) &&
	    (w->url == NULL || text_has(s, "url", w->url)) &&
	    (w->user == NULL || text_is(s, "user", w->user)) &&
	    (w->source == NULL || text_is(s, "source", w->source));
}
