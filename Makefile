# SPDX-License-Identifier: ISC
#
# localtunnel. "make help" lists what can be made. Works without configure,
# which only writes config.mak.autogen; a config.mak of your own wins over it.
# Sources are listed here, so that a new file shows in the diff; tests are
# found by their names, so that none is forgotten.

VERSION = 1.0

-include config.mak.autogen
-include config.mak

PREFIX     ?= /usr/local
BINDIR     ?= $(PREFIX)/bin
SBINDIR    ?= $(PREFIX)/sbin
MANDIR     ?= $(PREFIX)/share/man
BASHDIR    ?= $(PREFIX)/share/bash-completion/completions
ZSHDIR     ?= $(PREFIX)/share/zsh/site-functions
SYSCONFDIR ?= /etc
DESTDIR    ?=

CFLAGS       ?= -O2 -g
PKG_CONFIG   ?= pkg-config
INSTALL      ?= install
LLHTTP_SRC   ?= /usr/share/llhttp
LLHTTP_INC   ?= /usr/share/include/llhttp
HARDEN       ?= yes
SYSTEMD      ?= auto
WERROR       ?= 0
JOBS         ?= 2
FUZZ_SECONDS ?= 60
V            ?= 0

O   ?= build
SAN ?=

# --- sources ---------------------------------------------------------------

COMMON := batch brake cidr clock drain fdpass flow follow hello http limit log \
	log_sink login loop ltp nearest net object page pipe proxyproto relay stdfds \
	stream tls tls_context token uncomment watch
SERVER := account address api arrival bound bridge certs channel claim claim_handoff \
	claim_rules classify command \
	config config_file config_finish config_listen config_pack config_show \
	config_text \
	conn control counters credential crowd ctl deadline door filter forwarded gate handoff \
	handover \
	handshake inbox join keyring leftover listener logs master master_reload \
	master_upgrade metrics metrics_text \
	names node pages pairs park peers pidfile places pool ports \
	public pulse queue rate recent registry registry_check reload report rights \
	room route rundir \
	sandbox sealed serve service session slots table title tokens \
	tokens_handoff upgrade verdict visitor worker
CLIENT := backend backoff browser channel client config connect control \
	counters crew diagnose dial discover display fetch gate grant identity \
	leave local lt ltplink nodelink options options_server options_tunnel \
	pool probe processes proxy race refusal request resolve response \
	screen seats secrets session status supply target tell trust tunnel url way worker
CTL := ask main show tokens

MAN := ltserver.8 ltserver.conf.5 ltclient.1 lt.1 ltclient.conf.5 localtunnel.7 \
	ltctl.8 ltp.7

# --- tests -----------------------------------------------------------------

UNIT   := $(patsubst %.c,$(O)/%,$(wildcard \
	$(addprefix tests/,common/check_*.c server/check_*.c client/check_*.c)))
FUZZ   := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
REPLAY := $(FUZZ:%=$(O)/tests/fuzz/replay_%)
SYSTEM := $(wildcard tests/integration/[0-8][0-9]-*)
LONG   := $(wildcard tests/integration/9[0-9]-*)
FAULTS := $(wildcard tests/faults/[0-9][0-9]-*)
PRELOADED := $(O)/tests/faults/no_memory.so

# Rows of the fault suite that "make check" plays too, for some seconds each.
QUICK_FAULTS := $(wildcard $(addprefix tests/faults/,01-* 06-* 12-* 21-* 22-*))

# Each argument is one command line.
RUN         = LT_BUILD=$(O) tests/run.py -j $(JOBS)
RUN_REPLAY := $(foreach f,$(FUZZ),"$(O)/tests/fuzz/replay_$f tests/fuzz/corpus/$f")

# --- libraries -------------------------------------------------------------

PKGS_COMMON := libevent_core libevent_openssl jansson libssl libcrypto
PKGS_SERVER := $(PKGS_COMMON) libconfuse libseccomp
PKGS_CLIENT := $(PKGS_COMMON) libevent_extra libconfuse
PKGS        := $(sort $(PKGS_SERVER) $(PKGS_CLIENT))

MISSING := $(shell for p in $(PKGS); do \
	$(PKG_CONFIG) --exists $$p 2>/dev/null || echo $$p; done)

ifeq ($(shell $(PKG_CONFIG) --exists libllhttp 2>/dev/null && echo yes),yes)
LLHTTP_CPPFLAGS := $(shell $(PKG_CONFIG) --cflags libllhttp)
LLHTTP_LIBS     := $(shell $(PKG_CONFIG) --libs libllhttp)
LLHTTP_OBJS     :=
else
LLHTTP_CPPFLAGS := -DLLHTTP_STRICT_MODE=1 -isystem $(LLHTTP_INC)
LLHTTP_LIBS     :=
LLHTTP_OBJS     := $(patsubst %,$(O)/llhttp/%.o,api http llhttp)
MISSING         += $(if $(wildcard $(LLHTTP_SRC)/llhttp.c),,llhttp)
endif

# Readiness and watchdog of systemd: if its library is there, unless SYSTEMD=no.
ifneq ($(SYSTEMD),no)
ifeq ($(shell $(PKG_CONFIG) --exists libsystemd 2>/dev/null && echo yes),yes)
PKGS_SERVER     += libsystemd
PKGS            += libsystemd
SYSTEMD_DEFINES := -DLT_SYSTEMD
endif
endif

ifneq ($(strip $(MISSING)),)
PKGS :=
PKGS_SERVER :=
PKGS_CLIENT :=
endif

libs = $(if $1,$(shell $(PKG_CONFIG) --libs $1)) $(LLHTTP_LIBS)

# --- flags -----------------------------------------------------------------

LT_CPPFLAGS := -I. -DLT_VERSION='"$(VERSION)"' $(LLHTTP_CPPFLAGS) \
	$(SYSTEMD_DEFINES) \
	$(if $(PKGS),$(shell $(PKG_CONFIG) --cflags $(PKGS)))
LT_CFLAGS   := -std=gnu11 -Wall -Wextra -MMD -MP
LT_LDFLAGS  := -Wl,--as-needed

ifneq ($(filter-out 0 no,$(WERROR)),)
LT_CFLAGS += -Werror
endif
ifeq ($(HARDEN),yes)
LT_CPPFLAGS += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
LT_CFLAGS   += -fstack-protector-strong -fPIE
LT_LDFLAGS  += -pie -Wl,-z,relro,-z,now
endif
ifneq ($(SAN),)
LT_CFLAGS  += -fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer
LT_LDFLAGS += -fsanitize=$(SAN:fuzzer-no-link%=address%)
endif

COMPILE = $(CC) $(LT_CPPFLAGS) $(CPPFLAGS) $(LT_CFLAGS) $(CFLAGS) -c
LINK    = $(CC) $(LT_CFLAGS) $(CFLAGS) $(LT_LDFLAGS) $(LDFLAGS)

# $(call say,WORD) prints "  WORD target" unless V=1 shows the command.
ifneq ($(filter-out 0,$(V)),)
say :=
else
say = @printf '  %-7s %s\n' $1 $@;
endif

# --- the programs ----------------------------------------------------------

all: $(O)/ltserver $(O)/ltclient $(O)/lt $(O)/ltctl ## build the programs (the default)

COMMON_OBJS := $(COMMON:%=$(O)/common/%.o) $(LLHTTP_OBJS)
SERVER_OBJS := $(SERVER:%=$(O)/server/%.o)
CLIENT_OBJS := $(CLIENT:%=$(O)/client/%.o)
CTL_OBJS    := $(CTL:%=$(O)/ctl/%.o)

$(O)/ltserver: $(O)/server/main.o $(O)/server.a $(O)/common.a
	$(call say,LINK)$(LINK) -o $@ $^ $(call libs,$(PKGS_SERVER)) $(LIBS)

$(O)/ltclient: $(O)/client/main.o $(O)/client.a $(O)/common.a
	$(call say,LINK)$(LINK) -o $@ $^ $(call libs,$(PKGS_CLIENT)) $(LIBS)

$(O)/ltctl: $(CTL_OBJS) $(O)/common.a
	$(call say,LINK)$(LINK) -o $@ $^ $(call libs,jansson libcrypto) $(LIBS)

# The same program, called as the npm command is.
$(O)/lt: $(O)/ltclient
	$(call say,LN)ln -sf ltclient $@

$(O)/common.a: $(COMMON_OBJS)
$(O)/server.a: $(SERVER_OBJS)
$(O)/client.a: $(CLIENT_OBJS)
$(O)/%.a: Makefile
	$(call say,AR)rm -f $@ && $(AR) rcs $@ $(filter %.o,$^)

$(O)/%.o: %.c $(O)/flags | $(O)/ready
	@mkdir -p $(@D)
	$(call say,CC)$(COMPILE) -o $@ $<

$(O)/llhttp/%.o: $(LLHTTP_SRC)/%.c $(O)/flags | $(O)/ready
	@mkdir -p $(@D)
	$(call say,CC)$(COMPILE) -w -o $@ $<

# Everything is built anew when compiler or flags have changed.
FLAGS := $(COMPILE) $(LT_LDFLAGS) $(LDFLAGS)
$(O)/flags: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(subst ','\'',$(FLAGS))' | cmp -s - $@ || \
	    printf '%s\n' '$(subst ','\'',$(FLAGS))' >$@

# Names what is missing, and installs nothing.
$(O)/ready:
	@mkdir -p $(@D)
	@test -z '$(strip $(MISSING))' || { \
	    echo 'Missing: $(strip $(MISSING)). On Debian they come with:' >&2; \
	    echo '  $(shell tools/deps -l build)' >&2; \
	    echo 'and "tools/deps build" installs what of these is not there.' >&2; \
	    exit 1; }
	@touch $@

# --- test programs ---------------------------------------------------------

# Each is linked with the library of its side, and never with main.
CHECK_LIBS = $(shell $(PKG_CONFIG) --libs check)
LINK_TEST  = $(call say,LINK)$(LINK) -o $@ $^

$(O)/tests/common/check_%: $(O)/tests/common/check_%.o $(O)/common.a
	$(LINK_TEST) $(CHECK_LIBS) $(call libs,$(PKGS_COMMON)) $(LIBS)

$(O)/tests/server/check_%: $(O)/tests/server/check_%.o $(O)/server.a $(O)/common.a
	$(LINK_TEST) $(CHECK_LIBS) $(call libs,$(PKGS_SERVER)) $(LIBS)

$(O)/tests/client/check_%: $(O)/tests/client/check_%.o $(O)/client.a $(O)/common.a
	$(LINK_TEST) $(CHECK_LIBS) $(call libs,$(PKGS_CLIENT)) $(LIBS)

$(O)/tests/fuzz/replay_%: $(O)/tests/fuzz/fuzz_%.o $(O)/tests/fuzz/replay.o \
    $(O)/server.a $(O)/common.a
	$(LINK_TEST) $(call libs,$(PKGS_SERVER)) $(LIBS)

$(O)/tests/fuzz/fuzz_%: $(O)/tests/fuzz/fuzz_%.o $(O)/server.a $(O)/common.a
	$(LINK_TEST) -fsanitize=fuzzer $(call libs,$(PKGS_SERVER)) $(LIBS)

# The parsers of the client; all others are the server's or common.
FUZZ_CLIENT := connect grant
LINK_FUZZ    = $(call libs,$(PKGS_CLIENT)) $(LIBS)

$(FUZZ_CLIENT:%=$(O)/tests/fuzz/replay_%): $(O)/tests/fuzz/replay_%: \
    $(O)/tests/fuzz/fuzz_%.o $(O)/tests/fuzz/replay.o $(O)/client.a \
    $(O)/common.a
	$(LINK_TEST) $(LINK_FUZZ)

$(FUZZ_CLIENT:%=$(O)/tests/fuzz/fuzz_%): $(O)/tests/fuzz/fuzz_%: \
    $(O)/tests/fuzz/fuzz_%.o $(O)/client.a $(O)/common.a
	$(LINK_TEST) -fsanitize=fuzzer $(LINK_FUZZ)

# Preloaded by the fault suite.
$(O)/tests/faults/%.so: tests/faults/%.c $(O)/flags
	@mkdir -p $(@D)
	$(call say,LINK)$(CC) -std=gnu11 -Wall -Wextra -fPIC -shared \
	    $(CFLAGS) -o $@ $<

tests: $(UNIT) $(REPLAY) ## build the test programs

check: ## all tests but the long ones (installs what they need)
	@tools/deps build check
	@+$(MAKE) --no-print-directory check-all

check-all: all tests
	@LT_QUICK=1 $(RUN) $(UNIT) $(RUN_REPLAY) $(SYSTEM) $(QUICK_FAULTS)

test: check-unit check-corpus ## what needs neither a network nor other programs

check-unit: $(UNIT) ## the unit tests
	@$(RUN) $(UNIT)

check-corpus: $(REPLAY) ## the fuzz targets, each on its committed corpus
	@$(RUN) $(RUN_REPLAY)

check-integration: all ## the tests of the whole programs
	@$(RUN) $(SYSTEM)

check-long: all $(UNIT) $(PRELOADED) ## the tests that take minutes, the fault suite too
	@tools/deps faults
	@$(RUN) -t 1200 $(LONG) $(FAULTS)

check-faults: all $(PRELOADED) ## the fault suite (tests/faults)
	@tools/deps faults
	@$(RUN) -t 1200 $(FAULTS)

asan: ## all tests but the long ones, under ASan and UBSan
	@+CK_FORK=no UBSAN_OPTIONS=print_stacktrace=1 \
	    $(MAKE) --no-print-directory O=build-asan SAN=address,undefined \
	    HARDEN=no CFLAGS='-O1 -g' check-all

fuzz: ## each fuzz target for FUZZ_SECONDS=60 (needs clang)
	@+$(MAKE) --no-print-directory O=build-fuzz CC=clang HARDEN=no \
	    SAN=fuzzer-no-link,address,undefined CFLAGS='-O1 -g' fuzz-run

fuzz-run: $(FUZZ:%=$(O)/tests/fuzz/fuzz_%)
	@set -e; for f in $(FUZZ); do \
	    echo "fuzzing $$f for $(FUZZ_SECONDS) s"; \
	    mkdir -p $(O)/found/$$f; \
	    $(O)/tests/fuzz/fuzz_$$f -max_total_time=$(FUZZ_SECONDS) \
	        -max_len=20000 -timeout=10 -print_final_stats=1 -verbosity=0 \
	        -artifact_prefix=$(O)/ $(O)/found/$$f tests/fuzz/corpus/$$f; \
	done

# For tests/lint.sh.
sources:
	@echo $(COMMON:%=common/%.c) $(SERVER:%=server/%.c) server/main.c \
	    $(CLIENT:%=client/%.c) client/main.c $(CTL:%=ctl/%.c)
flags:
	@echo '$(subst ','\'',-std=gnu11 $(LT_CPPFLAGS))'

lint: ## formatter, linters, house rules; needs "tools/deps lint"
	@tests/lint.sh

# --- the rest --------------------------------------------------------------

# What only the benchmark needs: the limit, and a service for uploads.
BENCH := $(patsubst bench/%.c,$(O)/bench/%,$(wildcard bench/*.c))

$(O)/bench/%: $(O)/bench/%.o
	$(call say,LINK)$(LINK) -o $@ $^

bench: ## speed beside others (bench/README.md); QUICK=1: in two minutes
	@tools/deps build bench
	@+$(MAKE) --no-print-directory all $(BENCH)
	@bench/run.py $(if $(QUICK),--quick) $(BENCH_ARGS)

demo: ## a page through a tunnel; TARGET=5000 for your own
	@tools/deps build demo
	@+$(MAKE) --no-print-directory all
	@LT_BUILD=$(O) tools/demo $(TARGET)

install: all ## programs, manuals, completion, configuration unless there is some
	$(INSTALL) -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(SBINDIR) \
	    $(DESTDIR)$(SYSCONFDIR)/localtunnel
	$(INSTALL) -m 755 $(O)/ltclient $(DESTDIR)$(BINDIR)/
	set -e; l=$(DESTDIR)$(BINDIR)/lt; \
	    if [ ! -e $$l ] && [ ! -L $$l ]; then ln -s ltclient $$l; \
	    elif [ "$$(readlink $$l)" != ltclient ]; then \
	        echo "$$l is something else, and left as it is"; fi
	$(INSTALL) -m 755 $(O)/ltserver $(O)/ltctl $(DESTDIR)$(SBINDIR)/
	set -e; for m in $(MAN); do d=$(DESTDIR)$(MANDIR)/man$${m##*.}; \
	    $(INSTALL) -d $$d; $(INSTALL) -m 644 man/$$m $$d/; done
	$(INSTALL) -d $(DESTDIR)$(BASHDIR) $(DESTDIR)$(ZSHDIR)
	$(INSTALL) -m 644 etc/completion/ltclient.bash \
	    $(DESTDIR)$(BASHDIR)/ltclient
	$(INSTALL) -m 644 etc/completion/_ltclient $(DESTDIR)$(ZSHDIR)/
	set -e; for f in ltserver.conf ltclient.conf; do \
	    test -e $(DESTDIR)$(SYSCONFDIR)/localtunnel/$$f || \
	    $(INSTALL) -m 644 etc/$$f \
	        $(DESTDIR)$(SYSCONFDIR)/localtunnel/; done

DIST := localtunnel-$(VERSION)

dist: ## localtunnel-VERSION.tar.gz of the last commit
	@tools/dist $(DIST)

distcheck: dist ## unpack that, configure, check, and install it below build/
	rm -rf build/distcheck && mkdir -p build/distcheck
	tar -xzf $(DIST).tar.gz -C build/distcheck
	cd build/distcheck/$(DIST) && ./configure --prefix=/usr && \
	    $(MAKE) && $(MAKE) check && \
	    $(MAKE) install DESTDIR=$(CURDIR)/build/distcheck/root
	find build/distcheck/root -type f | sort
	rm -rf build/distcheck

hooks: ## have git check each commit before it is made
	ln -sf ../../tools/pre-commit "$$(git rev-parse --git-dir)/hooks/pre-commit"

clean: ## remove what was built
	rm -rf build build-asan build-clang build-fuzz

distclean: clean ## and what configure and dist wrote
	rm -rf config.mak.autogen config.log config.status configure \
	    autom4te.cache localtunnel-*.tar.gz

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' Makefile | expand -t 22
	@echo 'V=1 shows commands, WERROR=1 stops at warnings,' \
	    'HARDEN=no does not harden, SYSTEMD=no has no part in systemd.'
	@echo 'install goes below DESTDIR, PREFIX ($(PREFIX)) and' \
	    'SYSCONFDIR ($(SYSCONFDIR)).'

FORCE:
.PHONY: all test tests sources flags check check-all check-unit check-corpus \
	check-integration check-long check-faults asan fuzz fuzz-run lint bench \
	demo install dist distcheck hooks clean distclean help FORCE
.DELETE_ON_ERROR:
.SECONDARY:

-include $(shell find $(O) -name '*.d' 2>/dev/null)
