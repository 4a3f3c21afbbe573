#!/bin/sh
# Tells, of each path, what a process of this container finds there: mode, owner and group, then what is in it, or the
# names in it. Words instead of a path are told as they are.
for path; do
    case "$path" in
        /*) ;;
        *) echo "$path"; continue ;;
    esac
    if [ -d "$path" ]; then
        inside=$(ls "$path" | tr '\n' ' ')
    else
        inside=$(cat "$path" 2>/dev/null) || inside="(cannot be read)"
    fi
    echo "$path $(stat -L -c '%a %u:%g' "$path" 2>/dev/null || echo none) $inside" | sed 's/ *$//'
done
