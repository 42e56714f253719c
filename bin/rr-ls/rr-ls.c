/*
 * rr-ls: lists sessions, newest first, from nothing but S2's list of streams
 * and two small reads of each.
 */
#include <errno.h>
#include <getopt.h>
#include <unistd.h>

#include "log.h"
#include "ls.h"
#include "options.h"

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

static const char usage_text[] =
    "usage: rr-ls [-j] [-a STREAM] [-n COUNT]\n"
    "       rr-ls [-j] ID ...\n"
    "       rr-ls -q ID ...\n"
    "List sessions, newest first; or those named. ID may be the beginning of\n"
    "an id.\n"
    "  -a STREAM  only those behind this stream in the list\n"
    "  -j         print JSON: a list, or one object a session\n"
    "  -n COUNT   at most so many (50)\n"
    "  -q         only print the whole id\n";

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

static void
put_json(jv v)
{
	jv_dumpf(v, stdout, 0);
	putchar('\n');
}

static void
put_page(const struct sessions *list, bool more)
{
	jv page = jv_object(), array = jv_array();
	size_t i;

	for (i = 0; i < list->n; i++)
		if (!list->v[i].gone)
			array = jv_array_append(array,
			    show_object(&list->v[i]));
	page = jv_object_set(page, jv_string("sessions"), array);
	page = jv_object_set(page, jv_string("more"), jv_bool(more));
	page = jv_object_set(page, jv_string("next"), more ?
	    jv_string(list->v[list->n - 1].stream) : jv_null());
	put_json(page);
}

static void
put_table(const struct sessions *list)
{
	size_t i;

	if (isatty(STDOUT_FILENO))
		show_heading(stdout);
	for (i = 0; i < list->n; i++)
		if (!list->v[i].gone)
			show_text(&list->v[i], stdout);
}

/* ---- What it is run for ---- */

static void
read_all(struct ls *ls, struct sessions *list)
{
	if (summary_read(ls, list) == -1)
		log_die(EXIT_OTHER, "cannot read: %s", strerror(errno));
}

static int
run_page(struct ls *ls, const char *after, size_t count, bool json)
{
	struct sessions list = { 0 };
	struct s2_error error;
	bool more;

	if (list_page(ls, after, count, &list, &more, &error) == -1)
		log_die(error.exit, "%s", error.text);
	read_all(ls, &list);
	if (json)
		put_page(&list, more);
	else
		put_table(&list);
	sessions_release(&list);
	return EXIT_OK;
}

/* Sessions that were asked for by name: here a failure counts. */
static int
run_ids(struct ls *ls, char **given, int n, bool json, bool quiet)
{
	struct sessions list = { 0 };
	int status = EXIT_OK;
	size_t i;

	resolve(ls, given, n, &list);
	if (!quiet)
		read_all(ls, &list);
	for (i = 0; i < list.n; i++) {
		struct session *s = &list.v[i];

		if (quiet) {
			puts(s->id);
			continue;
		}
		if (s->error != NULL) {
			log_err("%s: %s", s->id, s->error);
			status = s->exit;
		}
		if (json && !s->gone)
			put_json(show_object(s));
	}
	if (!quiet && !json)
		put_table(&list);
	sessions_release(&list);
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
	const char *after = NULL;
	size_t count = 0;
	bool json = false, quiet = false;
	int c, status;

	log_init("rr-ls", LOG_LEVEL_WARN);
	while ((c = getopt_long(argc, argv, "a:jn:q", longopts,
	    NULL)) != -1) {
		switch (c) {
		case 'a':
			after = optarg;
			break;
		case 'j':
			json = true;
			break;
		case 'n':
			count = (size_t)option_number("-n", optarg, 1,
			    COUNT_MAX);
			break;
		case 'q':
			quiet = true;
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
	if (argc > 0 && (after != NULL || count > 0))
		option_wrong("-a and -n are for lists, not for ids");
	if (argc > IDS_MAX)
		option_wrong("too many ids");
	if (quiet && (argc == 0 || json))
		option_wrong("-q takes ids, and no -j");
	set_up(&ls, &settings);
	status = argc > 0 ? run_ids(&ls, argv, argc, json, quiet) :
	    run_page(&ls, after, count > 0 ? count : COUNT_DEFAULT, json);
	s2_free(ls.s2);
	settings_release(&settings);
	log_exit_flushed(status);
}
