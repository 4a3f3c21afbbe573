#!/bin/sh
# What a container of a scene does. It writes its own life to the scene's diary, a line per fact, and does what its
# environment says: NAME, FOR (seconds to run; empty is until it is stopped), EXIT (its code), FIRST_TIMES and FIRST_EXIT (so
# many instances end at once with that code), TERM_EXIT, STOP_FOR (seconds that stopping takes), IGNORES_TERM.
# Hooks and probes run it too, with words.

say() {
    read -r up _ </proc/uptime
    echo "$up $NAME $*" >>/scene/log
}

end() {
    say "exits $1"
    exit "$1"
}

# Sleeps in a way that a trapped signal interrupts, and goes on if the trap comes back.
rest() {
    sleep "$1" &
    sleeper=$!
    while kill -0 "$sleeper" 2>/dev/null; do wait "$sleeper"; done
}

stop() {
    say gets TERM
    [ -n "$IGNORES_TERM" ] && return
    [ -n "$STOP_FOR" ] && sleep "$STOP_FOR"
    end "${TERM_EXIT:-0}"
}

# Whether this is one of the first N times; the count is kept in file $1.
among_first() {
    echo >>"$1"
    [ "$(wc -l <"$1")" -le "$2" ]
}

# A probe's answer: passes, fails, passes-from-try N, fails-from-try N, passes-with-image N,
# fails-in-preStop.
answer() {
    case "$2" in
        passes) return 0 ;;
        fails) return 1 ;;
        passes-from-try) ! among_first "/tmp/$1" $(($3 - 1)) ;;
        fails-from-try) among_first "/tmp/$1" $(($3 - 1)) ;;
        fails-in-preStop) [ ! -e /tmp/preStop ] ;;
        passes-with-image) [ "$(cat /etc/image)" = "$3" ] ;;
    esac
}

case "$1" in
    "")
        trap stop TERM
        read -r image </etc/image
        say "starts from image $image"
        if [ -n "$FIRST_TIMES" ] && among_first "/scene/$NAME.starts" "$FIRST_TIMES"; then end "$FIRST_EXIT"; fi
        rest "${FOR:-1000000}"
        end "${EXIT:-0}"
        ;;
    postStart | preStop)
        : >"/tmp/$1"
        say "$1 begins"
        sleep "$2"
        say "$1 ends"
        exit "$3"
        ;;
    probe)
        shift
        if answer "$@"; then say "$1 passes"; else say "$1 fails"; exit 1; fi
        ;;
    say)
        shift
        say "$*"
        ;;
esac
