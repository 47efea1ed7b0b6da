/* The addresses that the names of flipping_names.c are spelt with. */
#pragma once

#define PUBLIC "203.0.113.5" /* documentation, which counts as public */

static const struct {
        char letter;
        const char *text;
} flipping_addresses[] = {
        { 'p', PUBLIC },           { 'l', "127.0.0.1" },       { 's', "::1" },     { 'm', "::ffff:127.0.0.1" },
        { 'z', "0.0.0.0" },        { 'y', "::" },              { 't', "10.1.2.3" }, { 'k', "169.254.169.254" },
        { 'f', "fe80::1" },        { 'u', "fd00::1" },         { 'n', "64:ff9b::7f00:1" }, { 'c', "::ffff:169.254.169.254" },
};
