/* The one descriptor that dosvc-owner is started with. */
#pragma once

#define OWNER_CORE_FD 3 /* in dosvc-owner: the connection to the core */
