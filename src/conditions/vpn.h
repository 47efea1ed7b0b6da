/* What makes an interface a VPN: the kernel's word for its kind, or the administrator's for its name (DOVpnKeywords). Pure; who asks the
 * kernel is routes.c. */
#pragma once

#include "base/macros.h"

/* @keywords: with commas between, blanks around them do not count; NULL and "" for none. @text: an interface's name or alias. */
bool vpn_has_keyword(const char *keywords, const char *text);
/* IFLA_INFO_KIND, whose @len bytes need no end. */
bool vpn_kind_is_tunnel(const char *kind, size_t len);
