# SPDX-License-Identifier: MIT
# The only build system.  Everything that is built lands under $(BUILD).
#
#   make                      the binary and the library
#   make demo                 the main job against the test server, step by step
#   make check [SAN=1]        every test; SAN=1: only the suite, under ASan and UBSan
#   make fuzz bench install clean
#
# Yours: CC CFLAGS CPPFLAGS LDFLAGS PKG_CONFIG ASN1PARSER PREFIX DESTDIR APPLETS BUILD.

PREFIX     ?= /usr/local
BINDIR     ?= $(PREFIX)/bin
LIBDIR     ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
MANDIR     ?= $(PREFIX)/share/man
DATADIR    ?= $(PREFIX)/share
PKG_CONFIG ?= pkg-config
ASN1PARSER ?= asn1Parser
OBJCOPY    ?= objcopy
INSTALL    ?= install
CFLAGS     ?= -O2 -g

ifdef SAN
BUILD      ?= build/san
SAN_FLAGS  := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
HARDEN     := -fPIE
HARDEN_LD  := -pie
else
BUILD      ?= build
HARDEN     := -fPIE -fstack-protector-strong -fstack-clash-protection -U_FORTIFY_SOURCE \
	-D_FORTIFY_SOURCE=2 -Wformat=2
HARDEN_LD  := -pie -Wl,-z,relro,-z,now,-z,noexecstack
endif

VERSION := $(shell sed -n 's/.*EST_VERSION "\(.*\)"/\1/p' libest-core/include/est.h)

ALL_APPLETS := $(shell sed -n 's/^APPLET(\([a-z]*\),.*/\1/p' cmd/applets.def)
APPLETS     ?= $(ALL_APPLETS)

EST_CPPFLAGS := -D_GNU_SOURCE -Ilibest-core/include
EST_CFLAGS   := -std=gnu11 -Wall -Wextra -Wshadow -Wvla -Wmissing-prototypes \
	-ffunction-sections -fdata-sections -fvisibility=hidden $(HARDEN) $(SAN_FLAGS) $(FUZZ_FLAGS)
EST_LDFLAGS  := $(HARDEN_LD) -Wl,--gc-sections -Wl,--as-needed $(SAN_FLAGS)

# Asked only when needed: `make demo` and `make check` work before pkg-config is installed.
pkg = $(shell $(PKG_CONFIG) $(1) $(2))
core_cflags   = $(call pkg,--cflags,gnutls libtasn1)
core_libs     = $(call pkg,--libs,gnutls libtasn1)
cmd_cflags    = $(call pkg,--cflags,json-c)
cmd_libs      = $(call pkg,--libs,json-c)
server_cflags = $(call pkg,--cflags,libmicrohttpd gnutls json-c)
server_libs   = $(call pkg,--libs,libmicrohttpd json-c) -pthread
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
FUZZ_SRC := $(wildcard tests/fuzz/fuzz_*.c)

.PHONY: all lib server unit demo check fuzz bench install clean deps
.DELETE_ON_ERROR:
.SECONDARY:

all: $(BUILD)/est lib
lib: $(BUILD)/libest-core.a
server: $(BUILD)/est-testserver
unit: $(UNIT_BIN)

# Rebuilds everything when the compiler, the flags or the applets change.
CONFIG := $(CC) $(CFLAGS) $(CPPFLAGS) $(LDFLAGS) $(EST_CFLAGS) $(APPLETS)
$(BUILD)/config: FORCE
	@mkdir -p $(@D)
	@echo '$(subst ','\'',$(CONFIG))' | cmp -s - $@ || echo '$(subst ','\'',$(CONFIG))' >$@
FORCE:

$(BUILD)/%.o: %.c $(BUILD)/config
	@mkdir -p $(@D)
	$(CC) $(EST_CPPFLAGS) $(CPPFLAGS) $(EST_CFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/libest-core/%.o: EST_CPPFLAGS += -Ilibest-core -Iasn1 $(core_cflags)
$(BUILD)/cmd/%.o: EST_CPPFLAGS += -Icmd -I$(BUILD)/cmd $(cmd_cflags)
$(BUILD)/testserver/%.o: EST_CPPFLAGS += -Itestserver $(server_cflags)
$(BUILD)/tests/%.o: EST_CPPFLAGS += -Ilibest-core -Icmd -Iasn1 -Itests/lib $(core_cflags)
$(CMD_OBJ): $(BUILD)/cmd/applets.def

# Only the applets asked for; cmd/applets.def has them all.
$(BUILD)/cmd/applets.def: cmd/applets.def $(BUILD)/config
	@mkdir -p $(@D)
	for a in $(APPLETS); do grep "^APPLET($$a," $< || exit 1; done | LC_ALL=C sort >$@

$(BUILD)/asn1/%.c: asn1/%.asn
	@mkdir -p $(@D)
	$(ASN1PARSER) -n est_$*_asn1_tab -o $@ $<
$(BUILD)/asn1/%.o: $(BUILD)/asn1/%.c $(BUILD)/config
	$(CC) $(call pkg,--cflags,libtasn1) $(CPPFLAGS) $(EST_CFLAGS) $(CFLAGS) -c -o $@ $<

$(BUILD)/est: $(CMD_OBJ) $(CORE_OBJ)
	$(CC) $(EST_LDFLAGS) $(LDFLAGS) -o $@ $^ $(core_libs) $(cmd_libs)

$(BUILD)/est-testserver: $(SERVER_OBJ) $(CORE_OBJ)
	$(CC) $(EST_LDFLAGS) $(LDFLAGS) -o $@ $^ $(server_libs) $(core_libs)

# One object with the public symbols alone, so that short private names cannot collide.
$(BUILD)/libest-core.a: $(CORE_OBJ)
	$(CC) -r -nostdlib -o $(BUILD)/libest-core.o $^
	$(OBJCOPY) --wildcard --keep-global-symbol='est_*' $(BUILD)/libest-core.o
	rm -f $@
	$(AR) rcs $@ $(BUILD)/libest-core.o

# Unit tests see private headers; they link the objects, not the archive.  Shared parts of cmd/
# come along for what is tested there, without main.
UNIT_LINK := $(filter-out $(BUILD)/cmd/main.o,$(CMD_SHARED:%.c=$(BUILD)/%.o)) $(CORE_OBJ)
$(BUILD)/tests/unit/%: $(BUILD)/tests/unit/%.o $(UNIT_LINK)
	$(CC) $(EST_LDFLAGS) $(LDFLAGS) -o $@ $^ $(core_libs) $(cmd_libs) $(unit_libs)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
