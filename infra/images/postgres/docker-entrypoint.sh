#!/bin/bash
# Starts PostgreSQL as the official image does: the same variables, init scripts, arguments, user.
# Better than there: a first start that was killed half-way is done again, and one data directory
# is never served by two containers.
set -Eeuo pipefail

# A directory inside PGDATA from the first byte of a first start to its last. While it is there,
# no client can have stored anything: the server was reachable by this script alone.
readonly INCOMPLETE=slipway-init-incomplete
readonly SOCKETS=/var/run/postgresql

main() {
    if [[ ${1:-} == -* ]]; then
        set -- postgres "$@"
    fi
    if [[ ${1:-} != postgres ]] || asks_for_information "$@"; then
        exec "$@"
    fi
    # Before root is given up: a secret's file is often readable by root alone.
    read_secrets
    if ((EUID == 0)); then
        hand_over_directories
        export HOME=/var/lib/postgresql
        exec setpriv --reuid=postgres --regid=postgres --init-groups "${BASH_SOURCE[0]}" "$@"
    fi
    mkdir -p "$PGDATA"
    # Some shared file systems have no modes; where that matters the server says so itself.
    chmod 700 "$PGDATA" || true
    lock_data_directory
    if [[ -d $PGDATA/$INCOMPLETE || ! -s $PGDATA/PG_VERSION ]]; then
        initialise "$@"
    fi
    unset POSTGRES_PASSWORD
    exec "$@"
}

asks_for_information() {
    local word
    for word in "$@"; do
        case $word in
        -\? | --help | -V | --version | --describe-config) return 0 ;;
        esac
    done
    return 1
}

# NAME_FILE names a file that holds the value of NAME.
read_secrets() {
    local name path
    for name in POSTGRES_USER POSTGRES_PASSWORD POSTGRES_DB POSTGRES_INITDB_ARGS; do
        path=${name}_FILE
        [[ -n ${!path:-} ]] || continue
        [[ -z ${!name:-} ]] || fail "$name and $path are both set" "Set only one of them."
        [[ -r ${!path} ]] || fail "$path: cannot read ${!path}" "Mount that file into the container."
        export "$name=$(<"${!path}")"
        unset "$path"
    done
}

hand_over_directories() {
    local directory=$PGDATA
    mkdir -p "$PGDATA" "$SOCKETS"
    # A volume shared with another container's user must stay open to it.
    chmod 3777 "$SOCKETS"
    find "$PGDATA" "$SOCKETS" ! -user postgres -exec chown --no-dereference postgres: {} +
    # PGDATA below a mount: the mount itself belongs to somebody else and may be closed.
    until as_postgres test -x "$PGDATA" || [[ $directory == / ]]; do
        directory=$(dirname "$directory")
        chmod o+x "$directory"
    done
}

as_postgres() {
    setpriv --reuid=postgres --regid=postgres --init-groups "$@"
}

# PostgreSQL's own lock is a process number, which is 1 in every container and so proves nothing.
# This one belongs to the kernel and lasts as long as the server does. Where the file system has
# no such locks, flock fails with another code and the start goes on without.
lock_data_directory() {
    local code=0
    exec {lock}<"$PGDATA"
    flock --nonblock --conflict-exit-code=75 "$lock" 2>/dev/null || code=$?
    ((code != 75)) || fail "$PGDATA is in use by another container" \
        "Stop that container first; two servers on one data directory destroy it."
}

initialise() {
    export POSTGRES_USER=${POSTGRES_USER:-postgres}
    export POSTGRES_DB=${POSTGRES_DB:-$POSTGRES_USER}
    export POSTGRES_PASSWORD=${POSTGRES_PASSWORD:-}
    local -x PGHOST=$SOCKETS PGPORT=${PGPORT:-5432}
    # Process 1 gets no signals that it does not ask for; a stop would wait for Docker's kill.
    trap 'exit 130' INT TERM

    require_password
    clear_data_directory
    create_cluster
    start_private_server "$@"
    create_database
    run_init_scripts
    stop_private_server
    rmdir "$PGDATA/$INCOMPLETE"
    sync "$PGDATA"
    trap - INT TERM
    say "first start complete"
}

require_password() {
    local method=${POSTGRES_HOST_AUTH_METHOD:-}
    if [[ $method == trust ]]; then
        say "POSTGRES_HOST_AUTH_METHOD=trust lets everybody in without a password"
    elif [[ -z $POSTGRES_PASSWORD ]]; then
        fail "POSTGRES_PASSWORD is empty, and the superuser needs a password" \
            "Set POSTGRES_PASSWORD, or POSTGRES_PASSWORD_FILE to the path of a file that holds it."
    fi
}

clear_data_directory() {
    if [[ -d $PGDATA/$INCOMPLETE ]]; then
        say "an earlier first start of $PGDATA was cut short; it is done again from the beginning"
        # The mark goes last, or a second interruption would leave rubbish without it.
        find "$PGDATA" -mindepth 1 -maxdepth 1 ! -name "$INCOMPLETE" -exec rm -rf {} +
        rm -rf "${PGDATA:?}/$INCOMPLETE"
    fi
    [[ -z $(ls -A "$PGDATA") ]] || fail "$PGDATA is not empty and holds no complete database cluster" \
        "Mount an empty directory, or set PGDATA to a directory below this one."
    mkdir "$PGDATA/$INCOMPLETE"
}

# initdb wants an empty directory, so it gets the mark itself; what it made then moves up.
create_cluster() {
    local -a arguments
    # Words and quotes as in a shell, without running one over the text.
    mapfile -d '' arguments < <(xargs -r printf '%s\0' <<<"${POSTGRES_INITDB_ARGS:-}")
    initdb --pgdata="$PGDATA/$INCOMPLETE" --username="$POSTGRES_USER" \
        --encoding=UTF8 --locale=C.UTF-8 --auth-local=trust --auth-host=trust --no-instructions \
        ${POSTGRES_PASSWORD:+--pwfile=/dev/fd/3} "${arguments[@]}" 3<<<"$POSTGRES_PASSWORD"
    find "$PGDATA/$INCOMPLETE" -mindepth 1 -maxdepth 1 -exec mv --target-directory="$PGDATA" {} +
    printf '\nhost all all all %s\n' "${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}" \
        >>"$PGDATA/pg_hba.conf"
}

# Nobody may see the database before the init scripts are through: no TCP.
start_private_server() {
    "$@" -c listen_addresses= -c unix_socket_directories="$SOCKETS" -p "$PGPORT" &
    server=$!
    until pg_isready --quiet --username="$POSTGRES_USER"; do
        kill -0 "$server" 2>/dev/null || fail "the server did not start" "Read its lines above."
        sleep 0.1
    done
}

stop_private_server() {
    kill -INT "$server"
    wait "$server"
}

run_sql() {
    psql --no-psqlrc --quiet --no-password --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" \
        --dbname="$POSTGRES_DB" "$@"
}

create_database() {
    run_sql --dbname=postgres --set=name="$POSTGRES_DB" <<'SQL'
select format('create database %I', :'name')
where not exists (select from pg_database where datname = :'name')
\gexec
SQL
}

run_init_scripts() {
    local script scripts=/docker-entrypoint-initdb.d
    # A closed directory matches nothing, and a database without its tables would go live.
    [[ -r $scripts && -x $scripts ]] ||
        fail "$scripts cannot be read by user postgres" "Run chmod go+rx on the directory mounted there."
    for script in "$scripts"/*; do
        [[ -f $script ]] || continue
        say "running $script"
        case $script in
        *.sh)
            # A mounted script often has no executable bit; then it runs in this shell.
            # shellcheck source=/dev/null
            if [[ -x $script ]]; then "$script"; else . "$script"; fi
            ;;
        *.sql) run_sql --file="$script" ;;
        *.sql.gz) gunzip --stdout "$script" | run_sql ;;
        *) say "ignoring $script: it ends in none of .sh, .sql, .sql.gz" ;;
        esac
    done
}

say() {
    printf 'entrypoint: %s\n' "$1"
}

fail() {
    printf 'entrypoint: %s\nHINT: %s\n' "$1" "$2" >&2
    exit 1
}

main "$@"
