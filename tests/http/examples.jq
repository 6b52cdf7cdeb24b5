# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What tests/e2e/examples.sh has recorded, one object a line, as the text of docs/API_REFERENCE.md: values that differ from run to run are
# replaced by such as never were, long lists and texts are cut. Used with -rs; $api is "hub" or "node".

def cut_text: if length > 160 then .[0:157] + "…" else . end;

# Text, by the member it stands in.
def text($key):
    if ($key | test("password|token")) then "…"
    elif $key == "commit" then "0123456789ab"
    elif $key == "build_id" then "f00d…"
    else
        gsub("backup-(?<vm>[a-z0-9]+)-[0-9]{9,}"; "backup-\(.vm)-1763798400")
        | gsub("ctx-(?<vm>[a-z0-9]+)-[0-9]{8}-[0-9]{6}"; "ctx-\(.vm)-20251122-080000")
        | gsub("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"; "503c1f2e-0b1d-4c6a-9d55-5a1b2c3d4e5f")
        | gsub("([0-9A-F]{2}:){15,}[0-9A-F]{2}"; "AA:BB:…")
        | gsub("[0-9a-f]{24,}"; "9f86d0…")
        | gsub("SHA256:[A-Za-z0-9+/]{20,}"; "SHA256:…")
        | gsub("(?<job>job[0-9]+-[0-9]+)-[0-9]+-[0-9a-f]{8}"; "\(.job)-217962401-5e1f0742")
        | gsub("sendense-[0-9a-f]{8,16}(?<job>-[0-9]+-[0-9]+)"; "sendense-5e1f0742\(.job)")
        | gsub("([0-9a-f]{2}[ -]){15}[0-9a-f]{2}/"; "52 7a 1c 09 …/")
        | gsub("[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}(:[0-9]{2})?"; "2025-11-22 08:00")
        | gsub("10\\.[0-9]+\\.[0-9]+\\.[0-9]+"; "192.0.2.10")
        | gsub("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z"; "2025-11-22T08:00:00Z")
        | gsub("(?<n>[0-9]+\\.[0-9]+) (?<u>[kMGT]?i?B|s)\\b"; "1.5 \(.u)")
        | cut_text
    end;

def number($key):
    if . > 1000000000000000 then 1763798400000000
    elif ($key | test("(process_id|pid)$")) then 4711
    elif $key == "attempt" and . > 1000 then 217962401
    elif $key == "mtime_sec" then 1763798400
    elif $key == "mtime_nsec" then 0
    elif ($key | test("^(free|size|stored|used)_bytes$|_usec$|^dispatch|^bytes_(up|down|done)$|^(read|sent|written|data|opened)")) and . > 100 then 1048576
    elif $key == "vcenter_port" or ($key == "port" and (. < 10100 or . > 10200)) then 443
    else . end;

# Lists show their first element, and that there are more.
def cut_list: if length > 1 then .[0:1] + ["…"] else . end;

def shown($key):
    if type == "object" then with_entries(.key as $k | .value |= shown($k))
    elif type == "array" then cut_list | map(shown($key))
    elif type == "string" then text($key)
    elif type == "number" then number($key)
    else . end;

# JSON in lines of 130 characters where it can be.
def flat:
    if type == "object" then "{" + (to_entries | map((.key | tojson) + ": " + (.value | flat)) | join(", ")) + "}"
    elif type == "array" then "[" + (map(flat) | join(", ")) + "]"
    else tojson end;
def laid($indent):
    flat as $flat
    | if ($flat | length) + ($indent | length) <= 130 or (type != "object" and type != "array") then $flat
      elif type == "object" then
          # Short members share a line.
          reduce (to_entries[] | (.key | tojson) + ": " + (.value | laid($indent + " "))) as $member ([""];
              if .[-1] == "" then .[-1] = $member
              elif ((.[-1] + $member) | length) + ($indent | length) <= 126 and ($member + .[-1] | contains("\n") | not) then .[-1] += ", " + $member
              else . + [$member] end)
          | "{" + join(",\n" + $indent + " ") + "}"
      else "[" + (map(laid($indent + " ")) | join(",\n" + $indent + " ")) + "]" end;

# What is no JSON: its lines, each JSON in them as above.
def line:
    if test("^(data: )?\\{") then capture("^(?<head>(data: )?)(?<json>.*)$") | .head + (.json | fromjson | shown("") | laid("")) else text("") end;
def body_text: split("\n") | map(select(. != "") | line) | join("\n");

def body_of($record): if $record.json != null then $record.json | shown("") | laid("") else $record.text // "" | body_text end;

map(select(.api == $api)) | unique_by(.order) | sort_by(.order) | map(
    "**`\(.route)`**\n\n```\n\(.method) \(.path | text(""))"
    + (.headers | map("\n" + .) | join(""))
    + (if .request != null then "\n" + (.request | shown("") | laid("")) else "" end)
    + "\n\n\(.status) \(.type)" + (if .location then "\nLocation: \(.location | text(""))" else "" end)
    + (body_of(.) | if . == "" then "" else "\n" + . end) + "\n```\n")
| join("\n")
