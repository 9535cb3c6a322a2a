/* SPDX-License-Identifier: MIT */
/* LD_PRELOAD: what loads SoftHSM's PKCS #11 module gets this one, which is the same but for the
 * mechanisms that FILTER_MECHANISMS lists, in hexadecimal: like a token that lacks them.  With
 * FILTER_GENERATE it says that it makes keys, and does not. */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include <p11-kit/pkcs11.h>

#define MODULE "libsofthsm2.so"

static CK_FUNCTION_LIST *real, ours;
static void *module;

CK_RV C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR out);

void *dlopen(const char *name, int flags)
{
	const size_t n = name ? strlen(name) : 0;
	void *(*next)(const char *, int);
	Dl_info self;

	*(void **)&next = dlsym(RTLD_NEXT, "dlopen");
	if (n < strlen(MODULE) || strcmp(name + n - strlen(MODULE), MODULE) != 0)
		return next(name, flags);
	module = next(name, flags);
	return module && dladdr(&ours, &self) ? next(self.dli_fname, flags) : module;
}

static int is_gone(CK_MECHANISM_TYPE type)
{
	const char *list = getenv("FILTER_MECHANISMS");
	char *end;

	for (; list && *list; list = *end ? end + 1 : end) {
		if (strtoul(list, &end, 16) == type)
			return 1;
	}
	return 0;
}

static CK_RV list_mechanisms(CK_SLOT_ID slot, CK_MECHANISM_TYPE_PTR list, CK_ULONG_PTR n)
{
	CK_RV rv = real->C_GetMechanismList(slot, list, n);
	CK_ULONG kept = 0;

	for (CK_ULONG i = 0; rv == CKR_OK && list && i < *n; i++) {
		if (!is_gone(list[i]))
			list[kept++] = list[i];
	}
	if (rv == CKR_OK && list)
		*n = kept;
	return rv;
}

static CK_RV mechanism_info(CK_SLOT_ID slot, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO_PTR info)
{
	return is_gone(type) ? CKR_MECHANISM_INVALID : real->C_GetMechanismInfo(slot, type, info);
}

static CK_RV generate(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism,
	CK_ATTRIBUTE_PTR public, CK_ULONG n_public, CK_ATTRIBUTE_PTR private, CK_ULONG n_private,
	CK_OBJECT_HANDLE_PTR one, CK_OBJECT_HANDLE_PTR two)
{
	if (getenv("FILTER_GENERATE"))
		return CKR_DEVICE_ERROR;
	return is_gone(mechanism->mechanism) ? CKR_MECHANISM_INVALID
					     : real->C_GenerateKeyPair(session, mechanism, public,
						       n_public, private, n_private, one, two);
}

static CK_RV sign_init(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key)
{
	return is_gone(mechanism->mechanism) ? CKR_MECHANISM_INVALID
					     : real->C_SignInit(session, mechanism, key);
}

CK_RV C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR out)
{
	CK_RV (*get)(CK_FUNCTION_LIST_PTR_PTR);
	CK_RV rv;

	if (!module)
		return CKR_GENERAL_ERROR;
	*(void **)&get = dlsym(module, "C_GetFunctionList");
	rv = get ? get(&real) : CKR_GENERAL_ERROR;
	if (rv != CKR_OK)
		return rv;
	ours = *real;
	ours.C_GetMechanismList = list_mechanisms;
	ours.C_GetMechanismInfo = mechanism_info;
	ours.C_GenerateKeyPair = generate;
	ours.C_SignInit = sign_init;
	*out = &ours;
	return CKR_OK;
}
