# rrpipe: `make` builds into build/; `make run` runs it all; see README.md.
#
# Each directory of bin/ is a program of that name: its *.c files are linked
# with build/lib/librr.a (all of lib/*.c) and the libraries in LIBS_<program>.

PROGRAMS := $(sort $(patsubst bin/%/,%,$(dir $(wildcard bin/*/*.c))))
VERSION  := 0.1.0

BUILD    ?= build
PREFIX   ?= /usr/local
BINDIR   ?= $(PREFIX)/bin
LIBDIR   ?= $(PREFIX)/lib/rrpipe
DATADIR  ?= $(PREFIX)/share/rrpipe
MANDIR   ?= $(PREFIX)/share/man
DOCDIR   ?= $(PREFIX)/share/doc/rrpipe
BASHCOMP ?= $(PREFIX)/share/bash-completion/completions
ZSHCOMP  ?= $(PREFIX)/share/zsh/site-functions
D         = $(DESTDIR)
# Below somebody's home it is all theirs: units of `systemctl --user`.
ifneq ($(filter $(HOME)/%,$(PREFIX)),)
UNITDIR  ?= $(PREFIX)/share/systemd/user
else
UNITDIR  ?= $(PREFIX)/lib/systemd/system
endif
SYSUSERS ?= $(PREFIX)/lib/sysusers.d
TMPFILES ?= $(PREFIX)/lib/tmpfiles.d

# CC, CFLAGS and LDFLAGS are the packager's; the rest is ours.
CFLAGS   ?= -O2 -g -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE
LDFLAGS  ?= -pie -Wl,-z,relro,-z,now -Wl,--as-needed
ifeq ($(SANITIZE),1)
BUILD    := $(BUILD)-sanitize
CFLAGS   := -O1 -g -fsanitize=address,undefined -fno-omit-frame-pointer \
	-fno-sanitize-recover=undefined
LDFLAGS  :=
endif
WARN     := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wwrite-strings -Wpointer-arith $(if $(WERROR),-Werror)
# The goals that install it do not ask it anything.
PKG      := $(if $(filter run deps test,$(MAKECMDGOALS)),:,pkg-config)
overlay  := $(shell $(PKG) --cflags libbsd-overlay)
RRCFLAGS := -std=gnu11 -D_GNU_SOURCE -DRR_VERSION='"$(VERSION)"' -Ilib \
	-include lib/banned.h $(overlay) $(WARN)

LIBS_common        := $(shell $(PKG) --libs libbsd-overlay)
LIBS_rr-frame      := -ljq -lzstd
LIBS_rr-reassemble := -ljq -lzstd
LIBS_s2-append     := $(shell $(PKG) --libs libcurl) -ljq -lzstd
LIBS_s2-tail       := $(LIBS_s2-append)
LIBS_s2-stream     := $(LIBS_s2-append)
LIBS_rr-ls         := $(LIBS_s2-append)
LIBS_rr-collect    := $(shell $(PKG) --libs libmicrohttpd) -ljq -lz -lcrypto
LIBS_sse-bridge    := $(shell $(PKG) --libs libmicrohttpd) -lz -lcrypto

BINS     := $(PROGRAMS:%=$(BUILD)/bin/%)
LIB_C    := $(wildcard lib/*.c)
LIB_O    := $(LIB_C:%.c=$(BUILD)/obj/%.o)
SCRIPTS  := $(notdir $(filter-out %.1 %.7,$(wildcard scripts/rr scripts/rr-*)))
SHELLS   := $(shell grep -lE '^\#!/bin/(ba)?sh|^\# shellcheck shell' scripts/* \
	scripts/routes/* scripts/completions/* examples/scale \
	examples/pipelines/* tests/* .ci/run 2>/dev/null)
PAGES    := $(wildcard bin/*/*.[1-9] lib/*.[1-9] scripts/*.[1-9] \
	systemd/*.[1-9])
UNITS_C  := $(wildcard tests/unit/*.c)
UNITS    := $(notdir $(wildcard systemd/*.target systemd/*.socket \
	systemd/*.service systemd/*.timer))

all: programs build/lib/loopback.so scripts web
	@:

programs: $(BINS) $(BUILD)/lib/librr.a

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(RRCFLAGS) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/lib/librr.a: $(LIB_O)
	@mkdir -p $(@D)
	@rm -f $@
	$(AR) rcs $@ $(LIB_O)

define program
$(BUILD)/bin/$(1): $$(patsubst %.c,$(BUILD)/obj/%.o,$$(wildcard bin/$(1)/*.c)) \
		$(BUILD)/lib/librr.a
	@mkdir -p $$(@D)
	$$(CC) $$(CFLAGS) $$(LDFLAGS) -o $$@ $$^ $$(LIBS_$(1)) $$(LIBS_common)
endef
$(foreach p,$(PROGRAMS),$(eval $(call program,$(p))))

# Preloaded into s2-lite, so never sanitized and always in the same place.
build/lib/loopback.so: scripts/loopback.c
	@mkdir -p $(@D)
	$(CC) $(RRCFLAGS) -O2 -fPIC -shared -o $@ $<

# The scripts run in place, through links beside the programs.
scripts: $(SCRIPTS:%=$(BUILD)/bin/%)
$(SCRIPTS:%=$(BUILD)/bin/%): | $(BUILD)/bin
	ln -sf ../../scripts/$(@F) $@
$(BUILD)/bin:
	@mkdir -p $@

# What browsers load: the recorder and the dashboard.
WEB_SRC := $(shell find lib/web -type f -not -path '*/node_modules/*')
NPM     := lib/web/node_modules/.package-lock.json
web: $(BUILD)/web/rr.js
$(BUILD)/web/rr.js: $(WEB_SRC) $(NPM)
	node lib/web/build.mjs $(abspath $(BUILD)/web)
	@touch $@
$(NPM): lib/web/package-lock.json
	cd lib/web && npm ci --no-audit --no-fund
	@touch $@

# With make alone on the machine, so before anything asks pkg-config.
run:
	@scripts/bootstrap run
	@$(MAKE) --no-print-directory all
	@$(BUILD)/bin/rr up

deps:
	@scripts/bootstrap test

test: deps
	@$(MAKE) --no-print-directory check

check: all tools
	@BUILD=$(BUILD) tests/run

tools: $(UNITS_C:tests/unit/%.c=$(BUILD)/tests/%)
	@:

# Small programs that tests run: checks of lib/, and tools.
$(BUILD)/tests/%: $(BUILD)/obj/tests/unit/%.o $(BUILD)/lib/librr.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ -ljq -lzstd $(LIBS_common)

# make fuzz SECONDS=20: each of tests/fuzz/*.c for so long.
SECONDS ?= 20
FUZZ    := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/*.c))
SANFUZZ := -fsanitize=address,undefined -fno-sanitize-recover=undefined
fuzz: $(BUILD)/bin/rr-frame
	@$(MAKE) --no-print-directory BUILD=build-fuzz CC=clang LDFLAGS= \
		CFLAGS='-O1 -g -fsanitize=fuzzer-no-link $(SANFUZZ)' \
		$(FUZZ:%=build-fuzz/bin/%)
	@RR_FRAME=$(BUILD)/bin/rr-frame tests/fuzz/run $(SECONDS) $(FUZZ)
# What each needs of a program, and those that are not here of these two.
PARTS_fuzz_body  := rr-collect/body rr-collect/replaya rr-collect/index
PARTS_fuzz_keys  := $(addprefix rr-collect/,keys preset filter body index)
PARTS_fuzz_login := $(addprefix sse-bridge/,login loop share users)
PARTS_fuzz_sse   := sse-bridge/sse
PARTS_fuzz_where := rr-ls/where rr-ls/show
PARSERS := $(patsubst bin/%.c,%,$(filter-out %/rr-reassemble.c,\
	$(wildcard bin/rr-reassemble/*.c))) s2-append/input
.SECONDEXPANSION:
$(BUILD)/bin/fuzz_%: $(BUILD)/obj/tests/fuzz/fuzz_%.o $$(addprefix \
		$(BUILD)/obj/bin/,$$(addsuffix .o,$$(or $$(PARTS_$$(@F)),$$(PARSERS)))) \
		$(BUILD)/lib/librr.a
	@mkdir -p $(@D)
	$(CC) -fsanitize=fuzzer $(SANFUZZ) -o $@ $^ $(LIBS_rr-collect) \
		-lzstd -lm $(LIBS_common)

# make bench: figures beside yardsticks, in one run (tests/bench/README.md).
BENCH := codec gen_units viewers load
bench:
	@scripts/bootstrap bench
	@$(MAKE) --no-print-directory all $(BENCH:%=$(BUILD)/bench/%) \
		$(BUILD)/tests/rss
	@BUILD=$(BUILD) tests/bench/run $(ONLY)
$(BUILD)/bench/%: $(BUILD)/obj/tests/bench/%.o $(BUILD)/lib/librr.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ -ljq -lzstd -lxxhash $(LIBS_common)
$(BUILD)/bench/load: $(BUILD)/obj/tests/load.o
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS_common)

# Under a user's own manager all services are that user's, with the directory
# that tmpfiles.conf makes for the others; their programs are in a home; and a
# /proc of their own, or without kmsg, they cannot have.
FOR_USER := s|^User=.*|RuntimeDirectory=rrpipe/watched\nRuntimeDirectoryPreserve=yes|; \
	/^(ProtectHome|ProtectKernelLogs|ProtectProc|ProcSubset)=/d

# Scripts look for what belongs to them beside themselves, and in share/.
install: all
	install -d $(D)$(BINDIR) $(D)$(LIBDIR)/routes $(D)$(DATADIR)/web \
		$(D)$(UNITDIR) $(D)$(SYSUSERS) $(D)$(TMPFILES)
	install $(BINS) $(D)$(BINDIR)
	install $(SCRIPTS:%=scripts/%) scripts/s2-lite $(D)$(LIBDIR)
	install -m 644 scripts/common.sh scripts/prices.conf build/lib/loopback.so $(D)$(LIBDIR)
	install scripts/routes/* $(D)$(LIBDIR)/routes
	chmod 644 $(D)$(LIBDIR)/routes/common.sh
	install -D scripts/completions/words $(D)$(LIBDIR)/completions/words
	for s in $(SCRIPTS); do \
		ln -sfr $(D)$(LIBDIR)/$$s $(D)$(BINDIR)/$$s; done
	install -m 644 $(BUILD)/web/* $(D)$(DATADIR)/web
	install -Dm 644 scripts/completions/rr.bash $(D)$(BASHCOMP)/rr
	install -Dm 644 scripts/completions/_rr $(D)$(ZSHCOMP)/_rr
	cp -R examples $(D)$(DATADIR)
	install -Dm 644 scripts/debian/changelog $(D)$(DOCDIR)/changelog
	for p in $(PAGES); do sed 's,/usr/local,$(PREFIX),g' $$p | \
		install -Dm 644 /dev/stdin \
		$(D)$(MANDIR)/man$${p##*.}/$${p##*/}; done
	for u in $(UNITS); do sed -e '/^@SANDBOX@/{' \
		-e 'r systemd/sandbox.conf' -e 'd' -e '}' \
		-e 's,@BINDIR@,$(BINDIR),g' -e 's,@LIBDIR@,$(LIBDIR),g' \
		-e 's,@DATADIR@,$(DATADIR),g' systemd/$$u | \
		sed -E '$(if $(filter %/user,$(UNITDIR)),$(FOR_USER))' | \
		install -m 644 /dev/stdin $(D)$(UNITDIR)/$$u; done
	install -m 644 systemd/sysusers.conf $(D)$(SYSUSERS)/rrpipe.conf
	install -m 644 systemd/tmpfiles.conf $(D)$(TMPFILES)/rrpipe.conf
	@test -n "$(D)" || test ! -d /run/systemd/system || test ! -w /etc || { \
		systemd-sysusers $(SYSUSERS)/rrpipe.conf; \
		systemd-tmpfiles --create $(TMPFILES)/rrpipe.conf; \
		systemctl daemon-reload; }

uninstall:
	cd $(D)$(BINDIR) && rm -f $(notdir $(BINS)) $(SCRIPTS)
	rm -rf $(D)$(LIBDIR) $(D)$(DATADIR)
	rm -f $(D)$(DOCDIR)/changelog
	for p in $(PAGES); do \
		rm -f $(D)$(MANDIR)/man$${p##*.}/$${p##*/}; done
	rm -f $(D)$(BASHCOMP)/rr $(D)$(ZSHCOMP)/_rr
	cd $(D)$(UNITDIR) && rm -f $(UNITS)
	rm -f $(D)$(SYSUSERS)/rrpipe.conf $(D)$(TMPFILES)/rrpipe.conf

# The package, by Debian's own tools: $(BUILD)/deb/*.deb.
deb: all
	rm -rf $(BUILD)/deb
	install -d $(BUILD)/deb/rrpipe
	cp -R scripts/debian $(BUILD)/deb/rrpipe
	cd $(BUILD)/deb/rrpipe && TREE=$(CURDIR) dpkg-buildpackage -b -us -uc
	cd $(BUILD)/deb && lintian --fail-on error *.changes

lint: lint-scripts lint-pages
	@$(MAKE) -s BUILD=build-lint/gcc CC=gcc WERROR=1 programs
	@$(MAKE) -s BUILD=build-lint/clang CC=clang WERROR=1 programs

lint-scripts:
	shellcheck -x -P SCRIPTDIR $(SHELLS)
lint-pages:
	mandoc -Tlint -Wwarning $(PAGES)

clean:
	rm -rf build build-sanitize build-fuzz build-lint

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
.DELETE_ON_ERROR:
.PRECIOUS: $(BUILD)/obj/%.o
.PHONY: all programs scripts web run deps test check tools bench fuzz install \
	uninstall deb lint lint-scripts lint-pages clean
