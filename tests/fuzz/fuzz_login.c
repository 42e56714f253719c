/*
 * bin/sse-bridge: any text as what a client shows (a cookie, a token, a proxy's
 * word, a link), as the file of users, and as what rr-clip said of a part.
 * Nobody is let in by anything but what was given away.
 */
#include <sys/mman.h>

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../bin/sse-bridge/login.h"

#define ID	"0123456789abcdefghjkmnpqr"
#define USERS	"ann admin e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934c" \
		"a495991b7852b855\n"

int LLVMFuzzerTestOneInput(const unsigned char *, size_t);

/* What lib/http.c would say of the request. */
static const char *shown, *shown_as;

const char *
http_header(const struct http_request *r, const char *name)
{
	(void)r;
	return strcmp(name, shown_as) == 0 ? shown : NULL;
}

const char *
http_query(const struct http_request *r, const char *key)
{
	return http_header(r, key);
}

bool
http_from_proxy(const struct http_request *r)
{
	(void)r;
	return true;
}

const char *
http_address_text(const struct http_address *a, char text[HTTP_ADDRESS_MAX])
{
	(void)a;
	return memcpy(text, "-", 2);
}

/* The file of users that this text is. */
static const char *
users_file(const void *p, size_t n)
{
	static char path[32];
	static int fd = -1;

	if (fd == -1)
		fd = memfd_create("users", 0);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	assert(fchmod(fd, 0600) == 0 && ftruncate(fd, 0) == 0 &&
	    pwrite(fd, p, n, 0) == (ssize_t)n);
	return path;
}

/* What is made of the bytes is read again as it was, and not if changed. */
static void
share(struct login *l, const unsigned char *p, size_t n)
{
	struct http_request r = { 0 };
	struct share_part part = { 0 }, got;
	struct person who;
	char text[SHARE_LEN_MAX + 1];
	size_t len;

	if (n < 16)
		return;
	memcpy(&part.from, p, 5);
	memcpy(&part.to, p + 5, 5);
	part.start = p[10];
	part.end = p[11];
	part.ntabs = p[12] % (SHARE_TABS_MAX + 1);
	for (unsigned i = 0; i < part.ntabs; i++)
		part.tabs[i].tab = part.tabs[i].seq = p[13] * i;
	login_share(l, ID, UINT32_MAX, &part, text);
	shown_as = "share";
	shown = text;
	assert(login_identify(l, &r, ID, &who) == LOGIN_KNOWN && who.is_part);
	assert(login_part(l, &r, ID, &got) && got.from == part.from &&
	    got.to == part.to && got.start == part.start &&
	    got.end == part.end && got.ntabs == part.ntabs);
	len = strlen(text);
	text[(p[14] << 8 | p[15]) % len] ^= 1;
	assert(login_identify(l, &r, ID, &who) != LOGIN_KNOWN);
}

int
LLVMFuzzerTestOneInput(const unsigned char *p, size_t n)
{
	static const char *const ways[] = { "Cookie", "Authorization", "share" };
	static struct login *l;
	struct http_request r = { 0 };
	struct share_part part = { 0 };
	struct users *users;
	struct person who;
	char *text = strndup((const char *)p, n), why[512] = "";
	char cookie[COOKIE_MAX];

	if (l == NULL)
		l = login_new(users_file(USERS, strlen(USERS)), NULL, "X-User",
		    why, sizeof why);
	assert(l != NULL && text != NULL);
	shown = text;
	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
		shown_as = ways[i];
		assert(login_identify(l, &r, ID, &who) != LOGIN_KNOWN);
		assert(!login_part(l, &r, ID, &part));
		assert(login_cookie(l, &r, &who, cookie) != LOGIN_KNOWN);
	}
	shown_as = "X-User";
	if (login_identify(l, &r, ID, &who) == LOGIN_KNOWN)
		assert(strcmp(text, "ann") == 0);
	share(l, p, n);

	if ((users = users_read(users_file(p, n), why, sizeof why)) == NULL) {
		assert(why[0] != '\0');
	} else {
		for (size_t i = 0; i < users->n; i++)
			assert(user_name_is_valid(users->list[i].name) ||
			    strcmp(users->list[i].name, "*") == 0);
		users_by_token(users, "no token that anybody has");
	}
	free(users);
	if (share_place(&part, text) == 0)
		assert(part.ntabs <= SHARE_TABS_MAX);
	free(text);
	return 0;
}
