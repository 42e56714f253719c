#include "login.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "limit.h"
#include "log.h"
#include "loop.h"
#include "signer.h"

/* What is signed begins with its kind; rr-collect's tokens are kind 1. */
#define KIND_COOKIE	2	/* share.c has 3 and 4 */

/* A cookie: kind, 8 bytes of the token's hash, 4 of expiry, MAC. */
#define COOKIE_HEAD	13
#define COOKIE_BYTES	(COOKIE_HEAD + MAC_BYTES)
#define COOKIE_LEN	BASE64URL_LEN(COOKIE_BYTES)
#define COOKIE_NAME	"rr"

/* Wrong tokens, or links, from one address: so many at once, and so many a minute. */
#define WRONG_BURST	10
#define WRONG_A_MINUTE	10

struct login {
	const char *path;
	const char *header;
	struct users *users;	/* NULL: no login */
	struct signer *signer;
	struct limiter *limiter;
};

static const char context[] = "login";

struct login *
login_new(const char *path, const char *secret, const char *header, char *why,
    size_t size)
{
	struct login *l = calloc(1, sizeof *l);

	if (l == NULL) {
		snprintf(why, size, "no memory");
		return NULL;
	}
	if (path == NULL)
		return l;
	l->path = path;
	l->header = header;
	if ((l->limiter = limiter_new()) == NULL)
		snprintf(why, size, "no memory");
	else if ((l->users = users_read(path, why, size)) != NULL &&
	    (l->signer = signer_new(secret, why, size)) != NULL)
		return l;
	login_free(l);
	return NULL;
}

void
login_free(struct login *l)
{
	if (l->signer != NULL)
		signer_free(l->signer);
	limiter_free(l->limiter);
	free(l->users);
	free(l);
}

bool
login_is_needed(const struct login *l)
{
	return l->path != NULL;
}

void
login_reload(struct login *l)
{
	char why[512];
	struct users *fresh = users_read(l->path, why, sizeof why);

	if (fresh == NULL) {
		log_warn("the users stay as they were: %s", why);
		return;
	}
	free(l->users);
	l->users = fresh;
	log_notice("%zu users", fresh->n);
}

static void
put_time(unsigned char *p, uint32_t seconds)
{
	for (int i = 0; i < 4; i++)
		p[i] = (unsigned char)(seconds >> (24 - 8 * i));
}

static bool
has_passed(const unsigned char *p)
{
	uint32_t seconds = 0;

	for (int i = 0; i < 4; i++)
		seconds = seconds << 8 | p[i];
	return (uint64_t)time(NULL) >= seconds;
}

static enum login_result
is(struct person *p, const struct user *u, const char *name)
{
	if (u == NULL)
		return LOGIN_NONE;
	strlcpy(p->name, name, sizeof p->name);
	p->role = u->role;
	return LOGIN_KNOWN;
}

enum {
	LIMIT_TOKENS,
	LIMIT_LINKS,
};

static const struct rate wrong_rate = {
	.per_ms = WRONG_A_MINUTE / 60e3, .burst = WRONG_BURST,
};

/* "Bearer TOKEN"; a NULL user if the token is nobody's. */
static enum login_result
by_token(struct login *l, struct http_request *r, const char *header,
    const struct user **u)
{
	struct bucket *b;

	*u = NULL;
	b = limiter_bucket(l->limiter, &r->client, LIMIT_TOKENS, loop_now());
	if (bucket_take(b, &wrong_rate, loop_now()) != 0)
		return LOGIN_SLOW;
	if (strncasecmp(header, "Bearer ", strlen("Bearer ")) == 0)
		*u = users_by_token(l->users, header + strlen("Bearer "));
	if (*u == NULL)
		return LOGIN_WRONG;
	b->level += 1;	/* only wrong ones count */
	return LOGIN_KNOWN;
}

/* The value of our cookie in a Cookie header; NULL, or copied to value. */
static bool
find_cookie(const char *header, char value[COOKIE_LEN + 1])
{
	const char *p = header;
	size_t n;

	while (p != NULL) {
		p += strspn(p, " ;");
		n = strcspn(p, ";");
		if (n == strlen(COOKIE_NAME "=") + COOKIE_LEN &&
		    strncmp(p, COOKIE_NAME "=", strlen(COOKIE_NAME "=")) == 0) {
			memcpy(value, p + strlen(COOKIE_NAME "="), COOKIE_LEN);
			value[COOKIE_LEN] = '\0';
			return true;
		}
		p = strchr(p, ';');
	}
	return false;
}

static enum login_result
by_cookie(struct login *l, const char *header, struct person *p)
{
	unsigned char c[COOKIE_BYTES];
	char value[COOKIE_LEN + 1];
	const struct user *u;

	if (!find_cookie(header, value) ||
	    base64url_get(value, c, sizeof c) == -1 || c[0] != KIND_COOKIE ||
	    !signer_check(l->signer, c, COOKIE_HEAD, context, strlen(context),
	    c + COOKIE_HEAD) || has_passed(c + 9))
		return LOGIN_NONE;
	u = users_by_hash(l->users, c + 1);
	return is(p, u, u == NULL ? "" : u->name);
}

/* Right ones need no limit; of wrong ones the log is not to be filled. */
static enum login_result
by_link(struct login *l, struct http_request *r, const char *text,
    const char *id, struct person *p)
{
	struct share_part part;
	struct bucket *b;

	if (share_get(l->signer, id, text, (uint64_t)time(NULL), &p->is_part,
	    &part) == -1) {
		b = limiter_bucket(l->limiter, &r->client, LIMIT_LINKS,
		    loop_now());
		return bucket_take(b, &wrong_rate, loop_now()) == 0 ?
		    LOGIN_WRONG : LOGIN_SLOW;
	}
	strlcpy(p->name, "a link", sizeof p->name);
	p->role = ROLE_VIEW;
	p->by_link = true;
	return LOGIN_KNOWN;
}

static void
nobody(struct http_request *r, struct person *p)
{
	memset(p, 0, sizeof *p);
	http_address_text(&r->client, p->address);
}

enum login_result
login_identify(struct login *l, struct http_request *r, const char *id,
    struct person *p)
{
	const char *text;
	const struct user *u;
	enum login_result result;

	nobody(r, p);
	if (l->path == NULL) {
		p->role = ROLE_DELETE;
		return LOGIN_KNOWN;
	}
	if (id != NULL && (text = http_query(r, "share")) != NULL)
		return by_link(l, r, text, id, p);
	if (l->header != NULL && http_from_proxy(r) &&
	    (text = http_header(r, l->header)) != NULL &&
	    user_name_is_valid(text))
		return is(p, users_by_name(l->users, text), text);
	if ((text = http_header(r, "Authorization")) != NULL) {
		result = by_token(l, r, text, &u);
		return u == NULL ? result : is(p, u, u->name);
	}
	if ((text = http_header(r, "Cookie")) != NULL)
		return by_cookie(l, text, p);
	return LOGIN_NONE;
}

enum login_result
login_cookie(struct login *l, struct http_request *r, struct person *p,
    char cookie[COOKIE_MAX])
{
	unsigned char c[COOKIE_BYTES];
	char value[COOKIE_LEN + 1];
	const struct user *u;
	const char *text;
	enum login_result result;

	nobody(r, p);
	if ((text = http_header(r, "Authorization")) == NULL)
		return LOGIN_NONE;
	if ((result = by_token(l, r, text, &u)) != LOGIN_KNOWN)
		return result;
	c[0] = KIND_COOKIE;
	memcpy(c + 1, u->hash, 8);
	put_time(c + 9, (uint32_t)time(NULL) + LOGIN_SECONDS);
	signer_sign(l->signer, c, COOKIE_HEAD, context, strlen(context),
	    c + COOKIE_HEAD);
	base64url_put(c, sizeof c, value);
	/* A browser that came by TLS is to bring it by TLS alone. */
	text = http_header(r, "X-Forwarded-Proto");
	snprintf(cookie, COOKIE_MAX, COOKIE_NAME "=%s; Path=/; Max-Age=%d; "
	    "HttpOnly; SameSite=Strict%s", value, LOGIN_SECONDS,
	    text != NULL && strcmp(text, "https") == 0 ? "; Secure" : "");
	return is(p, u, u->name);
}

void
logout_cookie(char cookie[COOKIE_MAX])
{
	snprintf(cookie, COOKIE_MAX, COOKIE_NAME "=; Path=/; Max-Age=0; "
	    "HttpOnly; SameSite=Strict");
}

void
login_share(struct login *l, const char *id, uint32_t expires,
    const struct share_part *part, char text[SHARE_LEN_MAX + 1])
{
	share_put(l->signer, id, expires, part, text);
}

bool
login_part(struct login *l, struct http_request *r, const char *id,
    struct share_part *part)
{
	const char *text = l->path == NULL ? NULL : http_query(r, "share");
	bool is_part;

	/* Were it asked again whether it has expired, one that does so just
	 * now would be taken for none, and all of the session be shown. */
	return text != NULL && share_get(l->signer, id, text, 0, &is_part,
	    part) == 0 && is_part;
}
