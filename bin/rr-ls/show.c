#include <math.h>

#include "ls.h"
#include "visible.h"

#define URL_COLUMNS	100	/* characters of the last column */
#define USER_COLUMNS	20
#define DURATION_MAX	1e15	/* ms that a recorder is believed */

static const char *const state_names[] = {
	[SESSION_UNKNOWN] = "unknown",
	[SESSION_LIVE] = "live",
	[SESSION_STOPPED] = "stopped",
	[SESSION_ENDED] = "ended",
};

/* A value of an object, if it is of that kind; else null. */
static jv
get_kind(jv object, const char *key, jv_kind kind)
{
	jv v = jv_null();

	if (jv_get_kind(object) == JV_KIND_OBJECT)
		v = jv_object_get(jv_copy(object), jv_string(key));
	if (jv_get_kind(v) == kind)
		return v;
	jv_free(v);
	return jv_null();
}

static bool
get_number(jv object, const char *key, double *out)
{
	jv v = get_kind(object, key, JV_KIND_NUMBER);
	bool is = jv_get_kind(v) == JV_KIND_NUMBER;

	if (is)
		*out = jv_number_value(v);
	jv_free(v);
	return is && isfinite(*out);
}

const char *const ls_counts[LS_COUNTS] = { "events", "bytes", "pages",
    "errors", "rage", "dead", "active" };

double
session_duration(const struct session *s)
{
	double said;

	if (s->has_first && s->has_last && s->last >= s->first)
		return (double)(s->last - s->first);
	if (get_number(s->stop, "duration", &said) && said >= 0 &&
	    said <= DURATION_MAX)
		return said;
	return s->seen > s->created ? (double)(s->seen - s->created) : 0;
}

static bool
get_count(const struct session *s, enum ls_count which, double *out)
{
	if (get_number(s->stop, ls_counts[which], out) && *out >= 0)
		return true;
	*out = s->counts[which];
	return s->counted;
}

double
session_count(const struct session *s, enum ls_count which)
{
	double n;

	return get_count(s, which, &n) ? n : 0;
}

static void
put(jv *object, const char *key, jv value)
{
	*object = jv_object_set(*object, jv_string(key), value);
}

static void
put_number(jv *object, const char *key, bool known, double n)
{
	put(object, key, known ? jv_number(n) : jv_null());
}

jv
show_object(const struct session *s)
{
	static const char *const texts[] = { "url", "title", "user",
	    "source" };
	jv o = jv_object();
	double n;
	size_t i;

	put(&o, "id", jv_string(s->id));
	put(&o, "stream", jv_string(s->stream));
	put(&o, "created", jv_number((double)s->created));
	put(&o, "state", jv_string(state_names[s->state]));
	if (s->error != NULL) {
		put(&o, "error", jv_string(s->error));
		return o;
	}
	if (s->later)
		put(&o, "later", jv_true());
	if (s->import && !s->stopped)
		put(&o, "import", jv_true());
	put(&o, "records", jv_number((double)s->records));
	put_number(&o, "first", s->has_first, (double)s->first);
	put_number(&o, "last", s->has_last, (double)s->last);
	put(&o, "duration", jv_number(session_duration(s)));
	put(&o, "seen", jv_number((double)s->seen));
	for (i = 0; i < sizeof texts / sizeof *texts; i++)
		put(&o, texts[i], get_kind(s->meta, texts[i],
		    JV_KIND_STRING));
	for (i = 0; i < LS_COUNTS; i++)
		if (get_count(s, i, &n))
			put(&o, ls_counts[i], jv_number(n));
	put(&o, "meta", jv_copy(s->meta));
	if (jv_get_kind(s->stop) == JV_KIND_OBJECT)
		put(&o, "stop", jv_copy(s->stop));
	return o;
}

jv
show_entry(const struct session *s)
{
	jv o = jv_object(), times = jv_object();

	put(&o, "id", jv_string(s->id));
	put(&o, "meta", jv_copy(s->meta));
	put(&o, "stop", jv_get_kind(s->stop) == JV_KIND_OBJECT ?
	    jv_copy(s->stop) : jv_object());
	put(&o, "records", jv_number((double)s->records));
	put(&o, "seen", jv_number((double)s->seen));
	if (s->has_first)
		put(&times, "first", jv_number((double)s->first));
	if (s->has_last)
		put(&times, "last", jv_number((double)s->last));
	put(&o, "counts", times);
	return o;
}

/*
 * Write text cut or filled to so many characters: control characters (C0, DEL,
 * and C1, which is U+0080 to U+009F) as '?', what cannot be seen as <U+202E>.
 * jv's strings are valid UTF-8.
 */
static void
put_text(const char *text, int columns, bool fill, FILE *out)
{
	const unsigned char *p = (const unsigned char *)text;
	bool after_ascii = true;
	char name[16];
	uint32_t c;
	int n = 0, size, len;

	for (; *p != '\0' && n < columns; p += size) {
		c = visible_character(p, &size);
		len = 1;
		if (visible_is_control(c)) {
			putc('?', out);
		} else if (visible_is_unseen(c, after_ascii)) {
			len = snprintf(name, sizeof name, "<U+%04X>", c);
			if (n + len > columns)
				break;
			fputs(name, out);
		} else {
			fwrite(p, 1, size, out);
		}
		after_ascii = c < 0x80;
		n += len;
	}
	for (; fill && n < columns; n++)
		putc(' ', out);
}

static void
put_meta(const struct session *s, const char *key, int columns, bool fill,
    FILE *out)
{
	jv v = get_kind(s->meta, key, JV_KIND_STRING);

	put_text(jv_get_kind(v) == JV_KIND_STRING ? jv_string_value(v) : "",
	    columns, fill, out);
	jv_free(v);
}

void
show_heading(FILE *out)
{
	fprintf(out, "%-25s %-7s %-16s %9s  %-*s %s\n", "ID", "STATE",
	    "BEGUN", "LENGTH", USER_COLUMNS, "USER", "URL");
}

void
show_text(const struct session *s, FILE *out)
{
	char begun[32], length[32];
	time_t at = (time_t)(s->created / 1000);
	long long seconds = (long long)(session_duration(s) / 1000);
	struct tm tm;

	if (localtime_r(&at, &tm) == NULL ||
	    strftime(begun, sizeof begun, "%Y-%m-%d %H:%M", &tm) == 0)
		strlcpy(begun, "?", sizeof begun);
	snprintf(length, sizeof length, "%lld:%02lld:%02lld", seconds / 3600,
	    seconds / 60 % 60, seconds % 60);
	fprintf(out, "%-25s %-7s %-16s %9s  ", s->id, state_names[s->state],
	    begun, s->error != NULL ? "-" : length);
	if (s->error != NULL) {
		put_text(s->error, URL_COLUMNS + USER_COLUMNS, false, out);
	} else {
		put_meta(s, "user", USER_COLUMNS, true, out);
		putc(' ', out);
		put_meta(s, "url", URL_COLUMNS, false, out);
	}
	putc('\n', out);
}
