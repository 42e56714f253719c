/*
 * rr-ls: lists sessions, newest first, from nothing but S2: its list of
 * streams, the index, and small reads of what that does not tell.
 */
#include <errno.h>
#include <getopt.h>
#include <unistd.h>

#include "log.h"
#include "ls.h"
#include "options.h"
#include "visible.h"

#define COUNT_DEFAULT	50
#define COUNT_MAX	10000
/*
 * Browsers let the timers of a hidden page run once a minute, so its beats may
 * be a minute apart, and one may be late.
 */
#define LEASE_DEFAULT	"150"	/* s */
#define LEASE_MAX	(10 * 365 * 86400LL)
#define IDS_MAX		1000	/* operands */
#define CANDIDATES_MAX	10	/* named when a beginning fits several */
/* With conditions, sessions are looked at so many at a time, ... */
#define CHUNK		500
/* ... and no more of them for one page: the client asks on. */
#define LOOK_MAX	5000

static const char usage_text[] =
    "usage: rr-ls [-j] [-a STREAM] [-n COUNT] [-w KEY=VALUE ...]\n"
    "       rr-ls [-j] ID ...\n"
    "       rr-ls -q ID ...\n"
    "       rr-ls -i [-a STREAM] [-n COUNT] [-w KEY=VALUE ...]\n"
    "       rr-ls -i ID ...\n"
    "List sessions, newest first; or those named. ID may be the beginning of\n"
    "an id.\n"
    "  -a STREAM  only those behind this stream in the list\n"
    "  -i         print what the index should say of those that are stopped,\n"
    "             of a list only what it does not say\n"
    "  -j         print JSON: a list, or one object a session\n"
    "  -n COUNT   at most so many (50)\n"
    "  -q         only print the whole id\n"
    "  -w KEY=VALUE  only those with (at least) this: since, until, state,\n"
    "             user, source, url, text, min, max, active, events, pages,\n"
    "             errors, rage, dead\n";

/* ---- Ids by their beginnings ---- */

/* What was given, and which sessions begin so. */
struct wanted {
	const char *given;
	size_t len;
	size_t found;
	char ids[CANDIDATES_MAX][SESSION_ID_LEN + 1];
};

struct search {
	struct wanted *wanted;
	size_t n;
};

static bool
match(void *arg, const char *stream, const char *id)
{
	struct search *search = arg;
	size_t i;

	(void)stream;
	for (i = 0; i < search->n; i++) {
		struct wanted *w = &search->wanted[i];

		if (strncmp(id, w->given, w->len) != 0)
			continue;
		if (w->found < CANDIDATES_MAX)
			strlcpy(w->ids[w->found], id, sizeof w->ids[0]);
		w->found++;
	}
	return true;
}

static void __attribute__((noreturn))
die_ambiguous(const struct wanted *w)
{
	size_t n = w->found < CANDIDATES_MAX ? w->found : CANDIDATES_MAX, i;
	char ids[CANDIDATES_MAX * (SESSION_ID_LEN + 1) + 1] = "";

	for (i = 0; i < n; i++) {
		strlcat(ids, " ", sizeof ids);
		strlcat(ids, w->ids[i], sizeof ids);
	}
	log_die(EXIT_USAGE, "'%s' is the beginning of %zu ids:%s%s", w->given,
	    w->found, ids, w->found > n ? " ..." : "");
}

/* Turn what was given into sessions; a whole id needs no look at S2. */
static void
resolve(struct ls *ls, char **given, int n, struct sessions *list)
{
	struct search search = { calloc((size_t)n, sizeof(struct wanted)), 0 };
	char stream[SESSION_STREAM_MAX + 1];
	struct s2_error error;
	struct wanted *w;
	const char *id;
	int i;

	if (search.wanted == NULL)
		log_die(EXIT_OTHER, "%s", strerror(errno));
	for (i = 0; i < n; i++) {
		if (session_id_is_valid(given[i], strlen(given[i])))
			continue;
		w = &search.wanted[search.n++];
		w->given = given[i];
		w->len = strlen(given[i]);
	}
	if (search.n > 0 && list_each(ls, match, &search, &error) == -1)
		log_die(error.exit, "%s", error.text);
	for (i = 0, w = search.wanted; i < n; i++) {
		id = given[i];
		if (!session_id_is_valid(id, strlen(id))) {
			if (w->found == 0)
				log_die(EXIT_MISSING, "no session has an id "
				    "that begins with '%s'", w->given);
			if (w->found > 1)
				die_ambiguous(w);
			id = w++->ids[0];
		}
		if (session_stream(ls->prefix, id, stream, sizeof stream) ==
		    -1 || sessions_add(list, stream, id) == NULL)
			log_die(EXIT_OTHER, "out of memory");
	}
	free(search.wanted);
}

/* ---- Output ---- */

/* On a terminal nothing that a page sent moves the cursor. */
static void
put_visible(jv v)
{
	struct buf out = BUF_INIT(SIZE_MAX / 2);
	struct visible state = { .n = 0 };
	jv text = jv_dump_string(v, 0);

	if (visible_add(&state, &out, jv_string_value(text),
	    (size_t)jv_string_length_bytes(jv_copy(text))) == -1)
		log_die(EXIT_OTHER, "out of memory");
	fwrite(buf_bytes(&out), 1, buf_size(&out), stdout);
	buf_release(&out);
	jv_free(text);
}

static void
put_json(jv v)
{
	if (isatty(STDOUT_FILENO))
		put_visible(v);
	else
		jv_dumpf(v, stdout, 0);
	putchar('\n');
}

/* What is printed. */
enum form {
	TABLE,
	JSON,
	IDS,			/* -q */
	ENTRIES,		/* -i */
};

/* A page, as it is being made. */
struct page {
	const struct where *where;
	struct sessions list;	/* all that were looked at */
	size_t count;		/* so many are wanted */
	size_t found;
	size_t open;		/* may be wanted, but could not be read */
	size_t looked;		/* up to here; the rest is for the next page */
	bool newest;		/* it begins at the newest */
	bool more;
	bool has_index;
	uint64_t index;
};

static bool
is_shown(const struct page *page, const struct session *s)
{
	return !s->gone && where_fits(page->where, s);
}

static void
put_page(const struct page *page)
{
	const struct sessions *list = &page->list;
	jv o = jv_object(), array = jv_array();
	size_t i;

	for (i = 0; i < page->looked; i++)
		if (is_shown(page, &list->v[i]))
			array = jv_array_append(array,
			    show_object(&list->v[i]));
	o = jv_object_set(o, jv_string("sessions"), array);
	o = jv_object_set(o, jv_string("more"), jv_bool(page->more));
	o = jv_object_set(o, jv_string("next"), page->more ?
	    jv_string(list->v[page->looked - 1].stream) : jv_null());
	if (page->where->any) {
		o = jv_object_set(o, jv_string("looked"),
		    jv_number((double)page->looked));
		o = jv_object_set(o, jv_string("unread"),
		    jv_number((double)page->open));
	}
	if (page->has_index && page->newest)
		o = jv_object_set(o, jv_string("index"),
		    jv_number((double)page->index));
	put_json(o);
}

static void
put_table(const struct page *page)
{
	size_t i;

	if (isatty(STDOUT_FILENO))
		show_heading(stdout);
	for (i = 0; i < page->looked; i++)
		if (is_shown(page, &page->list.v[i]))
			show_text(&page->list.v[i], stdout);
}

/* ---- What it is run for ---- */

static void
read_all(struct ls *ls, struct sessions *list, size_t from)
{
	size_t i;

	for (i = from; i < list->n; i++)
		list->v[i].told = session_is_known(&list->v[i]);
	if (summary_read(ls, list, from) == -1)
		log_die(EXIT_OTHER, "cannot read: %s", strerror(errno));
	for (i = from; i < list->n; i++)
		if (list->v[i].later)
			log_warn("%s: some of it was written by a later "
			    "version; what is shown leaves that out",
			    list->v[i].id);
}

static void
put_entries(const struct page *page)
{
	const struct session *s;
	size_t i;

	for (i = 0; i < page->looked; i++) {
		s = &page->list.v[i];
		if (s->state == SESSION_STOPPED && !s->told && !s->later &&
		    is_shown(page, s))
			put_json(show_entry(s));
	}
}

/* Look at those that the list has behind 'from', one after the other. */
static void
look(struct page *page, size_t from)
{
	const struct session *s;

	for (page->looked = from; page->looked < page->list.n &&
	    page->found < page->count; page->looked++) {
		s = &page->list.v[page->looked];
		/* Older ones are not wanted either. */
		if (s->created < page->where->since) {
			page->more = false;
			return;
		}
		page->found += is_shown(page, s);
		page->open += where_is_open(page->where, s);
	}
	if (page->looked < page->list.n)
		page->more = true;
}

/* Add a piece of the list to the page.  True if another one is wanted. */
static bool
look_on(struct ls *ls, struct page *page, const char *after)
{
	struct sessions *list = &page->list;
	struct s2_error error;
	uint64_t index;
	const size_t from = list->n, at_once = !page->where->any ? page->count :
	    CHUNK;
	bool newest = page->newest && from == 0;

	if (list_page(ls, after, ls->whole ? page->count : at_once, list,
	    &page->more, &error) == -1)
		log_die(error.exit, "%s", error.text);
	if (index_read(ls, list, from, newest, &index) && newest) {
		page->has_index = true;
		page->index = index;
	}
	read_all(ls, list, from);
	look(page, from);
	return page->more && page->found < page->count &&
	    page->looked < LOOK_MAX;
}

static int
run_page(struct ls *ls, const char *after, size_t count,
    const struct where *where, enum form form)
{
	struct page page = { .where = where, .count = count };
	char place[SESSION_STREAM_MAX + 1];

	page.newest = after == NULL && where->until == 0;
	if (after == NULL && where->until > 0) {
		if (list_place(ls, where->until, place, sizeof place) == -1)
			log_die(EXIT_OTHER, "out of memory");
		after = place;
	}
	while (look_on(ls, &page, after)) {
		strlcpy(place, page.list.v[page.list.n - 1].stream,
		    sizeof place);
		after = place;
	}
	if (page.open > 0)
		log_warn("%zu sessions could not be read, so whether they are "
		    "like this is not known", page.open);
	if (form == JSON)
		put_page(&page);
	else if (form == ENTRIES)
		put_entries(&page);
	else
		put_table(&page);
	sessions_release(&page.list);
	return EXIT_OK;
}

/*
 * Those are read, since they may be gone; the index only knows what was
 * counted, and where to look for that only of one at a time.
 */
static void
read_named(struct ls *ls, struct sessions *list)
{
	struct session *s = &list->v[0];
	uint64_t index;

	if (list->n == 1 && index_read(ls, list, 0, false, &index)) {
		s->opened = s->stopped = false;
		s->meta = (jv_free(s->meta), jv_object());
		s->stop = (jv_free(s->stop), jv_null());
	}
	read_all(ls, list, 0);
}

/* Sessions that were asked for by name: here a failure counts. */
static int
run_ids(struct ls *ls, char **given, int n, enum form form)
{
	static const struct where any;
	struct page page = { .where = &any };
	struct sessions *list = &page.list;
	int status = EXIT_OK;
	size_t i;

	resolve(ls, given, n, list);
	if (form != IDS)
		read_named(ls, list);
	for (i = 0; i < list->n; i++) {
		struct session *s = &list->v[i];

		if (form == IDS) {
			puts(s->id);
			continue;
		}
		if (s->error != NULL) {
			log_err("%s: %s", s->id, s->error);
			status = s->exit;
		}
		if (form == JSON && !s->gone)
			put_json(show_object(s));
		if (form == ENTRIES && s->state == SESSION_STOPPED)
			put_json(show_entry(s));
	}
	page.looked = list->n;
	if (form == TABLE)
		put_table(&page);
	sessions_release(list);
	return status;
}

static void __attribute__((noreturn))
wrong(struct settings *settings, const char *name, const char *why)
{
	settings_wrong(settings, name, "%s", why);
	log_die(EXIT_CONFIG, "%s", settings->why);
}

static void
set_up(struct ls *ls, struct settings *settings)
{
	const char *lease, *why;

	if (settings_load(settings) == -1 ||
	    s2_conf_load(&ls->conf, settings) == -1)
		log_die(EXIT_CONFIG, "%s", settings->why);
	ls->basin = settings_basin(settings);
	ls->prefix = settings_prefix(settings);
	if (!s2_basin_is_valid(ls->basin, strlen(ls->basin)))
		wrong(settings, "RR_BASIN", "is no name of a basin: those "
		    "have 8 to 48 of a-z, 0-9 and '-', not '-' at an end");
	if (strlen(ls->prefix) > SESSION_PREFIX_MAX)
		wrong(settings, "RR_PREFIX", "is longer than 256 bytes");
	lease = settings_get(settings, "RR_LEASE");
	ls->lease = 1000 * strtonum(lease != NULL ? lease : LEASE_DEFAULT, 1,
	    LEASE_MAX, &why);
	if (why != NULL)
		wrong(settings, "RR_LEASE", "is no number of seconds from 1 "
		    "to 315360000");
	ls->s2 = s2_new(&ls->conf, 1);
	if (ls->s2 == NULL)
		log_die(EXIT_OTHER, "cannot start: %s", strerror(errno));
}

static enum form
set_form(enum form old, enum form form)
{
	if (old != TABLE && old != form)
		option_wrong("of -i, -j and -q only one goes");
	return form;
}

int
main(int argc, char **argv)
{
	static const struct option longopts[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	struct settings settings;
	struct ls ls = { 0 };
	struct where where = { 0 };
	const char *after = NULL, *why;
	size_t count = 0;
	enum form form = TABLE;
	int c, status;

	log_init("rr-ls", LOG_LEVEL_WARN);
	while ((c = getopt_long(argc, argv, "a:ijn:qw:", longopts,
	    NULL)) != -1) {
		switch (c) {
		case 'a':
			after = optarg;
			break;
		case 'i':
			form = set_form(form, ENTRIES);
			break;
		case 'j':
			form = set_form(form, JSON);
			break;
		case 'n':
			count = (size_t)option_number("-n", optarg, 1,
			    COUNT_MAX);
			break;
		case 'q':
			form = set_form(form, IDS);
			break;
		case 'w':
			why = where_add(&where, optarg,
			    (uint64_t)time(NULL) * 1000);
			if (why != NULL)
				option_wrong("-w: '%s' %s", optarg, why);
			break;
		case 'h':
			fputs(usage_text, stdout);
			log_exit_flushed(EXIT_OK);
		case 'V':
			puts("rr-ls " RR_VERSION);
			log_exit_flushed(EXIT_OK);
		default:
			exit(EXIT_USAGE);
		}
	}
	argc -= optind;
	argv += optind;
	if (argc > 0 && (after != NULL || count > 0 || where.any))
		option_wrong("-a, -n and -w are for lists, not for ids");
	if (argc > IDS_MAX)
		option_wrong("too many ids");
	if (form == IDS && argc == 0)
		option_wrong("-q takes ids");
	ls.whole = form == ENTRIES;
	set_up(&ls, &settings);
	status = argc > 0 ? run_ids(&ls, argv, argc, form) :
	    run_page(&ls, after, count > 0 ? count : form == ENTRIES ?
	    COUNT_MAX : COUNT_DEFAULT, &where,
	    form);
	s2_free(ls.s2);
	settings_release(&settings);
	log_exit_flushed(status);
}
