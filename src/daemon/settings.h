/* The configuration: idl/config.txt says what there is; the file is INI with one section, [Service], and drop-ins
 * beside it.
 *
 * At start, what is unknown or out of range is reported with file and line, and ignored: a service that does not start
 * because of a typing error helps nobody. A running one that is asked to read again keeps all it has when a file is broken. */
#pragma once

#include "bus/bus_server.h"

enum setting {
#define CONFIG_ROW(key, type, initial, min, max, unit, restart, text) SETTING_##key,
#include "daemon/config-table.inc"
#undef CONFIG_ROW
        _SETTING_MAX,
};

struct settings;
int settings_new(struct settings **ret);
struct settings *settings_free(struct settings *settings);
DEFINE_CLEANUP_FUNC(struct settings, settings_free)

/* Reads @path (dosvc.conf) and then all *.conf files of @path.d (dosvc.conf.d/) in the order of their names: the
 * last one wins. @required: that @path is missing is an error. 0 or -errno of reading, then settings_wrong() says which file; what is wrong
 * inside is only logged. */
int settings_read(struct settings *settings, const char *path, bool required);
/* The file that could not be read and why, else the first line that could not be taken; NULL: none, or nobody knows more. */
const char *settings_wrong(const struct settings *settings);
/* Reads the same files anew, from the defaults on. -EBADMSG (a value or a line is wrong, which was logged; unknown keys are only reported) or
 * another error: nothing changed, and *reterr_why is what settings_wrong() would say (the caller frees it). Else the number of settings that have another value now. One that needs a restart keeps its
 * value, and the log says so. The entries stay where they are, texts do not. */
int settings_reload(struct settings *settings, const char *path, bool required, char **reterr_why);

uint64_t settings_get(const struct settings *settings, enum setting setting);
/* "" if it is empty. Of settings of type path, hosts, users, hours or words only. */
const char *settings_get_text(const struct settings *settings, enum setting setting);
/* Somebody said it, if only what it is anyway. */
bool settings_is_set(const struct settings *settings, enum setting setting);
/* For ListConfiguration; one per setting, valid as long as the settings. */
const struct bus_config_entry *settings_entries(const struct settings *settings);
