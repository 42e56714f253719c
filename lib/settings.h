/*
 * Settings: lines of NAME=value in one file, and variables of the
 * environment, which win.
 *
 * The file is $RR_CONF, else ${XDG_CONFIG_HOME:-~/.config}/rrpipe/rrpipe.conf,
 * else /etc/rrpipe/rrpipe.conf; the first that exists is the only one read,
 * and only the one named by RR_CONF must exist.  A line is empty, a comment
 * ('#' first), or NAME=value: NAME in upper-case letters, digits and '_',
 * nothing around the '=', the value as it stands up to the end of the line
 * less blanks there, or between one pair of '"' or '\''.  Nothing is expanded.
 * So systemd's EnvironmentFile= and a shell read simple ones the same way.
 * Of a name given twice the last counts.  Names that nobody asks for are
 * ignored here; rr-config(1) tells of them.
 *
 * Known names, with the spelling and meaning of the S2 command line for S2_*:
 * S2_ACCOUNT_ENDPOINT, S2_BASIN_ENDPOINT, S2_ACCESS_TOKEN, S2_SSL_NO_VERIFY,
 * RR_BASIN, RR_PREFIX; and S2_ACCESS_TOKEN_FILE.
 */
#ifndef SETTINGS_H
#define SETTINGS_H

#include <limits.h>
#include <stdbool.h>

#include "buf.h"

#define SETTINGS_FILE_MAX	65536	/* bytes of the file */
#define SETTINGS_MAX		256	/* settings in it */
#define SETTINGS_WHY_MAX	5120	/* a path and what is wrong with it */
#define SETTINGS_SECRET_MAX	8192	/* bytes of a file with a secret */

#define RR_BASIN_DEFAULT	"rrpipe-sessions"
#define RR_PREFIX_DEFAULT	"sessions"

struct settings {
	struct buf text;	/* the file, cut into C strings */
	struct buf secret;	/* a file with a secret, the same */
	struct {
		const char *name;
		const char *value;
		int line;
	} set[SETTINGS_MAX];
	int n;
	char path[PATH_MAX];	/* of the file; empty if there is none */
	char why[SETTINGS_WHY_MAX];	/* of the last failure */
};

/*
 * Find and read the file, if there is one.  0, or -1 with a whole message,
 * which names file and line, in s->why (a program then exits EXIT_CONFIG).
 * settings_release() is good after both.
 */
int settings_load(struct settings *s);
void settings_release(struct settings *s);

/*
 * The value of a name, from the environment or else the file; NULL if it is
 * in neither.  An empty value counts as none.  Good until settings_release().
 */
const char *settings_get(const struct settings *s, const char *name);

/*
 * Make s->why of what is wrong with the value of a name: where it was set, if
 * that is the file, the name, and this text.  -1.
 */
int settings_wrong(struct settings *s, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * A secret, so that it need not be in the environment: as settings_get(), or
 * else the first line of the file that the setting NAME_FILE names, which must
 * then exist.  One secret at a time is kept from a file.  0 with *value (NULL
 * if it is nowhere), or -1 with s->why.
 */
int settings_secret(struct settings *s, const char *name, const char **value);

/*
 * A yes or no: 1, true, yes or 0, false, no; 'fallback' if it is not set.
 * 0 with *out, or -1 with s->why.
 */
int settings_bool(struct settings *s, const char *name, bool fallback,
    bool *out);

/* RR_BASIN and RR_PREFIX, or their defaults. */
const char *settings_basin(const struct settings *s);
const char *settings_prefix(const struct settings *s);

#endif
