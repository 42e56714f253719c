/*
 * Who asks: by a token, by the cookie that a token was changed for, by the
 * word of a proxy, or by a link to one session.
 *
 * Nothing is kept of logins and links: both are signed, and end by themselves,
 * with the user's line in the file, or with the secret.
 */
#ifndef LOGIN_H
#define LOGIN_H

#include "http.h"
#include "session.h"
#include "share.h"
#include "users.h"

#define LOGIN_SECONDS		43200	/* that a cookie is good for */
#define COOKIE_MAX		192	/* bytes of a Set-Cookie, with NUL */

struct login;

struct person {
	char name[USER_NAME_MAX + 1];	/* "" if nobody is known */
	enum role role;
	bool by_link;			/* may only see the session it is for, */
	bool is_part;			/* or a part of it */
	char address[HTTP_ADDRESS_MAX];
};

/*
 * Users from the file at 'path'; NULL: there is no login, and everybody may do
 * what a user with the role delete may.  The secret that signs is as
 * signer_new() says.  'header' is where a trusted proxy puts the name, or NULL.
 * NULL with why.
 */
struct login *login_new(const char *path, const char *secret,
    const char *header, char *why, size_t size);
void login_free(struct login *);
bool login_is_needed(const struct login *);

/* Read the file again; if it is wrong, warn and go on with what there was. */
void login_reload(struct login *);

enum login_result {
	LOGIN_KNOWN,
	LOGIN_NONE,	/* nothing was shown, or what was is not good any more */
	LOGIN_WRONG,	/* a token that nobody has, or a link that has ended */
	LOGIN_SLOW,	/* too many wrong ones from this address */
};

/* Who it is; 'id' is the session that it asks for, or NULL. */
enum login_result login_identify(struct login *, struct http_request *,
    const char *id, struct person *);

/*
 * The cookie for who shows a token in the header Authorization, to be set; and
 * one that ends it.
 */
enum login_result login_cookie(struct login *, struct http_request *,
    struct person *, char cookie[COOKIE_MAX]);
void logout_cookie(char cookie[COOKIE_MAX]);

/* share_put() by our secret. */
void login_share(struct login *, const char *id, uint32_t expires,
    const struct share_part *part, char text[SHARE_LEN_MAX + 1]);

/*
 * True if a request for this session, which was permitted, is by a link to a
 * part of it.
 */
bool login_part(struct login *, struct http_request *, const char *id,
    struct share_part *part);

#endif
