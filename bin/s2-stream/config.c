#include <stdint.h>

#include "config.h"

#define WORDS_MAX	3
#define DURATION_MAX	(100LL * 365 * 86400)	/* s */

enum key_type {
	WORD,
	YESNO,
	DURATION,
	RETENTION,		/* a duration, or "infinite" */
};

static const struct key {
	const char *name;
	enum key_type type;
	bool of_basin;		/* else of a stream, or a basin's default */
	const char *path[2];	/* in S2's JSON */
	const char *words[WORDS_MAX];
} keys[] = {
	{ "create-on-append", YESNO, true, { "create_stream_on_append" },
	    { NULL } },
	{ "create-on-read", YESNO, true, { "create_stream_on_read" },
	    { NULL } },
	{ "delete-on-empty", DURATION, false,
	    { "delete_on_empty", "min_age_secs" }, { NULL } },
	{ "retention", RETENTION, false, { "retention_policy" }, { NULL } },
	{ "storage-class", WORD, false, { "storage_class" },
	    { "standard", "express" } },
	{ "timestamping", WORD, false, { "timestamping", "mode" },
	    { "arrival", "client-prefer", "client-require" } },
	{ "uncapped", YESNO, false, { "timestamping", "uncapped" }, { NULL } },
};

#define KEYS	(sizeof keys / sizeof *keys)

static const struct {
	char letter;
	long long seconds;
} units[] = {
	{ 'd', 86400 },
	{ 'h', 3600 },
	{ 'm', 60 },
	{ 's', 1 },
};

#define UNITS	(sizeof units / sizeof *units)

static jv
parse_duration(const char *text, const char **why)
{
	char digits[24];
	size_t n = strlen(text), i;
	long long value, unit = 1;
	const char *bad;

	*why = "a duration is a number and s, m, h or d";
	for (i = 0; i < UNITS && n > 0; i++)
		if (text[n - 1] == units[i].letter) {
			unit = units[i].seconds;
			n--;
			break;
		}
	if (n == 0 || n >= sizeof digits || text[0] == '-')
		return jv_invalid();
	memcpy(digits, text, n);
	digits[n] = '\0';
	value = strtonum(digits, 0, DURATION_MAX / unit, &bad);
	return bad != NULL ? jv_invalid() : jv_number((double)value * unit);
}

static jv
parse_word(const struct key *key, const char *text, const char **why)
{
	int i;

	*why = "it is none of the words for this setting; see s2-stream(1)";
	for (i = 0; i < WORDS_MAX && key->words[i] != NULL; i++)
		if (strcmp(key->words[i], text) == 0)
			return jv_string(text);
	return jv_invalid();
}

static jv
parse_value(const struct key *key, const char *text, const char **why)
{
	jv v;

	switch (key->type) {
	case WORD:
		return parse_word(key, text, why);
	case YESNO:
		*why = "it is neither yes nor no";
		if (strcmp(text, "yes") == 0)
			return jv_true();
		return strcmp(text, "no") == 0 ? jv_false() : jv_invalid();
	case RETENTION:
		if (strcmp(text, "infinite") == 0)
			return jv_object_set(jv_object(),
			    jv_string("infinite"), jv_object());
		v = parse_duration(text, why);
		return jv_is_valid(v) ? jv_object_set(jv_object(),
		    jv_string("age"), v) : v;
	case DURATION:
		return parse_duration(text, why);
	}
	return jv_invalid();
}

/* Where the key is in a config of a basin or a stream. */
static jv
key_path(const struct key *key, bool basin)
{
	jv path = jv_array();
	int i;

	if (basin && !key->of_basin)
		path = jv_array_append(path,
		    jv_string("default_stream_config"));
	for (i = 0; i < 2 && key->path[i] != NULL; i++)
		path = jv_array_append(path, jv_string(key->path[i]));
	return path;
}

int
config_set(jv *config, bool basin, const char *setting, const char **why)
{
	size_t len = strcspn(setting, "=");
	const struct key *key;
	jv value;

	*why = "it is not KEY=VALUE with a key that s2-stream(1) lists";
	if (setting[len] != '=')
		return -1;
	for (key = keys; key < keys + KEYS; key++)
		if (strlen(key->name) == len &&
		    memcmp(key->name, setting, len) == 0)
			break;
	if (key == keys + KEYS)
		return -1;
	if (key->of_basin && !basin) {
		*why = "this is a setting of a basin, not of a stream";
		return -1;
	}
	if (setting[len + 1] != '\0') {
		value = parse_value(key, setting + len + 1, why);
	} else if (!key->of_basin) {
		value = jv_null();
	} else {
		*why = "this setting cannot be cleared";
		return -1;
	}
	if (!jv_is_valid(value)) {
		jv_free(value);
		return -1;
	}
	*config = jv_setpath(*config, key_path(key, basin), value);
	return 0;
}

static void
print_duration(jv seconds, FILE *out)
{
	double value = jv_number_value(seconds);
	size_t i;

	for (i = 0; i < UNITS - 1; i++)
		if (value >= units[i].seconds &&
		    (long long)value % units[i].seconds == 0)
			break;
	fprintf(out, "%.0f%c\n", value / units[i].seconds, units[i].letter);
}

static void
print_value(const char *name, jv v, FILE *out)
{
	jv age;

	if (jv_get_kind(v) == JV_KIND_OBJECT) {
		age = jv_object_get(v, jv_string("age"));
		if (jv_get_kind(age) == JV_KIND_NUMBER)
			print_value(name, age, out);
		else
			fprintf(out, "%s=infinite\n", name);
		return;
	}
	switch (jv_get_kind(v)) {
	case JV_KIND_NUMBER:
		fprintf(out, "%s=", name);
		print_duration(v, out);
		break;
	case JV_KIND_STRING:
		fprintf(out, "%s=%s\n", name, jv_string_value(v));
		break;
	case JV_KIND_TRUE:
	case JV_KIND_FALSE:
		fprintf(out, "%s=%s\n", name,
		    jv_get_kind(v) == JV_KIND_TRUE ? "yes" : "no");
		break;
	default:
		break;
	}
	jv_free(v);
}

void
config_print(jv config, bool basin, FILE *out)
{
	const struct key *key;

	for (key = keys; key < keys + KEYS; key++)
		if (basin || !key->of_basin)
			print_value(key->name, jv_getpath(jv_copy(config),
			    key_path(key, basin)), out);
	jv_free(config);
}
