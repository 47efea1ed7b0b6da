#!/usr/bin/env python3
"""Names and types of everything that stands in a dictionary of idl/org.dosvc.xml, as rows of C: fuzz_message.c draws from them, so
that a new option or property is in the targets as soon as it is in the contract."""
import re
import sys
import xml.etree.ElementTree as ElementTree

TYPE = r"(?:s|u|t|b|ay|h|x|a\(tt\)|a\{sv\}|as)"

with open(sys.argv[1], encoding="utf-8") as f:
    text = f.read()
keys = {(p.get("name"), p.get("type")) for p in ElementTree.fromstring(text).iter("property")}
for comment in re.findall(r"<!--(.*?)-->", text, re.DOTALL):
    keys.update(re.findall(r"\b([A-Z][A-Za-z0-9]+) (" + TYPE + r")(?![A-Za-z0-9])", comment))
with open(sys.argv[2], "w", encoding="utf-8") as f:
    f.writelines(f'{{ "{name}", "{signature}" }},\n' for name, signature in sorted(keys))
