# make            builds build/ngx_http_abdm_module.so, build/libabdm.so and build/abdm
# make demo       installs what is needed, builds, runs the main job (KEEP=1 leaves it running)
# make certify    installs what is needed, builds VARIANT=test, shows the rows of ABDM's test sheets: build/certify
# make test       installs what is needed, builds, passes all tests
# make coverage   what the tests reach of lib/, in lines and in branches
# make torture    the unit tests again, each time with one call into what lies under the library failing
# make bench      figures, one tab-separated line each
# make load       citizens at once, visits after an outage: figures, and whether all is well
# make fuzz       every parser that meets the outside, SECONDS=30 each
# make mutants    shows that tests notice when a control is removed, each in turn
# make soak       memory and disk over SOAK=1000000 callbacks, and over 100 reloads, those under the sanitizers too
# make valgrind   the unit tests, and nginx with reloads, under memcheck
# make install    into DESTDIR: the module where nginx looks for it, all else under prefix
#
# VARIANT=asan builds into build/asan with AddressSanitizer and UBSan; the tests run on
# VARIANT=test, which differs from the product only by its fault points.

ifeq ($(origin CC),default)
CC       := gcc
endif
VARIANT  ?=
B        := build$(if $(VARIANT),/$(VARIANT))
VERSION  := 0.1.0

PKGS     := libcurl jansson libssl libcrypto sqlite3 icu-i18n icu-uc
CLI_PKGS := jansson libqrencode libpng
WARN     := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla
CFLAGS   ?= -O2 -g
HARDEN   := -fstack-protector-strong -D_FORTIFY_SOURCE=2
CFLAGS_test := -DABDM_FAULTS
CFLAGS_asan := -DABDM_FAULTS -O1 -fsanitize=address,undefined -fno-omit-frame-pointer -U_FORTIFY_SOURCE
CFLAGS_torture := -DABDM_FAULTS -O1 -fno-omit-frame-pointer -fno-optimize-sibling-calls \
                  -fvisibility=default -U_FORTIFY_SOURCE
CFLAGS_cov := -DABDM_FAULTS -O0 --coverage -fprofile-update=atomic -fno-omit-frame-pointer -fvisibility=default -U_FORTIFY_SOURCE
LDFLAGS_cov := --coverage -Wl,-u,__gcov_dump
LDFLAGS_asan := -fsanitize=address,undefined
ALL_CFLAGS = -std=c11 -D_GNU_SOURCE -fPIC -fvisibility=hidden -pthread $(WARN) $(CFLAGS) $(HARDEN) \
             $(CFLAGS_$(VARIANT)) -DABDM_VERSION='"$(VERSION)"' -Ilib $(shell pkg-config --cflags $(PKGS))
LIBS     = $(shell pkg-config --libs $(PKGS)) -ljq -lm -pthread

ROOMS    := core crypto token gateway hmis fhir consent match api flow store engine intake doctor
LIB_SRC  := $(wildcard lib/*.c $(ROOMS:%=lib/%/*.c))
CLI_SRC  := $(wildcard lib/cli/*.c)
LIB_OBJ  := $(LIB_SRC:lib/%.c=$(B)/obj/%.o)
CLI_OBJ  := $(CLI_SRC:lib/%.c=$(B)/obj/%.o)
UNIT_SRC := $(wildcard t/unit/*.c)
UNITS    := $(UNIT_SRC:t/unit/%.c=$(B)/unit/%)
TOOLS    := $(patsubst t/tools/%.c,$(B)/tools/%,$(wildcard t/tools/*.c))
BENCHES  := $(patsubst t/bench/%.c,$(B)/bench/%,$(wildcard t/bench/*.c))
Q        := $(if $(V),,@)
MODULE   := $(B)/ngx_http_abdm_module.so

JOBS     ?= $(shell nproc)
PERL_TESTS ?= $(wildcard t/*.t t/sim/*.t t/hmis/*.t t/e2e/*.t)
TESTS    ?= $(UNITS) $(PERL_TESTS)

DESTDIR    ?=
prefix     ?= /usr/local
bindir     ?= $(prefix)/bin
libdir     ?= $(prefix)/lib
sharedir   ?= $(prefix)/share/ngx_abdm
modulesdir ?= /usr/lib/nginx/modules

.PHONY: FORCE all lib module unit benches tortures install deps deps-test demo certify test check coverage torture bench load fuzz mutants soak valgrind clean
.DELETE_ON_ERROR:

all: lib module
lib: $(B)/libabdm.so $(B)/libabdm.a $(B)/abdm
module: $(MODULE)
unit: $(UNITS) $(TOOLS)
benches: $(BENCHES)

$(B)/obj/%.o: lib/%.c
	@mkdir -p $(@D)
	@echo "  CC    $<"
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c $< -o $@

$(B)/libabdm.a: $(LIB_OBJ)
	@rm -f $@
	$(Q)ar rcs $@ $^

# nodelete: nginx unloads modules at every reload, while the libraries under us (curl, jq,
# OpenSSL) keep thread-specific keys and exit handlers for the life of the process.
$(B)/libabdm.so: $(LIB_OBJ)
	@echo "  LINK  $@"
	$(Q)$(CC) -shared -Wl,-soname,libabdm.so.0 -Wl,-z,nodelete -Wl,-z,defs -Wl,-z,relro,-z,now \
	    $(LDFLAGS) $(LDFLAGS_$(VARIANT)) -o $@ $^ $(LIBS)
	$(Q)ln -sf libabdm.so $(B)/libabdm.so.0

$(CLI_OBJ): PKGS += $(CLI_PKGS)

$(B)/abdm: $(CLI_OBJ) $(B)/libabdm.so
	@echo "  LINK  $@"
	$(Q)$(CC) $(LDFLAGS) $(LDFLAGS_$(VARIANT)) -Wl,-rpath,'$$ORIGIN' -o $@ $(CLI_OBJ) -L$(B) -labdm \
	    $(shell pkg-config --libs $(CLI_PKGS)) -pthread

# one program of a single file, linked with the library's objects
PROGRAM  = @mkdir -p $(@D); echo "  LINK  $@"; \
           $(CC) $(ALL_CFLAGS) -Wno-string-concatenation -MMD -MP $(LDFLAGS) $(LDFLAGS_$(VARIANT)) -o $@ $< $(B)/libabdm.a

$(B)/unit/%: t/unit/%.c $(B)/libabdm.a
	$(PROGRAM) -lcmocka $(LIBS)

$(B)/tools/%: t/tools/%.c $(B)/libabdm.a
	$(PROGRAM) $(LIBS)

$(B)/bench/%: t/bench/%.c $(B)/libabdm.a
	$(PROGRAM) $(LIBS)

# The unit tests under faults: the library's objects call torture_malloc and the like.
TORTURE  := $(B)/torture

$(TORTURE)/names: t/torture/calls.def t/torture/names.sh
	@mkdir -p $(@D)
	$(Q)CC=$(CC) t/torture/names.sh >$@

$(TORTURE)/obj/%.o: $(B)/obj/%.o $(TORTURE)/names
	@mkdir -p $(@D)
	$(Q)objcopy --redefine-syms=$(TORTURE)/names $< $@

$(TORTURE)/%.o: t/torture/%.c t/torture/calls.def t/torture/torture.h t/torture/cmocka.h
	@mkdir -p $(@D)
	$(Q)$(CC) $(filter-out --coverage,$(ALL_CFLAGS)) -c $< -o $@

$(TORTURE)/libtorture.so: $(LIB_SRC:lib/%.c=$(TORTURE)/obj/%.o) $(TORTURE)/calls.o $(TORTURE)/run.o
	@echo "  LINK  $@"
	$(Q)$(CC) -shared -Wl,-Bsymbolic $(LDFLAGS_$(VARIANT)) -o $@ $^ $(LIBS)

$(TORTURE)/unit/%: t/unit/%.c | $(TORTURE)/libtorture.so
	@mkdir -p $(@D)
	@echo "  LINK  $@"
	$(Q)$(CC) -It/torture $(filter-out --coverage,$(ALL_CFLAGS)) -MMD -MP -fsanitize=leak -Wl,-rpath,'$$ORIGIN/..' -o $@ $< \
	    -L$(TORTURE) -ltorture $(LIBS)

TORTURED ?= $(UNIT_SRC:t/unit/%.c=%)
TORTURES := $(TORTURED:%=$(TORTURE)/unit/%)
tortures: $(TORTURES)

$(MODULE): FORCE $(B)/libabdm.so
	+$(Q)CC=$(CC) CFLAGS='$(CFLAGS) $(CFLAGS_$(VARIANT))' LDFLAGS='$(LDFLAGS_$(VARIANT))' .ci/build-module.sh $(B)

-include $(LIB_OBJ:.o=.d) $(CLI_OBJ:.o=.d) $(UNITS:=.d) $(TOOLS:=.d) $(BENCHES:=.d) $(TORTURES:=.d)

deps:
	@.ci/deps.sh build demo

deps-test:
	@.ci/deps.sh build demo test

demo: deps
	@$(MAKE) -s -j$(JOBS) lib module
	@ABDM_BUILD=$(B) perl t/demo.pl

# ROWS="HIP_INIT_GRANT_CONSENT" for some, to look at them; the report is whole only without it
certify:
	@.ci/deps.sh build demo certify
	@$(MAKE) -s -j$(JOBS) VARIANT=test lib module
	@ABDM_BUILD=build/test perl t/certify/run.pl $(ROWS)

test: deps-test
	@$(MAKE) VARIANT=$(or $(VARIANT),test) check

# without installing anything; TESTS="t/e2e/door.t" for some
check:
	@$(MAKE) -s -j$(JOBS) lib module unit
	CMOCKA_MESSAGE_OUTPUT=TAP ABDM_BUILD=$(B) ABDM_BIN=$(B)/abdm FIDELIUS_PIPE=$(B)/tools/fidelius_pipe \
	    prove -j$(JOBS) --timer -It/lib $(TESTS)

# these also with every call failing that can: no branch of their rooms may be missed
FAULTY   := consent_same token token_cache jwks fidelius fidelius_keys fidelius_api random \
            mac seal seal_keys signature

coverage:
	@.ci/deps.sh build demo test coverage
	@$(MAKE) -s -j$(JOBS) VARIANT=cov lib module unit $(FAULTY:%=build/cov/torture/unit/%)
	@t/coverage build/cov $(FAULTY)

# What lib/ calls of others fails, call by call: no crash, leak or wrong result may come of it.
# TORTURED="token store" for some programs; TORTURE_SECONDS: the most for each of them.
torture:
	@.ci/deps.sh build
	@$(MAKE) -s -j$(JOBS) VARIANT=torture tortures
	@JOBS=$(JOBS) t/torture/all build/torture $(TORTURED)

SECONDS  ?= 30

# every parser that meets the outside, SECONDS each
fuzz:
	+@.ci/deps.sh build ci
	+@t/fuzz/run $(SECONDS)

# MUTANTS="J10 C3.page" for some; RESUME=1 goes on where an earlier run of the same tree was ended
mutants:
	@.ci/deps.sh build demo test
	@t/mutants/run $(if $(RESUME),--resume) $(MUTANTS)

# stdout has figures only
bench:
	@.ci/deps.sh build demo bench >&2
	@$(MAKE) -s -j$(JOBS) lib module $(BENCHES) >&2
	@ABDM_BUILD=$(B) perl t/bench/run.pl

# LOAD="users=1000" for one of them; stdout has figures only
load:
	@.ci/deps.sh build demo load >&2
	@$(MAKE) -s -j$(JOBS) VARIANT=test lib module >&2
	@ABDM_BUILD=build/test perl t/load/run.pl $(LOAD)

SOAK     ?= 1000000

# 20 minutes, most of them for the callbacks
soak:
	@.ci/deps.sh build demo bench
	@$(MAKE) -s -j$(JOBS) VARIANT=test lib module
	@SOAK=$(SOAK) ABDM_BUILD=build/test perl t/soak/callbacks.pl
	@ABDM_BUILD=build/test perl t/soak/reloads.pl
	@$(MAKE) -s -j$(JOBS) VARIANT=asan lib module
	@ABDM_BUILD=build/asan perl t/soak/reloads.pl

# UNITS="store token" for some
valgrind:
	@.ci/deps.sh build demo test valgrind
	@$(MAKE) -s -j$(JOBS) VARIANT=test lib module unit
	@t/valgrind/run build/test
	@VALGRIND=1 RELOADS=10 ABDM_BUILD=build/test perl t/soak/reloads.pl

install: all
	install -d $(DESTDIR)$(modulesdir) $(DESTDIR)$(libdir) $(DESTDIR)$(bindir) $(DESTDIR)$(sharedir)
	install -m 644 $(MODULE) $(DESTDIR)$(modulesdir)
	install -m 644 $(B)/libabdm.so $(DESTDIR)$(libdir)/libabdm.so.$(VERSION)
	ln -sf libabdm.so.$(VERSION) $(DESTDIR)$(libdir)/libabdm.so.0
	ln -sf libabdm.so.0 $(DESTDIR)$(libdir)/libabdm.so
	install -m 755 $(B)/abdm $(DESTDIR)$(bindir)
	cp -R conf/. $(DESTDIR)$(sharedir)
	$(if $(DESTDIR),,ldconfig)

clean:
	rm -rf build
