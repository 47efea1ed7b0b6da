/* The one descriptor that the broker's children are started with. */
#pragma once

#define OWNER_CORE_FD 3 /* in dosvc-owner and dosvc-runner: the connection to the core */
