# SPDX-License-Identifier: MIT
# The only build system.  Everything that is built lands under $(BUILD).
#
#   make                      the binary and the library
#   make demo                 the main job against the test server, step by step
#   make check [SAN=1]        every test; SAN=1: only the suite, under ASan and UBSan
#   make fuzz | fuzz-NAME     every fuzz target, or one, for FUZZ_SECONDS each
#   make torture              faults at every point of a renewal; `make check` takes a sample
#   make bench                the numbers, against a bare program and other clients
#   make install | uninstall  under $(DESTDIR)$(PREFIX)
#   make install-testserver   the test server too, for tests of your own
#   make clean
#
# Yours: CC CFLAGS CPPFLAGS LDFLAGS PKG_CONFIG ASN1PARSER PREFIX DESTDIR APPLETS BUILD.
# A cross build needs CC and PKG_CONFIG of the target; nothing built for the target is run.

PREFIX     ?= /usr/local
BINDIR     ?= $(PREFIX)/bin
LIBDIR     ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
DATADIR    ?= $(PREFIX)/share
MANDIR     ?= $(DATADIR)/man
PKG_CONFIG ?= pkg-config
ASN1PARSER ?= asn1Parser
INSTALL    ?= install
OBJCOPY    ?= $(shell $(CC) -print-prog-name=objcopy)
ifeq ($(origin AR),default)
AR          = $(shell $(CC) -print-prog-name=ar)
endif
CFLAGS     ?= -O2 -g
FUZZ_SECONDS ?= 60

# The flag, where the compiler, or the linker, takes it for its target.
, := ,
ld_option = $(shell echo 'int main(void) { return 0; }' | \
	$(CC) -Werror $(1) -Wl,--fatal-warnings -o /dev/null -x c - 2>/dev/null && echo '$(1)')
cc_option = $(shell $(CC) -Werror $(1) -S -o /dev/null -x c /dev/null 2>/dev/null && echo $(1))

ifdef SAN
BUILD      ?= build/san
SAN_FLAGS  := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
HARDEN     := -fPIE
HARDEN_LD  := -pie
else ifdef FUZZ
BUILD      ?= build/fuzz
SAN_FLAGS  := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
else
BUILD      ?= build
HARDEN     := -fPIE -fstack-protector-strong -Wformat=2 \
	$(call cc_option,-fstack-clash-protection) $(call cc_option,-fcf-protection) \
	$(if $(filter-out -O0,$(filter -O%,$(CFLAGS))),-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
HARDEN_LD  := -pie -Wl,-z,relro,-z,now,-z,noexecstack
# C needs no unwind tables at run time (-g keeps those of the debugger), and packed relocations are
# a tenth of the usual ones; glibc reads them since 2.36.
SMALL      := -fno-asynchronous-unwind-tables
SMALL_LD   := $(if $(shell echo '__GLIBC__ __GLIBC_MINOR__' | \
	$(CC) -E -P -include features.h - 2>/dev/null | \
	awk '$$1 > 2 || ($$1 == 2 && $$2 >= 36) { print "yes" }'),$(call ld_option,-Wl$(,)-z$(,)pack-relative-relocs))
endif

# What the clock must not be before; the same sources give the same binary.
SOURCE_DATE_EPOCH ?= $(or $(shell git log -1 --format=%ct 2>/dev/null),$(shell stat -c %Y CHANGELOG.md))

VERSION := $(shell sed -n 's/.*EST_VERSION "\(.*\)"/\1/p' libest-core/include/est.h)

ALL_APPLETS := $(shell sed -n 's/^APPLET.\([a-z]*\),.*/\1/p' cmd/applets.def)
APPLETS     ?= $(ALL_APPLETS)
ifneq ($(filter-out $(ALL_APPLETS),$(APPLETS)),)
$(error APPLETS: no applet is named $(filter-out $(ALL_APPLETS),$(APPLETS)); there are: $(ALL_APPLETS))
endif

EST_CPPFLAGS := -D_GNU_SOURCE -Ilibest-core/include
EST_CFLAGS   := -std=gnu11 -Wall -Wextra -Wshadow -Wvla -Wmissing-prototypes \
	-ffunction-sections -fdata-sections -fvisibility=hidden $(HARDEN) $(SMALL) $(SAN_FLAGS)
EST_LDFLAGS  := $(HARDEN_LD) $(SMALL_LD) -Wl,--gc-sections -Wl,--as-needed $(SAN_FLAGS)

# Asked only when needed: `make demo` and `make check` work before pkg-config is installed.
pkg = $(shell $(PKG_CONFIG) $(1) $(2))
core_cflags   = $(call pkg,--cflags,gnutls libtasn1 nettle)
core_libs     = $(call pkg,--libs,gnutls libtasn1 nettle)
cmd_cflags    = $(call pkg,--cflags,json-c)
cmd_libs      = $(call pkg,--libs,json-c)
server_cflags = $(call pkg,--cflags,libmicrohttpd gnutls nettle json-c)
server_libs   = $(call pkg,--libs,libmicrohttpd json-c nettle) -pthread
unit_libs     = $(call pkg,--libs,cmocka)

ASN1_SRC := $(wildcard asn1/*.asn)
ASN1_OBJ := $(ASN1_SRC:asn1/%.asn=$(BUILD)/asn1/%.o)
CORE_SRC := $(wildcard libest-core/*.c)
CORE_OBJ := $(CORE_SRC:%.c=$(BUILD)/%.o) $(ASN1_OBJ)
APPLET_SRC = $(wildcard $(foreach a,$(1),cmd/$(a).c cmd/$(a)_*.c))
CMD_SHARED := $(filter-out $(call APPLET_SRC,$(ALL_APPLETS)),$(wildcard cmd/*.c))
CMD_SRC  := $(CMD_SHARED) $(call APPLET_SRC,$(APPLETS))
CMD_OBJ  := $(CMD_SRC:%.c=$(BUILD)/%.o)
SERVER_SRC := $(wildcard testserver/*.c)
SERVER_OBJ := $(SERVER_SRC:%.c=$(BUILD)/%.o)
UNIT_SRC := $(wildcard tests/unit/*_test.c)
UNIT_BIN := $(UNIT_SRC:%.c=$(BUILD)/%)
FUZZ_NAMES := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
BENCH_BIN := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/bench/*.c))

.PHONY: all lib server unit replay fuzzers torturers demo check fuzz torture bench clean \
	install install-testserver uninstall FORCE
.DELETE_ON_ERROR:
.PRECIOUS: $(BUILD)/%.o $(BUILD)/asn1/%.c

all: $(BUILD)/est lib
lib: $(BUILD)/libest-core.a
server: $(BUILD)/est-testserver
unit: $(UNIT_BIN)
replay: $(FUZZ_NAMES:%=$(BUILD)/tests/replay/%)
fuzzers: $(FUZZ_NAMES:%=$(BUILD)/%)
torturers: $(BUILD)/tests/torture/failalloc.so

# Everything waits for this file, so it is also the place to say once that something is missing.
# It changes, and everything is built again, when the compiler, the flags or the applets do.
CONFIG := $(CC) $(CFLAGS) $(CPPFLAGS) $(LDFLAGS) $(PKG_CONFIG) $(EST_CFLAGS) $(EST_LDFLAGS) $(APPLETS)
$(BUILD)/config: FORCE
	@for tool in $(firstword $(CC)) $(firstword $(PKG_CONFIG)) $(ASN1PARSER); do \
		command -v $$tool >/dev/null || missing="$$missing $$tool"; done; \
	for lib in 'gnutls >= 3.7.9' 'libtasn1 >= 4.19' nettle json-c; do \
		$(PKG_CONFIG) --exists "$$lib" 2>/dev/null || missing="$$missing $${lib%% *}"; done; \
	test -z "$$missing" || { echo "Missing:$$missing. On Debian this installs what the" \
		"build needs: packaging/install-packages build" >&2; exit 1; }
	@mkdir -p $(@D)
	@printf '%s\n' '$(subst ','\'',$(CONFIG))' >$@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi
FORCE:

$(BUILD)/%.o: %.c $(BUILD)/config
	@mkdir -p $(@D)
	$(CC) $(EST_CPPFLAGS) $(CPPFLAGS) $(EST_CFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/libest-core/%.o: EST_CPPFLAGS += -Ilibest-core -Iasn1 $(core_cflags)
$(BUILD)/cmd/%.o: EST_CPPFLAGS += -I$(BUILD)/cmd $(cmd_cflags)
$(BUILD)/testserver/%.o: EST_CPPFLAGS += -Itestserver $(server_cflags)
$(BUILD)/tests/fuzz/%.o: EST_CFLAGS += -Wno-missing-prototypes # libFuzzer declares nothing
$(BUILD)/tests/%.o: EST_CPPFLAGS += -Ilibest-core -Icmd -Iasn1 -Itests/lib $(core_cflags) $(cmd_cflags)
$(BUILD)/cmd/network.o: EST_CPPFLAGS += -DEST_BUILD_TIME=$(SOURCE_DATE_EPOCH)
$(CMD_OBJ): $(BUILD)/cmd/applets.h

# Only the applets asked for; cmd/applets.def has them all.
$(BUILD)/cmd/applets.h: cmd/applets.def $(BUILD)/config
	@mkdir -p $(@D)
	@for a in $(APPLETS); do grep "^APPLET($$a," $<; done | LC_ALL=C sort -u >$@

$(BUILD)/asn1/%.c: asn1/%.asn $(BUILD)/config
	@mkdir -p $(@D)
	@out=$$($(ASN1PARSER) -n est_$*_asn1_tab -o $@ $< 2>&1) || { echo "$$out" >&2; exit 1; }
$(BUILD)/asn1/%.o: $(BUILD)/asn1/%.c $(BUILD)/config
	$(CC) $(call pkg,--cflags,libtasn1) $(CPPFLAGS) $(EST_CFLAGS) $(CFLAGS) -c -o $@ $<

LINK = $(CC) $(CFLAGS) $(EST_LDFLAGS) $(LDFLAGS) -o $@ $^

$(BUILD)/est: $(CMD_OBJ) $(CORE_OBJ)
	$(LINK) $(core_libs) $(cmd_libs)

# The archive and not the objects: the test server sees what est.h has, and nothing private.
$(BUILD)/est-testserver: $(SERVER_OBJ) $(BUILD)/libest-core.a
	$(LINK) $(server_libs) $(core_libs)

# One object with the public symbols alone, so that short private names cannot collide.
$(BUILD)/libest-core.a: $(CORE_OBJ)
	$(CC) $(CFLAGS) -r -nostdlib -o $(BUILD)/libest-core.o $^
	$(OBJCOPY) --wildcard --keep-global-symbol='est_*' $(BUILD)/libest-core.o
	rm -f $@
	$(AR) rcs $@ $(BUILD)/libest-core.o

# Unit tests see private headers: they link an archive of the objects as they are, with the shared
# parts of cmd/ but main, and with what tests/lib has for them.  Each takes what it needs of it.
TESTLIB_SRC := $(filter-out tests/lib/replay_main.c,$(wildcard tests/lib/*.c))
UNIT_OBJ := $(filter-out $(BUILD)/cmd/main.o,$(CMD_SHARED:%.c=$(BUILD)/%.o)) $(CORE_OBJ) \
	$(TESTLIB_SRC:%.c=$(BUILD)/%.o)
UNIT_LINK := $(BUILD)/tests/unit.a
$(UNIT_LINK): $(UNIT_OBJ)
	@mkdir -p $(@D)
	rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/tests/unit/%: $(BUILD)/tests/unit/%.o $(UNIT_LINK)
	$(LINK) $(core_libs) $(cmd_libs) $(unit_libs)

# A fuzz target without the fuzzer: runs the files it is given, with any compiler.
$(BUILD)/tests/replay/%: $(BUILD)/tests/fuzz/fuzz_%.o $(BUILD)/tests/lib/replay_main.o $(UNIT_LINK)
	@mkdir -p $(@D)
	$(LINK) $(core_libs) $(cmd_libs)

ifdef FUZZ
$(FUZZ_NAMES:%=$(BUILD)/%): $(BUILD)/%: $(BUILD)/tests/fuzz/fuzz_%.o $(UNIT_LINK)
	$(LINK) -fsanitize=fuzzer $(core_libs) $(cmd_libs)
endif

$(BENCH_BIN): $(BUILD)/%: $(BUILD)/%.o
	$(LINK) $(core_libs)

# Takes the place of malloc(): the compiler is not to know it, and no sanitizer to be in it.
$(BUILD)/tests/torture/failalloc.so: tests/torture/failalloc.c $(BUILD)/config
	@mkdir -p $(@D)
	$(CC) -D_GNU_SOURCE -std=gnu11 -Wall -Wextra -O1 -g -fno-builtin -fPIC -shared -o $@ $< -ldl

# The rest runs in steps of its own: what the first installs, the second needs.
demo:
	@packaging/install-packages build demo
	@$(MAKE) --no-print-directory -s all server
	@tests/demo.sh $(BUILD)

check:
	@packaging/install-packages build demo check
	@CHECK_STAGES="$(if $(SAN),san,$(CHECK_STAGES))" tests/check

torture:
	@packaging/install-packages build torture
	@$(MAKE) --no-print-directory -s all server torturers
	@tests/torture/run $(BUILD)

bench:
	@packaging/install-packages build bench torture
	@$(MAKE) --no-print-directory -s all server torturers $(BENCH_BIN)
	@tests/bench/measure.py $(BUILD)

FUZZ_CC ?= clang
fuzz: $(FUZZ_NAMES:%=fuzz-%)
$(FUZZ_NAMES:%=fuzz-%): fuzz-%:
	@packaging/install-packages build fuzz
	@$(MAKE) --no-print-directory -s FUZZ=1 CC=$(FUZZ_CC) CFLAGS='-O1 -g' BUILD=build/fuzz build/fuzz/$*
	tests/lib/fuzz-run $* $(FUZZ_SECONDS)

clean:
	rm -rf $(BUILD)

# ---- install ------------------------------------------------------------------------------------

D := $(DESTDIR)
COMPLETIONS := bash-completion/completions/est zsh/site-functions/_est fish/vendor_completions.d/est.fish
HEADERS := $(notdir $(wildcard libest-core/include/*.h))
MAN_PAGES := est.1 $(APPLETS:%=est-%.1)

# Requires, not Requires.private: the library is an archive, so whoever links it links these too.
$(BUILD)/est-core.pc: $(BUILD)/config FORCE
	@printf '%s\n' 'prefix=$(PREFIX)' 'libdir=$(LIBDIR:$(PREFIX)/%=$${prefix}/%)' \
		'includedir=$(INCLUDEDIR:$(PREFIX)/%=$${prefix}/%)' '' \
		'Name: est-core' 'Description: EST client (RFC 7030, RFC 8951, RFC 9908)' \
		'Version: $(VERSION)' 'Requires: gnutls >= 3.7.9 libtasn1 >= 4.19 nettle' \
		'Libs: -L$${libdir} -lest-core' 'Cflags: -I$${includedir}' >$@

install: all $(BUILD)/est-core.pc
	$(INSTALL) -d $(D)$(BINDIR) $(D)$(LIBDIR)/pkgconfig $(D)$(INCLUDEDIR) $(D)$(MANDIR)/man1
	$(INSTALL) -m 755 $(BUILD)/est $(D)$(BINDIR)/est
	for a in $(APPLETS); do ln -sf est $(D)$(BINDIR)/est-$$a || exit 1; done
	$(INSTALL) -m 644 $(BUILD)/libest-core.a $(D)$(LIBDIR)
	$(INSTALL) -m 644 $(BUILD)/est-core.pc $(D)$(LIBDIR)/pkgconfig
	$(INSTALL) -m 644 $(addprefix libest-core/include/,$(HEADERS)) $(D)$(INCLUDEDIR)
	$(INSTALL) -m 644 $(MAN_PAGES:%=man/%) $(D)$(MANDIR)/man1
	$(INSTALL) -d $(D)$(MANDIR)/man7
	$(INSTALL) -m 644 $(wildcard man/*.7) $(D)$(MANDIR)/man7
	$(INSTALL) -d $(dir $(COMPLETIONS:%=$(D)$(DATADIR)/%))
	$(INSTALL) -m 644 completions/est.bash $(D)$(DATADIR)/bash-completion/completions/est
	$(INSTALL) -m 644 completions/est.zsh $(D)$(DATADIR)/zsh/site-functions/_est
	$(INSTALL) -m 644 completions/est.fish $(D)$(DATADIR)/fish/vendor_completions.d/est.fish

install-testserver: server
	$(INSTALL) -d $(D)$(BINDIR) $(D)$(MANDIR)/man1
	$(INSTALL) -m 755 $(BUILD)/est-testserver $(D)$(BINDIR)
	$(INSTALL) -m 644 man/est-testserver.1 $(D)$(MANDIR)/man1

uninstall:
	rm -f $(D)$(BINDIR)/est $(ALL_APPLETS:%=$(D)$(BINDIR)/est-%) $(D)$(BINDIR)/est-testserver \
		$(D)$(LIBDIR)/libest-core.a $(D)$(LIBDIR)/pkgconfig/est-core.pc \
		$(HEADERS:%=$(D)$(INCLUDEDIR)/%) \
		$(patsubst man/%,$(D)$(MANDIR)/man7/%,$(wildcard man/*.7)) $(D)$(MANDIR)/man1/est.1 $(D)$(MANDIR)/man1/est-testserver.1 \
		$(ALL_APPLETS:%=$(D)$(MANDIR)/man1/est-%.1) $(COMPLETIONS:%=$(D)$(DATADIR)/%)

-include $(wildcard $(BUILD)/*/*.d $(BUILD)/tests/*/*.d)
