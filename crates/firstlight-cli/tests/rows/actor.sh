#!/bin/sh
# What a container of a scene does. It writes its own life to the scene's diary, a line per fact, and does what its
# environment says: NAME, FOR (seconds to run; empty is until it is stopped), EXIT (its code), FIRST_TIMES, FIRST_FOR and FIRST_EXIT (so
# many instances end after that time with that code), TERM_EXIT, STOP_FOR (seconds that stopping takes), IGNORES_TERM, HTTP and GRPC
# (ports to serve). Hooks, probes and those servers run it too, with words.

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

# Hooks and probes come as soon as the process is there. They wait until it has said so and listens to signals, so that its line is
# before theirs, and before those of containers that wait for them.
listening() {
    until [ -e /tmp/listens ]; do sleep 0.02; done
}

# Whether this is one of the first N times; the count is kept in file $1.
among_first() {
    echo >>"$1"
    [ "$(wc -l <"$1")" -le "$2" ]
}

# A probe's answer: passes, fails, passes-from-try N, fails-from-try N, passes-with-image N,
# fails-in-preStop, passes-with FILE (of the scene, NAME.FILE).
answer() {
    case "$2" in
        passes) return 0 ;;
        fails) return 1 ;;
        passes-from-try) ! among_first "/tmp/$1" $(($3 - 1)) ;;
        fails-from-try) among_first "/tmp/$1" $(($3 - 1)) ;;
        fails-in-preStop) [ ! -e /tmp/preStop ] ;;
        passes-with) [ -e "/scene/$NAME.$3" ] ;;
        passes-with-image) [ "$(cat /etc/image)" = "$3" ] ;;
    esac
}

reply() {
    printf 'HTTP/1.0 %s\r\nContent-Type: text/plain\r\n' "$1"
    [ -n "$2" ] && printf 'Location: %s\r\n' "$2"
    printf '\r\n%s\n' "$1"
    exit
}

case "$1" in
    "")
        trap stop TERM
        read -r image </etc/image
        say "starts from image $image"
        : >/tmp/listens
        if [ -n "$FIRST_TIMES" ] && among_first "/scene/$NAME.starts" "$FIRST_TIMES"; then
            rest "${FIRST_FOR:-0}"
            end "$FIRST_EXIT"
        fi
        if [ -n "$HTTP" ]; then httpd -p "$HTTP" -h /www; fi
        if [ -n "$GRPC" ]; then nc -ll -p "$GRPC" -e /bin/actor grpc & fi
        rest "${FOR:-1000000}"
        end "${EXIT:-0}"
        ;;
    postStart | preStop)
        listening
        : >"/tmp/$1"
        say "$1 begins"
        sleep "$2"
        say "$1 ends"
        exit "$3"
        ;;
    probe)
        shift
        listening
        if answer "$@"; then say "$1 passes"; else say "$1 fails"; exit 1; fi
        ;;
    say)
        shift
        say "$*"
        ;;
    web)
        # A page by its query: hears+WORDS writes into the diary, to+URL redirects, PROBE+HOW answers as that probe would.
        IFS=+
        set -- $QUERY_STRING
        unset IFS
        case "$1" in
            hears) say "$@" ;;
            to) reply "302 Found" "${QUERY_STRING#to+}" ;;
            *) if answer "$@"; then say "$1 passes"; else say "$1 fails"; reply "500 Internal Server Error"; fi ;;
        esac
        reply "200 OK"
        ;;
    grpc)
        # The health service of gRPC, to one call, as bytes of HTTP/2: SETTINGS, then HEADERS, DATA (SERVING or not), trailers.
        if answer liveness $GRPC_HEALTH; then health='\001'; say liveness passes; else health='\002'; say liveness fails; fi
        printf '\000\000\000\004\000\000\000\000\000'
        sleep 0.2
        printf '\000\000\000\004\001\000\000\000\000'
        printf '\000\000\024\001\004\000\000\000\001\210\017\020\020application/grpc'
        printf '\000\000\007\000\000\000\000\000\001\000\000\000\000\002\010'"$health"
        printf '\000\000\017\001\005\000\000\000\001\000\013grpc-status\0010'
        cat >/dev/null
        ;;
esac
