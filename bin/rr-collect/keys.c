#include "keys.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "filter.h"
#include "jqprog.h"
#include "preset.h"

#define OPENS_MAX	1000000	/* a minute */
#define POSTS_MAX	1000000	/* a second */
#define DAYS_MAX	36500
#define READ		65536	/* bytes at a time */
#define WHY_MAX		400	/* bytes of what is wrong with a program */
#define BURST_SECONDS	10	/* of posts that may come at once */

static const char key_chars[] = "abcdefghijklmnopqrstuvwxyz"
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

static uint64_t
key_number(const char *name)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	uint64_t n = 0;

	if (EVP_Digest(name, strlen(name), digest, NULL, EVP_sha256(),
	    NULL) != 1)
		abort();
	for (int i = 0; i < 8; i++)
		n = n << 8 | digest[i];
	return n;
}

static void
key_free(struct key *k)
{
	for (int i = 0; i < k->norigins; i++)
		free(k->origins[i]);
	filter_retire(k->filter);
	free(k);
}

static int
by_number(const void *a, const void *b)
{
	const struct key *const *x = a, *const *y = b;

	return ((*x)->number > (*y)->number) - ((*x)->number < (*y)->number);
}

struct key *
key_by_number(const struct keys *keys, uint64_t number)
{
	struct key want = { .number = number }, *wanted = &want, **k;

	k = keys->n == 0 ? NULL : bsearch(&wanted, keys->list,
	    (size_t)keys->n, sizeof(struct key *), by_number);
	return k == NULL || (*k)->revoked ? NULL : *k;
}

struct key *
key_by_name(const struct keys *keys, const char *name)
{
	struct key *k = key_by_number(keys, key_number(name));

	return k == NULL || strcmp(k->name, name) != 0 ? NULL : k;
}

/* ---- origins ---- */

/* scheme://host[:port] without a path; the host may begin with "*.". */
static bool
origin_is_valid(const char *o)
{
	const char *host = strstr(o, "://");

	if (strcmp(o, "*") == 0 || strcmp(o, "null") == 0)
		return true;
	if (host == NULL || host == o)
		return false;
	host += 3;
	if (host[0] == '*') {
		if (host[1] != '.')
			return false;
		host += 2;
	}
	return *host != '\0' && strpbrk(host, "/*?#@") == NULL;
}

static bool
origin_matches(const char *pattern, const char *origin)
{
	const char *star = strstr(pattern, "://*.");
	size_t head, tail, n;

	if (strcmp(pattern, "*") == 0)
		return true;
	if (star == NULL)
		return strcasecmp(pattern, origin) == 0;
	head = (size_t)(star - pattern) + 3;
	tail = strlen(star + 4);
	n = strlen(origin);
	return n > head + tail && strncasecmp(pattern, origin, head) == 0 &&
	    strcasecmp(star + 4, origin + n - tail) == 0 &&
	    strcspn(origin + head, "/@") >= n - head;
}

/* A page that this machine serves to itself. */
static bool
origin_is_local(const char *origin)
{
	static const char *const hosts[] = { "localhost", "127.0.0.1",
	    "[::1]" };
	const char *host = strstr(origin, "://");
	size_t n;

	if (host == NULL)
		return false;
	host += 3;
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		n = strlen(hosts[i]);
		if (strncasecmp(host, hosts[i], n) == 0 &&
		    (host[n] == '\0' || host[n] == ':'))
			return true;
	}
	return false;
}

bool
key_allows(const struct key *k, const char *origin)
{
	if (origin == NULL)
		return true;
	if (k->local)
		return origin_is_local(origin);
	for (int i = 0; i < k->norigins; i++)
		if (origin_matches(k->origins[i], origin))
			return true;
	return false;
}

/* ---- robots ---- */

bool
agent_is_bot(const char *agent)
{
	static const char *const words[] = { "bot", "crawl", "spider",
	    "slurp", "headless", "lighthouse" };
	const char *at;

	if (agent == NULL)
		return true;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		at = strcasestr(agent, words[i]);
		/* Cubot makes telephones. */
		if (at != NULL && (i > 0 || at - agent < 2 ||
		    strncasecmp(at - 2, "cu", 2) != 0))
			return true;
	}
	return false;
}

/* ---- the file ---- */

/* Of NAME=N.  NULL, or what is wrong, good until the next call. */
static const char *
take_number(const char *word, long long max, double *out)
{
	static char wrong[WHY_MAX];
	const char *errstr;
	long long n = strtonum(strchr(word, '=') + 1, 0, max, &errstr);

	if (errstr != NULL) {
		snprintf(wrong, sizeof(wrong), "'%s' is no number from 0 to "
		    "%lld", word, max);
		return wrong;
	}
	*out = (double)n;
	return NULL;
}

/* Read a jq program that compiles.  NULL, or what is wrong, good until the next call. */
static const char *
take_filter(struct key *k, const char *path)
{
	static char wrong[WHY_MAX];
	struct buf program = BUF_INIT(JQPROG_MAX + 1 + READ), why = BUF_INIT(WHY_MAX);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct jqprog *compiled;
	ssize_t n = -1;

	if (fd != -1) {
		while ((n = buf_read(&program, fd, READ)) > 0)
			;
		close(fd);
	}
	if (n == -1 || buf_add(&program, "", 1) == -1) {
		snprintf(wrong, sizeof(wrong), "cannot read '%s': %s", path,
		    strerror(errno));
		buf_release(&program);
		return wrong;
	}
	filter_retire(k->filter);
	k->filter = NULL;
	compiled = jqprog_new((const char *)buf_bytes(&program), &why);
	if (compiled == NULL)
		snprintf(wrong, sizeof(wrong), "'%s': %.*s", path,
		    (int)buf_size(&why), (const char *)buf_bytes(&why));
	else if ((k->filter = filter_new((char *)buf_bytes(&program))) == NULL)
		snprintf(wrong, sizeof(wrong), "%s", strerror(errno));
	jqprog_free(compiled);
	buf_release(&program);
	buf_release(&why);
	return k->filter == NULL ? wrong : NULL;
}

static const char *
take_preset(struct key *k, const char *value)
{
	k->preset = preset_named(value, strlen(value));
	return k->preset == NULL ? "a preset is strict, balanced or open" :
	    NULL;
}

static const char *
take_origin(struct key *k, const char *word)
{
	static char wrong[WHY_MAX];

	if (!origin_is_valid(word)) {
		snprintf(wrong, sizeof(wrong), "'%s' is neither an origin "
		    "(https://shop.example, https://*.shop.example, null, *) "
		    "nor a setting", word);
		return wrong;
	}
	if (k->norigins == KEY_ORIGINS_MAX)
		return "too many origins";
	if ((k->origins[k->norigins] = strdup(word)) == NULL)
		return "no memory";
	k->norigins++;
	return NULL;
}

/* One word behind the key.  NULL, or what is wrong. */
static const char *
take_word(struct key *k, const char *word)
{
	const char *why;
	double n = 0;

	if (strncmp(word, "source=", 7) == 0) {
		if (strlen(word + 7) > KEY_SOURCE_MAX)
			return "the source's name is too long";
		if (strpbrk(word, "\"\\") != NULL)
			return "no '\"' or '\\' in the source's name";
		strlcpy(k->source, word + 7, sizeof(k->source));
		return NULL;
	}
	if (strncmp(word, "opens=", 6) == 0) {
		why = take_number(word, OPENS_MAX, &n);
		k->opens_rate = (struct rate){ n / 60000, n };
		return why;
	}
	if (strncmp(word, "posts=", 6) == 0) {
		why = take_number(word, POSTS_MAX, &n);
		k->posts_rate = (struct rate){ n / 1000, n * BURST_SECONDS };
		return why;
	}
	if (strncmp(word, "days=", 5) == 0) {
		why = take_number(word, DAYS_MAX, &n);
		k->retention = (uint32_t)n * 86400;
		return why;
	}
	if (strncmp(word, "filter=", 7) == 0)
		return take_filter(k, word + 7);
	if (strncmp(word, "sample=", 7) == 0) {
		why = take_number(word, 100, &n);
		k->unsampled = 100 - (uint32_t)n;
		return why;
	}
	if (strncmp(word, "preset=", 7) == 0)
		return take_preset(k, word + 7);
	if (strncmp(word, "bots=", 5) == 0) {
		k->refuse_bots = strcmp(word + 5, "refuse") == 0;
		return k->refuse_bots ? NULL : "bots= takes only 'refuse'";
	}
	if (strncmp(word, "address=", 8) == 0) {
		k->keep_address = strcmp(word + 8, "truncated") == 0;
		return k->keep_address ? NULL :
		    "address= takes only 'truncated'";
	}
	return take_origin(k, word);
}

static const char *
take_line(struct key *k, char *line)
{
	char *word, *rest = line;
	const char *why;
	bool named = false;

	while ((word = strsep(&rest, " \t\r\n")) != NULL) {
		if (*word == '\0')
			continue;
		if (named) {
			if ((why = take_word(k, word)) != NULL)
				return why;
			continue;
		}
		if (strlen(word) > KEY_NAME_MAX ||
		    word[strspn(word, key_chars)] != '\0')
			return "a key is at most 64 of A-Z a-z 0-9 . _ -";
		strlcpy(k->name, word, sizeof(k->name));
		k->number = key_number(word);
		named = true;
	}
	return k->norigins == 0 ?
	    "no origin is allowed (write * for all)" : NULL;
}

/* Takes all of it or, with -1, nothing; *fresh is then still the caller's. */
static int
keys_merge(struct keys *keys, struct key **fresh, int n)
{
	struct key **list, *old;
	int total = keys->n;

	list = reallocarray(keys->list, (size_t)(keys->n + n + 1),
	    sizeof(*list));
	if (list == NULL)
		return -1;
	keys->list = list;
	for (int i = 0; i < keys->n; i++)
		list[i]->seen = false;
	for (int i = 0; i < n; i++) {
		old = NULL;
		for (int j = 0; j < keys->n; j++)
			if (list[j]->number == fresh[i]->number)
				old = list[j];
		if (old == NULL) {
			fresh[i]->seen = true;
			list[total++] = fresh[i];
			continue;
		}
		/* Requests point to it: change it where it is. */
		for (int j = 0; j < old->norigins; j++)
			free(old->origins[j]);
		filter_retire(old->filter);
		fresh[i]->opens = old->opens;
		fresh[i]->posts = old->posts;
		*old = *fresh[i];
		old->seen = true;
		free(fresh[i]);
	}
	keys->n = total;
	for (int i = 0; i < keys->n; i++)
		list[i]->revoked = !list[i]->seen;
	qsort(list, (size_t)keys->n, sizeof(*list), by_number);
	return 0;
}

static int
keys_read(FILE *f, const char *path, struct key ***fresh, int *n, char *why,
    size_t size)
{
	char line[KEYS_LINE_MAX];
	const char *wrong = NULL;
	struct key **list;
	int number = 0;

	while (wrong == NULL && fgets(line, sizeof(line), f) != NULL) {
		number++;
		if (strchr(line, '\n') == NULL && !feof(f)) {
			wrong = "the line is too long";
			break;
		}
		if (line[strspn(line, " \t\r\n")] == '\0' || line[0] == '#')
			continue;
		list = reallocarray(*fresh, (size_t)*n + 1, sizeof(*list));
		if (list == NULL) {
			wrong = "no memory";
			break;
		}
		*fresh = list;
		if (*n == KEYS_MAX ||
		    (list[*n] = calloc(1, sizeof(struct key))) == NULL) {
			wrong = "too many keys";
			break;
		}
		(*n)++;
		wrong = take_line(list[*n - 1], line);
		for (int i = 0; wrong == NULL && i < *n - 1; i++)
			if (list[i]->number == list[*n - 1]->number)
				wrong = "the key is there twice";
	}
	if (wrong != NULL) {
		snprintf(why, size, "'%s', line %d: %s", path, number, wrong);
		return -1;
	}
	if (ferror(f)) {
		snprintf(why, size, "cannot read '%s': %s", path,
		    strerror(errno));
		return -1;
	}
	return 0;
}

int
keys_load(struct keys *keys, const char *path, char *why, size_t size)
{
	struct key **fresh = NULL;
	int n = 0, r = -1;
	FILE *f = NULL;

	if (path == NULL) {
		fresh = calloc(1, sizeof(*fresh));
		if (fresh != NULL &&
		    (fresh[0] = calloc(1, sizeof(struct key))) != NULL) {
			n = 1;
			strlcpy(fresh[0]->name, "dev", KEY_NAME_MAX);
			fresh[0]->number = key_number("dev");
			fresh[0]->local = true;
		}
	} else if ((f = fopen(path, "re")) == NULL) {
		snprintf(why, size, "cannot read '%s': %s", path,
		    strerror(errno));
		return -1;
	} else if (keys_read(f, path, &fresh, &n, why, size) == -1)
		goto out;
	r = keys_merge(keys, fresh, n);
	if (r == -1)
		snprintf(why, size, "%s", strerror(errno));
out:
	if (r == -1)
		for (int i = 0; i < n; i++)
			key_free(fresh[i]);
	free(fresh);
	if (f != NULL)
		fclose(f);
	return r;
}

void
keys_free(struct keys *keys)
{
	for (int i = 0; i < keys->n; i++)
		key_free(keys->list[i]);
	free(keys->list);
	keys->list = NULL;
	keys->n = 0;
}
