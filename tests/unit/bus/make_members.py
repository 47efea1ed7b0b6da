#!/usr/bin/env python3
"""Everything that a client can ask the service for, as rows of C: methods and properties of idl/org.dosvc.xml, and what SetProperties sets
by idl/properties.txt. test_matrix.c wants a rule for each of them.

usage: make_members.py org.dosvc.xml properties.txt OUTPUT
"""
import sys
import xml.etree.ElementTree as ElementTree

CLIENTS_OWN = "org.dosvc.Callback1"  # exported by clients

rows = []
for interface in ElementTree.parse(sys.argv[1]).getroot().findall("interface"):
    if interface.get("name") == CLIENTS_OWN:
        continue
    name = interface.get("name").rpartition(".")[2]
    for method in interface.findall("method"):
        signature = "".join(a.get("type") for a in method.findall("arg") if a.get("direction") != "out")
        rows.append(f'MEMBER_METHOD({name}, {method.get("name")}, "{signature}")')
    rows += [f'MEMBER_PROPERTY({name}, {p.get("name")}, "{p.get("type")}")' for p in interface.findall("property")]
with open(sys.argv[2], encoding="utf-8") as f:
    for line in f:
        cells = [cell.strip() for cell in line.split("|")]
        if line.startswith("job.") and set(cells[4]) & {"w", "s"}:
            rows.append(f'MEMBER_SETTING({cells[1]}, "{cells[2]}")')
with open(sys.argv[3], "w", encoding="utf-8") as f:
    f.write("/* Made by make_members.py. */\n" + "\n".join(rows) + "\n")
